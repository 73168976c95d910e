//! A prepared kernel of the user's own, in place of the stock one: a folder with `linux/` (prepared
//! for Rust modules), `stock/` (the modules folder with `vmlinuz`), `release` and `cc`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::fail::Failure;
use crate::steps::{Key, Step};
use crate::{children, root};

/// What it must have.
const PARTS: [&str; 5] = [
    "linux/Module.symvers",
    "linux/rust/libkernel.rmeta",
    "stock/vmlinuz",
    "release",
    "cc",
];

/// Adds a kernel to a key: its place, and the name, size and time of each file, by which one that
/// was built again is known. To read all of them would take too long.
pub fn add_to(key: Key, own: &Path) -> Result<Key> {
    let own = fs::canonicalize(own)?;
    let mut files = Vec::new();
    list(&own, &mut vec![own.clone()], &mut files)?;
    files.sort();
    let key = key.text(&own.to_string_lossy());
    Ok(files.iter().fold(key, |key, file| key.text(file)))
}

/// Lists the files below `folder`, a line each, and below the folders outside of those `within`
/// that links lead to.
fn list(folder: &Path, within: &mut Vec<PathBuf>, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A link that leads nowhere is no file.
        let Ok(file) = fs::metadata(&path) else {
            continue;
        };
        if !file.is_dir() {
            let (size, time) = (file.size(), (file.mtime(), file.mtime_nsec()));
            files.push(format!("{} {size} {time:?}", path.display()));
        } else if !path.is_symlink() {
            list(&path, within, files)?;
        } else if let Some(target) = leads_out(&path, within) {
            within.push(target);
            list(&path, within, files)?;
            within.pop();
        }
    }
    Ok(())
}

/// Where the link `path` leads to, if that is neither in one of the folders `within` nor around it.
fn leads_out(path: &Path, within: &[PathBuf]) -> Option<PathBuf> {
    let target = fs::canonicalize(path).ok()?;
    let is_known = |known: &PathBuf| target.starts_with(known) || known.starts_with(&target);
    (!within.iter().any(is_known)).then_some(target)
}

/// Refuses what is no such kernel, or would be removed to make room for its own copy at `home`.
pub fn check(own: &Path, home: &Path) -> Result<()> {
    for part in PARTS {
        let todo = "a prepared kernel is a folder with linux/, stock/, release and cc, as the lab leaves it in its toolchain root";
        ensure!(
            own.join(part).exists(),
            Failure::new(format!("--kernel: {} has no {part}", own.display()), todo)
        );
    }
    let todo = "copy it to a place outside of the cache, and name that";
    ensure!(
        !overlap(&fs::canonicalize(own)?, home),
        Failure::new(
            "--kernel: this folder is where the lab puts its kernel",
            todo
        )
    );
    Ok(())
}

/// Copies it to `home`: nothing can be mounted in the root.
pub fn copy(step: &Step, own: &Path, home: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(home);
    fs::create_dir_all(home.parent().context("the root has no parent")?)?;
    let copy = |from: &Path, to: &Path| {
        let mut copy = children::command("cp");
        copy.args(["-a", "-T"]).args([from, to]);
        root::run(step, copy)
    };
    copy_all(&fs::canonicalize(own)?, home, &copy)
}

/// Whether removing `home` would remove something of `own` (without links in its path), or the
/// other way round.
fn overlap(own: &Path, home: &Path) -> bool {
    // Where it has never been, nothing is in it.
    fs::canonicalize(home).is_ok_and(|home| own.starts_with(&home) || home.starts_with(own))
}

/// Copies `from` to `to` by `copy`, then what links in it lead to and would not in the root.
fn copy_all(from: &Path, to: &Path, copy: &impl Fn(&Path, &Path) -> Result<()>) -> Result<()> {
    copy(from, to)?;
    let mut links = Links {
        home: fs::canonicalize(to)?,
        copy,
        copied: vec![from.to_owned()],
    };
    links.follow(from, to)
}

/// The links of a copy.
struct Links<'a, Copy> {
    home: PathBuf,
    copy: &'a Copy,
    /// What is copied at the moment, by links that lead from each to the next.
    copied: Vec<PathBuf>,
}

