//! Where our modules could panic, which the kernel answers with a BUG.

use anyhow::{Result, ensure};

use crate::root::Root;
use crate::setup::modules::BUILD;

/// What is looked at: the library crates, the drivers, and the examples that people copy.
const CRATES: [&str; 10] = [
    "kthread",
    "usb",
    "atm",
    "chardev",
    "param",
    "../wire",
    "usbatm",
    "speedtch",
    "kexample",
    "first_thread",
];

/// Panics of the checks that `CONFIG_RUST_OVERFLOW_CHECKS` puts on sums, differences and products.
/// The book says why none is reached.
const OVERFLOWS: [&str; 3] = [
    "panic_const_add_overflow",
    "panic_const_sub_overflow",
    "panic_const_mul_overflow",
];

/// The others: a crate, the function, and why it is never called.
const KNOWN: [(&str, &str, &str); 5] = [
    (
        "kthread",
        "panic_fmt",
        "LockedBy::access, of what another net's lock guards: a thread is in its own net's list",
    ),
    (
        "kthread",
        "panic_bounds_check",
        "KVec::retain swaps elements that it has just looked at",
    ),
    (
        "usb",
        "assert_failed_inner",
        "ExactSizeIterator::len, all of whose calls the compiler has found to be right and removed",
    ),
    (
        "param",
        "from_str_radix_panic",
        "ParseInt of the kernel asks for numbers to the base 2, 8, 10 and 16",
    ),
    (
        "kexample",
        "assert_failed_inner",
        "IovIterDest::from_raw, of one that is no destination: read_iter() is given no other",
    ),
];

/// What objects refer to and don't define, a line each: the crate, then the mangled name.
const REFERENCES: &str = r#"
cd "$1/kernel" && shift
for crate; do
    nm -u "$crate/${crate##*/}.o" | sed "s|^ *U |$crate |"
done
"#;

/// Whether no crate, as it was built for the stock kernel, refers to a panic that is not known, and
/// none that is known is gone.
pub fn are_known(root: &Root) -> Result<()> {
    let arguments: Vec<_> = [BUILD].into_iter().chain(CRATES).collect();
    let references = root.output(REFERENCES, &arguments)?;
    let new: Vec<_> = panics(&references)
        .filter(|(of, name)| !is_known(of, name))
        .map(|(of, name)| format!("{of} may call {name}"))
        .collect();
    ensure!(new.is_empty(), "{}", new.join("\n"));
    for (of, function, _) in KNOWN {
        let is_there =
            panics(&references).any(|(other, name)| other == of && name.contains(function));
        ensure!(
            is_there,
            "{of} calls {function} no more: take it off the list"
        );
    }
    Ok(())
}

/// Those of the references that are to functions of `core` that panic: a crate and a name each.
fn panics(references: &str) -> impl Iterator<Item = (&str, &str)> {
    let references = references.lines().filter_map(|line| line.split_once(' '));
    references.filter(|(_, name)| {
        let is_of_core = name.starts_with("_R") && name.contains("4core");
        is_of_core && ["panic", "_fail"].iter().any(|word| name.contains(word))
    })
}

fn is_known(of: &str, name: &str) -> bool {
    let mut known = KNOWN.iter().filter(|(known, ..)| *known == of);
    OVERFLOWS.iter().any(|overflow| name.ends_with(overflow))
        || known.any(|(_, function, _)| name.ends_with(function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_told_from_the_rest() {
        let references = "kthread __stack_chk_fail\n\
            kthread _RNvMNtNtCs1_4core3ffi5c_strNtB2_4CStr6to_str\n\
            kthread _RNvNtNtCs1_4core9panicking11panic_const24panic_const_add_overflow\n\
            usb _RNvNtCs1_4core6option13unwrap_failed\n\
            usb _RNvNtCs1_4core9panicking18panic_bounds_check\n\
            kthread _RNvNtCs1_4core9panicking18panic_bounds_check\n";
        let new: Vec<_> = panics(references)
            .filter(|(of, name)| !is_known(of, name))
            .collect();
        let expected = [
            ("usb", "_RNvNtCs1_4core6option13unwrap_failed"),
            ("usb", "_RNvNtCs1_4core9panicking18panic_bounds_check"),
        ];
        assert_eq!(new, expected);
    }
}
