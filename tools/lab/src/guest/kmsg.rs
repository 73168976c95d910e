//! The kernel's log, record by record (`/dev/kmsg`).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

/// The kernel's log from some moment on.
pub struct Kmsg {
    file: Option<Mutex<File>>,
    lines: Mutex<Vec<String>>,
}

impl Kmsg {
    /// The log from this moment on.
    pub fn from_now() -> Self {
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .ok();
        let file = file.and_then(|mut file| {
            file.seek(SeekFrom::End(0))
                .is_ok()
                .then_some(Mutex::new(file))
        });
        Self {
            file,
            lines: Mutex::default(),
        }
    }

    /// Every line so far, without level and number but with its time.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap();
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap();
            let mut record = [0; 8192];
            // A record per read; one that was overwritten before we came is said by EPIPE.
            loop {
                match file.read(&mut record) {
                    Ok(length) => lines.extend(parse(&String::from_utf8_lossy(&record[..length]))),
                    Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {
                        lines.push("lab: the kernel's log overran, records are lost".to_owned());
                    }
                    Err(_) => break,
                }
            }
        }
        lines.clone()
    }

    /// Whether some line so far contains `text`.
    pub fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }
}

/// `prefix,sequence,microseconds,flags[,…];text`, then indented dictionary lines.
fn parse(record: &str) -> Option<String> {
    let (head, text) = record.split_once(';')?;
    let micros: u64 = head.split(',').nth(2)?.parse().ok()?;
    let text = text.lines().next().unwrap_or_default();
    Some(format!(
        "[{:5}.{:06}] {text}",
        micros / 1_000_000,
        micros % 1_000_000
    ))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_record_becomes_a_line() {
        let record = "6,339,5140900,-;NET: Registered PF_ATMPVC\n SUBSYSTEM=usb\n";
        assert_eq!(
            parse(record).unwrap(),
            "[    5.140900] NET: Registered PF_ATMPVC"
        );
        assert_eq!(parse("garbage"), None);
    }
}
