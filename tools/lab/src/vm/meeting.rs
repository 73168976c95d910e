//! Where the lab and one of its machines meet: a socket, with others for what is outside of the
//! machine that are called like it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A socket that is gone when they have met, or when they have not.
pub struct Meeting(PathBuf);

impl Meeting {
    /// A place where nobody is yet.
    pub fn new() -> Self {
        static MACHINES: AtomicUsize = AtomicUsize::new(0);
        let machine = MACHINES.fetch_add(1, Ordering::Relaxed);
        // Not in the cache: the path of a socket has to be short.
        let name = format!("lab-{}-{machine}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        // Of a lab that was killed and had this number.
        let _ = fs::remove_file(&socket);
        Self(socket)
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.0
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes what labs have left there that were killed.
pub fn tidy_up() {
    remove_those_of_the_dead(&std::env::temp_dir());
}

fn remove_those_of_the_dead(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let owner = owner(&entry.file_name().to_string_lossy());
        if owner.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process whose socket has this name.
fn owner(name: &str) -> Option<u32> {
    let (process, _) = name.strip_prefix("lab-")?.split_once('-')?;
    process.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dead_have_left_goes() {
        let folder = std::env::temp_dir().join(format!("lab-meet-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // No process has a number beyond 4194303.
        let dead = ["lab-4194304-0.sock", "lab-4194304-12.usb-hub"];
        let others = ["lab-1-0.sock", "lab-steps-4194304", "4194304-0.sock"];
        for name in dead.iter().chain(&others) {
            fs::write(folder.join(name), "").unwrap();
        }
        remove_those_of_the_dead(&folder);
        assert!(dead.iter().all(|name| !folder.join(name).exists()));
        assert!(others.iter().all(|name| folder.join(name).exists()));
        fs::remove_dir_all(folder).unwrap();
    }
}