impl<Copy: Fn(&Path, &Path) -> Result<()>> Links<'_, Copy> {
    /// Puts in the place of each link of the folder `to`, a copy of `from`, what the original
    /// leads to, if the copy does not lead to something in the copy.
    fn follow(&mut self, from: &Path, to: &Path) -> Result<()> {
        for entry in fs::read_dir(to)? {
            let link = entry?.path();
            let original = from.join(link.file_name().unwrap_or_default());
            if !link.is_symlink() {
                if link.is_dir() {
                    self.follow(&original, &link)?;
                }
            } else if !fs::canonicalize(&link).is_ok_and(|to| to.starts_with(&self.home)) {
                self.replace(&link, &original)?;
            }
        }
        Ok(())
    }

    fn replace(&mut self, link: &Path, original: &Path) -> Result<()> {
        let Ok(target) = fs::canonicalize(original) else {
            // The original leads nowhere either.
            return Ok(());
        };
        if self.copied.iter().any(|path| path.starts_with(&target)) {
            // There would be no end to it.
            return Ok(());
        }
        fs::remove_file(link)?;
        (self.copy)(&target, link)?;
        if target.is_dir() {
            self.copied.push(target.clone());
            self.follow(&target, link)?;
            self.copied.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::os::unix::fs::symlink;
    use std::time::SystemTime;

    use super::*;

    /// A folder for the test of this name.
    fn folder(name: &str) -> PathBuf {
        let name = format!("lab-own-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("own/linux")).unwrap();
        fs::create_dir_all(folder.join("else/include")).unwrap();
        fs::write(folder.join("own/linux/Makefile"), "one").unwrap();
        fs::write(folder.join("else/include/a.h"), "one").unwrap();
        fs::canonicalize(folder).unwrap()
    }

    #[test]
    fn a_kernel_that_was_built_again_is_another() {
        let folder = folder("again");
        let own = folder.join("own");
        let key = || add_to(Key::default(), &own).unwrap().finish();
        let later = SystemTime::now() + std::time::Duration::from_secs(1);
        symlink("../../else/include", own.join("linux/include")).unwrap();
        symlink("nowhere", own.join("linux/gone")).unwrap();
        symlink("../../own", own.join("linux/around")).unwrap();
        let mut keys = vec![key()];
        assert_eq!(keys[0], key());
        for file in ["own/linux/Makefile", "else/include/a.h"] {
            let file = fs::File::options().write(true).open(folder.join(file));
            let times = FileTimes::new().set_modified(later);
            file.unwrap().set_times(times).unwrap();
            keys.push(key());
        }
        fs::write(own.join("linux/new.h"), "").unwrap();
        keys.push(key());
        keys.dedup();
        assert_eq!(keys.len(), 4);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_links_lead_to_is_in_the_copy() {
        let folder = folder("links");
        let (own, copy) = (folder.join("own"), folder.join("copy"));
        let link = |to: &Path, name: &str| symlink(to, folder.join(name)).unwrap();
        link(Path::new("Makefile"), "own/linux/same");
        link(&own.join("linux/Makefile"), "own/linux/absolute");
        link(Path::new("../../else/include"), "own/linux/include");
        link(Path::new("nowhere"), "own/linux/gone");
        // Links that lead around.
        link(&folder.join("else"), "else/include/again");
        link(&folder, "own/linux/all");
        let cp = |from: &Path, to: &Path| {
            let mut cp = children::command("cp");
            cp.args(["-a", "-T"]).args([from, to]);
            ensure!(children::output(cp)?.status.success());
            Ok(())
        };
        copy_all(&own, &copy, &cp).unwrap();
        let text = |name: &str| fs::read_to_string(copy.join("linux").join(name)).unwrap();
        let is_link = |name: &str| copy.join("linux").join(name).is_symlink();
        for name in ["Makefile", "same", "absolute", "include/a.h"] {
            assert_eq!(text(name), "one", "{name}");
        }
        assert!(is_link("same") && is_link("gone") && is_link("all"));
        assert!(!is_link("absolute") && !is_link("include"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_labs_own_folder_is_no_kernel_of_ones_own() {
        let base = folder("overlap");
        let home = base.join("kernel");
        fs::create_dir_all(home.join("linux")).unwrap();
        for own in [base.join("kernel"), base.join("kernel/linux"), base.clone()] {
            assert!(overlap(&own, &home), "{}", own.display());
        }
        assert!(!overlap(&base.join("kernels"), &home));
        assert!(!overlap(&base, &base.join("nowhere")));
        fs::remove_dir_all(base).unwrap();
    }
}
