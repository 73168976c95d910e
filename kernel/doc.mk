# SPDX-License-Identifier: GPL-2.0
#
# The documentation of the library crates, by the flags of the kernel's own
# (rust/Makefile). On request only: MODULES= DOC=FOLDER.

documented := wire kthread usb atm chardev param usbatm

quiet_cmd_rustdoc = RUSTDOC $<
      cmd_rustdoc = OBJTREE=$(abspath $(objtree)) RUST_MODFILE=$(obj)/$(doc-crate) \
	$(RUSTDOC) $(filter-out --remap-path-scope=%,$(rust_flags)) \
	-Zallow-features=$(rust_allowed_features) -Zcrate-attr=no_std \
	-Zcrate-attr='feature($(rust_allowed_features))' -Zunstable-options \
	--extern pin_init --extern kernel --extern zerocopy --extern zerocopy_derive \
	-L $(objtree)/rust/ --sysroot=/dev/null \
	$(foreach c,$(uses-$(doc-crate)),--extern $(c)=$(call crate-meta,$(c)) -L $(call crate-dir,$(c))) \
	--extern-html-root-url kernel=https://rust.docs.kernel.org/ \
	--generate-link-to-definition -Dwarnings --crate-name $(doc-crate) --output $(DOC) $< && \
	touch $@

# document(NAME)
define document
$(obj)/doc_$(1).stamp: private doc-crate := $(1)
$(obj)/doc_$(1).stamp: $(call crate-dir,$(1))/$(1).rs $(foreach c,$(uses-$(1)),$(call crate-obj,$(c))) FORCE
	$$(call if_changed,rustdoc)
endef
$(foreach c,$(documented),$(eval $(call document,$(c))))
$(obj)/doc_atm.stamp: $(obj)/atm/bindings_generated.rs
always-m += $(if $(DOC),$(documented:%=doc_%.stamp))
