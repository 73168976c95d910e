//! The virtual host controller that modems are plugged into, `vhci_hcd`, from the kernel's own
//! source and without two of its faults (Linux 7.3). Neither has to do with what is tested, and
//! both come to light on a busy machine, where much is cancelled and unplugged at once:
//!
//! - A transfer that ends while it is being cancelled is freed under the hands of who cancels it:
//!   the one holds `priv_lock` for that, the other the controller's lock.
//! - A transfer that is submitted and cancelled while its connection ends, and not sent any more,
//!   is in a list that nobody looks into: whoever has cancelled it waits for ever.
//!
//! A kernel whose source is not like that keeps the controller that it has.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::steps::{Key, Step};

/// Where it is in a kernel's source.
const SOURCE: &str = "drivers/usb/usbip";

/// What it is made of.
const FILES: [&str; 6] = [
    "usbip_common.h",
    "vhci.h",
    "vhci_hcd.c",
    "vhci_rx.c",
    "vhci_sysfs.c",
    "vhci_tx.c",
];

/// A change: each of the `times` that `from` stands in `file` becomes `to`.
struct Mend {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    times: usize,
}

/// All of them.
const MENDS: [Mend; 3] = [
    // What has ended is taken out with the controller's lock held.
    Mend {
        file: "vhci_rx.c",
        from: "\tspin_lock_irqsave(&vdev->priv_lock, flags);\n\turb = pickup",
        to: "\tspin_lock_irqsave(&vhci->lock, flags);\n\tspin_lock(&vdev->priv_lock);\n\turb = pickup",
        times: 2,
    },
    Mend {
        file: "vhci_rx.c",
        from: "seqnum);\n\tspin_unlock_irqrestore(&vdev->priv_lock, flags);\n",
        to: "seqnum);\n\tspin_unlock(&vdev->priv_lock);\n\tspin_unlock_irqrestore(&vhci->lock, flags);\n",
        times: 2,
    },
    // Nobody sends any more, so what has not been sent is looked for where the rest is.
    Mend {
        file: "vhci_hcd.c",
        from: "\tvhci_device_unlink_cleanup(vdev);\n",
        to: "\tspin_lock_irq(&vdev_to_vhci_hcd(vdev)->vhci->lock);\n\
             \tspin_lock(&vdev->priv_lock);\n\
             \tlist_splice_tail_init(&vdev->priv_tx, &vdev->priv_rx);\n\
             \tspin_unlock(&vdev->priv_lock);\n\
             \tspin_unlock_irq(&vdev_to_vhci_hcd(vdev)->vhci->lock);\n\
             \tvhci_device_unlink_cleanup(vdev);\n",
        times: 1,
    },
];

/// What it depends on besides the kernel.
pub(super) fn add_to(key: Key) -> Key {
    let mends = MENDS.iter();
    mends.fold(key.text(&FILES.join(" ")), |key, mend| {
        key.text(mend.file).text(mend.from).text(mend.to)
    })
}

/// Writes its source to the folder `to`, where the kernel in `tree` has it with these faults.
pub(super) fn write(step: &Step, tree: &Path, to: &Path) -> Result<()> {
    let from = tree.join(SOURCE);
    let texts: Option<Vec<_>> = FILES
        .iter()
        .map(|name| mended(name, &fs::read_to_string(from.join(name)).ok()?))
        .collect();
    let Some(texts) = texts else {
        step.print("this kernel's vhci_hcd is not known to the lab, and is taken as it is");
        let _ = fs::remove_dir_all(to);
        return Ok(());
    };
    fs::create_dir_all(to)?;
    for (name, text) in FILES.iter().zip(texts) {
        let path = to.join(name);
        // What is equal is left alone, so that make has nothing to do.
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The `text` of a file without its faults; `None` if they are not in it.
fn mended(file: &str, text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for mend in MENDS.iter().filter(|mend| mend.file == file) {
        if text.matches(mend.from).count() != mend.times {
            return None;
        }
        text = text.replace(mend.from, mend.to);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::mended;

    /// A function as `vhci_rx.c` has two, with these `lines` at the beginning.
    fn receives(lines: &str) -> String {
        format!(
            "{{\n\tspin_lock_irqsave(&vdev->priv_lock, flags);\n{lines}\
             \turb = pickup_urb_and_free_priv(vdev, pdu->base.seqnum);\n\
             \tspin_unlock_irqrestore(&vdev->priv_lock, flags);\n}}\n"
        )
    }

    #[test]
    fn only_what_is_known_is_mended() {
        let known = "{\n\tvhci_device_unlink_cleanup(vdev);\n}\n";
        let text = mended("vhci_hcd.c", known).unwrap();
        assert!(text.contains("list_splice_tail_init") && text.ends_with("(vdev);\n}\n"));
        assert!(mended("vhci_hcd.c", &known.repeat(2)).is_none());
        assert!(mended("vhci_hcd.c", "{}\n").is_none());
        assert_eq!(mended("vhci_tx.c", "{}\n").as_deref(), Some("{}\n"));
    }

    #[test]
    fn what_has_ended_is_taken_out_under_both_locks() {
        let mended_once = "{\n\
            \tspin_lock_irqsave(&vhci->lock, flags);\n\
            \tspin_lock(&vdev->priv_lock);\n\
            \turb = pickup_urb_and_free_priv(vdev, pdu->base.seqnum);\n\
            \tspin_unlock(&vdev->priv_lock);\n\
            \tspin_unlock_irqrestore(&vhci->lock, flags);\n\
            }\n";
        let known = receives("");
        let text = mended("vhci_rx.c", &known.repeat(2));
        assert_eq!(text, Some(mended_once.repeat(2)));
        let others = [
            known.clone(),
            known.repeat(3),
            known.clone() + &receives("\tdo_more();\n"),
            known.clone() + &known.replace("seqnum);\n\t", "seqnum);\n\n\t"),
        ];
        for other in others {
            assert_eq!(mended("vhci_rx.c", &other), None, "{other}");
        }
    }
}
