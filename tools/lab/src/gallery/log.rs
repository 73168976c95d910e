//! What the kernel is expected to say.

use crate::kernel_log::is_report;

/// Stands for lines of the same report that were left out, or for the rest of a line.
const LEFT_OUT: &str = "...";

/// The lines of a kernel's log that show what a case does.
///
/// Numbers are not compared, for addresses, process numbers and times differ from run to run.
pub struct Expected(Vec<String>);

impl Expected {
    /// Reads them from `bug.log`.
    pub fn parse(text: &str) -> Self {
        Self(lines(text))
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|line| line == LEFT_OUT)
    }

    /// Whether the log `text` has them, in their order and with nothing between them but what was
    /// left out.
    pub fn is_in(&self, text: &str) -> bool {
        let log = lines(text);
        (0..log.len()).any(|start| follows(&log[start..], &self.0))
    }
}

/// Whether a log tells the end of its machine, or of a part that others need.
pub fn is_crash(text: &str) -> bool {
    text.contains("Oops: ") || text.contains("Kernel panic")
}

fn follows(mut log: &[String], expected: &[String]) -> bool {
    let mut may_skip = false;
    for wanted in expected {
        if wanted == LEFT_OUT {
            may_skip = true;
            continue;
        }
        let end = |line: &String| is_line(line, wanted) || is_report(line) && !is_report(wanted);
        let skipped = if may_skip {
            log.iter().position(end).unwrap_or(log.len())
        } else {
            0
        };
        if !log.get(skipped).is_some_and(|line| is_line(line, wanted)) {
            return false;
        }
        log = &log[skipped + 1..];
        may_skip = false;
    }
    true
}

fn is_line(line: &str, wanted: &str) -> bool {
    match wanted.strip_suffix(LEFT_OUT) {
        Some(beginning) => line.starts_with(beginning),
        None => line == wanted,
    }
}

/// The lines of `text`, in the form in which they are compared.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .flat_map(split_at_time)
        .map(without_numbers)
        .filter(|line| !line.is_empty())
        .collect()
}

/// A line of the console without the kernel's time, as in `[    5.797203] `. The kernel may have
/// begun it behind words of a program that had not ended its own line: those are another one.
fn split_at_time(line: &str) -> [&str; 2] {
    for (start, _) in line.match_indices('[') {
        let (before, after) = line.split_at(start);
        match after[1..].split_once("] ") {
            Some((head, text)) if is_time(head) => return [before, text],
            _ => {}
        }
    }
    [line, ""]
}

/// Whether `head` is what stands in the brackets, and no number of something else.
fn is_time(head: &str) -> bool {
    head.contains('.') && head.trim().parse::<f64>().is_ok()
}

/// `line` with `#` for each number, and with single spaces.
fn without_numbers(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let mut plain = String::new();
        for part in word.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let name = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            plain += if is_number(name) { "#" } else { name };
            plain += &part[name.len()..];
        }
        plain
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_number(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let is_address = name.len() >= 8 && name.bytes().all(|c| c.is_ascii_hexdigit());
    name.starts_with(|c: char| c.is_ascii_digit()) || (is_address && digits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "[    5.1] INFO: task rmmod:115 blocked for more than 1 seconds.\n\
                       [    5.2]  kthread_stop+0x66/0x180\n\
                       [    5.3]  bug_exit+0x10/0xfb0 [stop_twice_bug]\n\
                       [    5.4] INFO: task insmod:116 blocked for more than 1 seconds.\n\
                       [    5.5]  kthread_stop+0x66/0x180\n\
                       [    5.6]  bug_init+0x10/0xfb0 [lost_wakeup_bug]\n";

    fn is_in(expected: &str) -> bool {
        Expected::parse(expected).is_in(LOG)
    }

    #[test]
    fn numbers_are_not_compared() {
        assert!(is_in("INFO: task rmmod:7 blocked for more than 3 seconds."));
        assert!(is_in(
            "kthread_stop+0x1/0x2\nbug_exit+0x3/0x4 [stop_twice_bug]"
        ));
        assert!(!is_in("kthread_stopped+0x1/0x2"));
        assert_eq!(
            without_numbers("RIP: 0010:0xffffffffc0643024  do_syscall_64+0xc4 ffff8dc7836eb500"),
            "RIP: #:# do_syscall_64+# #"
        );
    }

    #[test]
    fn a_line_may_begin_behind_another() {
        let log = "insmod: busy[   27.222422] Oops: int3\n[   27.3] RIP: [<0>]\n[1] [   28.0] end";
        assert_eq!(
            lines(log),
            ["insmod: busy", "Oops: int3", "RIP: [<#>]", "[#]", "end"]
        );
    }

    #[test]
    fn the_rest_of_a_line_can_be_left_out() {
        assert!(is_in("INFO: task rmmod:115 ..."));
        assert!(!is_in("INFO: task modprobe:115 ..."));
    }

    #[test]
    fn what_is_left_out_is_said() {
        assert!(is_in(
            "INFO: task rmmod:1 blocked for more than 1 seconds.\n...\nbug_exit+0x1/0x2 [stop_twice_bug]"
        ));
        assert!(!is_in(
            "INFO: task rmmod:1 blocked for more than 1 seconds.\nbug_exit+0x1/0x2 [stop_twice_bug]"
        ));
    }

    #[test]
    fn what_is_left_out_ends_with_its_report() {
        assert!(!is_in(
            "INFO: task rmmod:1 blocked for more than 1 seconds.\n...\nbug_init+0x1/0x2 [lost_wakeup_bug]"
        ));
        assert!(is_in(
            "bug_exit+0x1/0x2 [stop_twice_bug]\n...\nINFO: task insmod:1 blocked for more than 1 seconds."
        ));
    }
}
