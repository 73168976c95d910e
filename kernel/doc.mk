# SPDX-License-Identifier: GPL-2.0
#
# The documentation of the library crates, by the flags of the kernel's own
# (rust/Makefile). On request only: DOC=FOLDER. So are the examples in it, each
# compiled by itself: EXAMPLES=y.

documented := wire kthread usb atm chardev param usbatm

rustdoc = OBJTREE=$(abspath $(objtree)) RUST_MODFILE=$(obj)/$(doc-crate) \
	$(RUSTDOC) $(filter-out --remap-path-scope=%,$(rust_flags)) \
	-Zallow-features=$(rust_allowed_features) -Zcrate-attr=no_std \
	-Zcrate-attr='feature($(rust_allowed_features))' -Zunstable-options \
	--extern pin_init --extern kernel --extern zerocopy --extern zerocopy_derive \
	-L $(objtree)/rust/ --sysroot=/dev/null \
	$(foreach c,$(uses-$(doc-crate)),--extern $(c)=$(call crate-meta,$(c)) -L $(call crate-dir,$(c))) \
	--crate-name $(doc-crate)

quiet_cmd_rustdoc = RUSTDOC $<
      cmd_rustdoc = $(rustdoc) --extern-html-root-url kernel=https://rust.docs.kernel.org/ \
	--generate-link-to-definition -Dwarnings --output $(DOC) $< && \
	touch $@

# What rustdoc says of the examples, with a line for each. It heeds no
# -Zcrate-attr when it looks for them, so it gets a root that has these
# attributes, in place of its first line: that of the licence.
examples-root = $(@:.examples=.rs)
quiet_cmd_examples = EXAMPLES $<
      cmd_examples = sed '1s/.*/\#![no_std] \#![feature($(rust_allowed_features))]/' $< >$(examples-root) && \
	$(rustdoc) --extern $(doc-crate)=$(call crate-meta,$(doc-crate)) -L $(call crate-dir,$(doc-crate)) \
	--test --no-run $(examples-root) >$@ || { cat $@ >&2; false; }

# document(NAME): the object stands for all files of the crate.
define document
$(obj)/doc_$(1).stamp $(obj)/$(1)/root_generated.examples: private doc-crate := $(1)
$(obj)/doc_$(1).stamp $(obj)/$(1)/root_generated.examples: private part-of-module := y
$(obj)/doc_$(1).stamp: $(call crate-dir,$(1))/$(1).rs $(call crate-obj,$(1)) FORCE
	$$(call if_changed,rustdoc)
$(obj)/$(1)/root_generated.examples: $(call crate-dir,$(1))/$(1).rs $(call crate-obj,$(1)) FORCE
	$$(call if_changed,examples)
endef
$(foreach c,$(documented),$(eval $(call document,$(c))))
always-m += $(if $(DOC),$(documented:%=doc_%.stamp))
# Those of wire run on the host.
always-m += $(if $(EXAMPLES),$(patsubst %,%/root_generated.examples,$(filter-out wire,$(documented))))
