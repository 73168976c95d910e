//! How much memory can be had: what the machine has available, or what is left to the control
//! groups that the lab is in, a container's above all.

use std::fs;
use std::path::Path;

/// The memory that can be had, in KiB, by the files below `root`.
pub fn available(root: &Path) -> usize {
    let machine = number_behind(&read(&root.join("proc/meminfo")), "MemAvailable:");
    left_to_groups(root).chain(machine).min().unwrap_or(0)
}

/// What is left to each of the groups that set a limit, in KiB.
fn left_to_groups(root: &Path) -> impl Iterator<Item = usize> {
    let groups = read(&root.join("proc/self/cgroup"));
    let mut left = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(own)) = (fields.next(), fields.next()) else {
            continue;
        };
        let version = match controllers {
            "" => &V2,
            "memory" => &V1,
            _ => continue,
        };
        // A limit of a group holds for those below it. In a container, the files of its own
        // group may be those of the topmost.
        for group in Path::new(own.trim_start_matches('/')).ancestors() {
            left.extend(version.left(&root.join(version.mounted).join(group)));
        }
    }
    left.into_iter()
}

/// What a version of control groups calls its files.
struct Version {
    mounted: &'static str,
    limit: &'static str,
    used: &'static str,
    /// What of that the kernel takes back first: files that nobody has read of late.
    reclaimable: &'static str,
}

const V2: Version = Version {
    mounted: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    reclaimable: "inactive_file",
};

const V1: Version = Version {
    mounted: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

impl Version {
    /// What is left to the group of this folder, in KiB, if it has a limit.
    fn left(&self, folder: &Path) -> Option<usize> {
        let number = |file: &str| read(&folder.join(file)).trim().parse::<usize>().ok();
        let (limit, used) = (number(self.limit)?, number(self.used)?);
        let reclaimable = number_behind(&read(&folder.join("memory.stat")), self.reclaimable);
        let used = used.saturating_sub(reclaimable.unwrap_or(0));
        Some(limit.saturating_sub(used) / 1024)
    }
}

/// The number behind the word that a line of `table` begins with.
fn number_behind(table: &str, word: &str) -> Option<usize> {
    let mut lines = table.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next()? == word).then(|| words.next()?.parse().ok())?)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What can be had where these are the files.
    fn available_by(name: &str, files: &[(&str, &str)]) -> usize {
        let name = format!("lab-memory-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&root);
        for (file, text) in files {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let available = available(&root);
        fs::remove_dir_all(root).unwrap();
        available
    }

    const MACHINE: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       8000000 kB\nMemAvailable:   6000000 kB\n",
    );

    #[test]
    fn a_machine_without_groups_has_what_it_says() {
        assert_eq!(available_by("none", &[MACHINE]), 6_000_000);
    }

    #[test]
    fn a_container_has_what_its_limit_leaves() {
        let files = [
            MACHINE,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "1024000\n"),
            ("sys/fs/cgroup/memory.current", "512000\n"),
            (
                "sys/fs/cgroup/memory.stat",
                "anon 1\ninactive_file 102400\n",
            ),
        ];
        assert_eq!(available_by("v2", &files), 600);
    }

    #[test]
    fn a_group_without_a_limit_is_under_that_of_the_one_above() {
        let files = [
            MACHINE,
            ("proc/self/cgroup", "0::/user.slice/a.scope\n"),
            ("sys/fs/cgroup/user.slice/a.scope/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/a.scope/memory.current", "1024\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "2048\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "1024\n"),
        ];
        assert_eq!(available_by("above", &files), 1);
    }

    #[test]
    fn the_first_version_counts_too_and_no_limit_is_a_large_one() {
        let group = "sys/fs/cgroup/memory/docker/1";
        let limited = |limit| {
            let files = [
                MACHINE,
                ("proc/self/cgroup", "4:memory:/docker/1\n1:cpu:/\n0::/\n"),
                (&format!("{group}/memory.limit_in_bytes"), limit),
                (&format!("{group}/memory.usage_in_bytes"), "4096\n"),
                (
                    &format!("{group}/memory.stat"),
                    "total_inactive_file 1024\n",
                ),
            ];
            available_by("v1", &files)
        };
        assert_eq!(limited("1027072\n"), 1000);
        assert_eq!(limited("9223372036854771712\n"), 6_000_000);
    }
}
