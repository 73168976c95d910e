//! Where our modules differ from the C ones, and mean to.

/// Names of facts, in which `*` stands for anything, and why they are not the same.
pub const DELIBERATE: &[(&str, &str)] = &[
    (
        "load speedtch altsetting=4294967296",
        "Refused either way; ours says in the log which texts it takes.",
    ),
    (
        "load speedtch Modem*=256",
        "Refused either way; ours says in the log which texts it takes.",
    ),
    (
        "log: Direct firmware load for *",
        "Names are tried until one is there, which is no news; if none is, one line says so.",
    ),
    (
        "log: ATM dev 0: usbatm_atm_open: unsupported ATM type 13!",
        "Whoever opens such a VCC gets the error. Everybody may, and could fill the log so.",
    ),
    (
        "insmod of the stock cxacru",
        "What usbatm offers to minidrivers is in Rust here; stock ones need the stock usbatm.",
    ),
    (
        "modem with *: resets",
        "The hub has just reset it, and nobody can break off another reset: that comes when an \
         upload has failed.",
    ),
];
