# SPDX-License-Identifier: GPL-2.0
#
# The gallery of misuse. A case NAME is a folder; of what is in it are made:
#
#   NAME_bug.ko       from bug.c: hangs, crashes or leaks
#   NAME_cure.ko      from cure.rs: the same with kthread, which does not
#   NAME/misuse.words from misuse.rs: what the compiler says, who refuses it
#
# These modules are built on request only: MODULES='$(gallery)'.

gallery-with = $(patsubst $(src)/gallery/%/$(1),%,$(wildcard $(src)/gallery/*/$(1)))
gallery-bugs := $(call gallery-with,bug.c)
gallery-cures := $(call gallery-with,cure.rs)
gallery := $(gallery-bugs:%=%_bug) $(gallery-cures:%=%_cure)

gallery-rustflags := --extern kthread=$(call crate-meta,kthread) -L $(call crate-dir,kthread)
define gallery-cure
$(1)_cure-y := gallery/$(1)/cure.o kthread/kthread.o kthread/helpers.o
RUSTFLAGS_gallery/$(1)/cure.o := $(gallery-rustflags)
$(obj)/gallery/$(1)/cure.o: $(call crate-obj,kthread)
endef
$(foreach case,$(gallery-bugs),$(eval $(case)_bug-y := gallery/$(case)/bug.o))
$(foreach case,$(gallery-cures),$(eval $(call gallery-cure,$(case))))

# Its errors alone: lints would say that a snippet has no documentation.
quiet_cmd_words = WORDS   $@
      cmd_words = if $(rust_common_cmd) $(gallery-rustflags) --cap-lints allow --emit=metadata=$@.rmeta \
	$< 2>$@; then echo "the compiler accepts it" >$@; fi
$(obj)/gallery/%/misuse.words: $(src)/gallery/%/misuse.rs $(call crate-obj,kthread) FORCE
	$(call if_changed,words)
gallery-words := $(patsubst %,gallery/%/misuse.words,$(call gallery-with,misuse.rs))
targets += $(gallery-words)
always-m += $(if $(filter $(gallery),$(MODULES)),$(gallery-words))
