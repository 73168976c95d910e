//! The tests of the script `./lab` itself: it runs on a stage, where the programs that it calls
//! are this machine's, or stand for them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use super::Ground;
use crate::children;
use crate::setup::Lab;

/// What the script may call without asking whether it is there.
const PROGRAMS: &str = "sh apt-get apt-config awk cat chroot cmp cp cut date df dirname env find \
    flock grep head id ls mkdir mv rm sed setpriv sha256sum sleep sort tr uname xargs";

/// What the script makes of any name: the stage's root and tools are the right ones by that.
const KEY: &str = "0123456789abcdef";

/// A cache of its own, and programs of its own.
struct Stage {
    folder: PathBuf,
    script: PathBuf,
}

impl Stage {
    fn new(script: &Path, name: &str) -> Result<Self> {
        // Folders may have such names.
        let name = format!("lab script {name} {}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        let stage = Self {
            folder,
            script: script.to_owned(),
        };
        let programs = stage.folder.join("programs");
        fs::create_dir_all(&programs)?;
        for program in PROGRAMS.split_whitespace() {
            let path = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(Path::new);
            let mut found = path.iter().map(|folder| folder.join(program));
            let found = found.find(|file| file.exists());
            let found = found.with_context(|| format!("this machine has no {program}"))?;
            symlink(found, programs.join(program))?;
        }
        stage.has("sha256sum", &format!("cat >/dev/null; echo {KEY}"))?;
        for program in ["mmdebstrap", "qemu-system-x86_64"] {
            stage.has(program, "exit 1")?;
        }
        Ok(stage)
    }

    /// On this stage, the program `name` does what these `lines` of a shell say.
    fn has(&self, name: &str, lines: &str) -> Result<()> {
        write_program(&self.folder.join("programs").join(name), lines)
    }

    /// The toolchain root is there, and so are the tools, whose words are those that they get.
    fn is_set_up(&self) -> Result<()> {
        for folder in ["etc/apt/sources.list.d", "etc/apt/apt.conf.d"] {
            fs::create_dir_all(self.root().join(folder))?;
        }
        let tools = self.cache().join("bin");
        fs::create_dir_all(&tools)?;
        fs::write(tools.join("lab.key"), KEY)?;
        write_program(&tools.join("lab"), r#"echo "tools: $*""#)
    }

    fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    fn root(&self) -> PathBuf {
        self.cache().join(format!("root-{}", &KEY[..12]))
    }

    /// Runs the script.
    fn lab(&self, arguments: &[&str]) -> Result<Output> {
        let mut script = children::command(&self.script);
        script.args(arguments).env("THREADLINE_CACHE", self.cache());
        script.env("PATH", self.folder.join("programs"));
        children::output(script)
    }

    /// That the script fails with these words.
    fn refuses(&self, arguments: &[&str], words: &str) -> Result<()> {
        let output = self.lab(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && said.contains(words),
            "{arguments:?}: {}, it said {said}",
            output.status
        );
        Ok(())
    }

    /// That the script hands over to the tools.
    fn hands_over(&self, arguments: &[&str]) -> Result<()> {
        let output = self.lab(arguments)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let expected = format!("tools: {}\n", arguments.join(" "));
        ensure!(
            said == expected,
            "{arguments:?}: it said {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn write_program(file: &Path, lines: &str) -> Result<()> {
    let _ = fs::remove_file(file);
    fs::write(file, format!("#!/bin/sh\n{lines}\n"))?;
    Ok(fs::set_permissions(
        file,
        fs::Permissions::from_mode(0o755),
    )?)
}

/// Something that the script does right, on a stage.
type Scene = fn(&Stage) -> Result<()>;

const SCENES: [(&str, Scene); 9] = [
    ("hands_over_to_the_tools", |stage| {
        stage.is_set_up()?;
        stage.hands_over(&["test", "stop::", "--accel", "icount"])?;
        stage.hands_over(&["run", "--accel", "kvm", "--kernel=k"])?;
        stage.hands_over(&["clean", "--all"])
    }),
    ("help_needs_no_root", |stage| {
        stage.is_set_up()?;
        stage.has("id", "echo 1000")?;
        stage.hands_over(&["test", "--help"])
    }),
    ("says_who_has_to_run_it", |stage| {
        stage.has("id", "echo 1000")?;
        stage.refuses(&["build"], "not root and no sudo: run it as root")
    }),
    ("refuses_what_it_does_not_know", refuses_wrong_words),
    ("says_that_the_disk_is_too_small", |stage| {
        stage.has("df", "echo head; echo /dev/vda 100 60 40 60% /")?;
        stage.refuses(&["build"], "40 MiB free in ")
    }),
    ("says_that_the_cache_cannot_be_written", |stage| {
        fs::write(stage.cache(), "in the way")?;
        stage.refuses(&["build"], "set THREADLINE_CACHE to another place")
    }),
    ("says_that_the_checkout_cannot_be_written", |stage| {
        let checkout = stage.folder.join("checkout");
        fs::create_dir_all(&checkout)?;
        fs::write(checkout.join("target"), "in the way")?;
        let script = checkout.join("lab");
        fs::copy(&stage.script, &script)?;
        let folder = stage.folder.clone();
        let there = Stage { folder, script };
        there.refuses(&["build"], "copy the checkout to where it can be written")
    }),
    ("says_that_there_is_no_network", |stage| {
        stage.has("mmdebstrap", "echo 'E: Could not resolve x'; exit 100")?;
        stage.refuses(
            &["build"],
            "failed: the package registries cannot be reached",
        )
    }),
    ("reaches_the_network_as_the_host_does_now", follows_the_host),
];

fn refuses_wrong_words(stage: &Stage) -> Result<()> {
    stage.refuses(&["tset"], "no command 'tset': ./lab help lists them")?;
    stage.refuses(&["run", "--foo"], "run: no option '--foo': ./lab help")?;
    stage.refuses(&["build", "--kernel=k", "x"], "build: no option 'x'")?;
    stage.refuses(&["doc", "--all"], "doc: no option '--all'")?;
    stage.refuses(&["run", "--accel"], "--accel: a value is required")?;
    stage.refuses(&["run", "--mirror"], "--mirror: a value is required")?;
    stage.refuses(&["run", "--mirror="], "--mirror: a value is required")?;
    stage.refuses(&["run", "--mirror", "here"], "--mirror: 'here' is no URL")
}

/// A root that was made where there was another mirror, and a proxy.
fn follows_the_host(stage: &Stage) -> Result<()> {
    stage.is_set_up()?;
    let apt = stage.root().join("etc/apt");
    let then = "deb http://then.example trixie main";
    fs::write(apt.join("sources.list"), then)?;
    fs::write(apt.join("sources.list.d/backports.list"), then)?;
    let proxy = |name: &str| format!("Acquire::http::Proxy \"http://{name}.example\";");
    fs::write(apt.join("apt.conf.d/99mmdebstrap"), proxy("then"))?;
    stage.has("apt-config", "exit 0")?;
    stage.hands_over(&["build", "--mirror", "http://now.example"])?;
    ensure!(!apt_settings(stage)?.contains("http://"));
    stage.has("apt-config", &format!("echo '{}'", proxy("now")))?;
    stage.hands_over(&["build", "--mirror=http://now.example"])?;
    ensure!(apt_settings(stage)?.contains(&proxy("now")));
    let sources = fs::read_to_string(apt.join("sources.list"))?;
    ensure!(
        sources == "deb http://now.example trixie main\n",
        "{sources}"
    );
    ensure!(!apt.join("sources.list.d/backports.list").exists());
    let servers = "etc/resolv.conf";
    let host = fs::read(Path::new("/").join(servers)).unwrap_or_default();
    ensure!(fs::read(stage.root().join(servers)).unwrap_or_default() == host);
    Ok(())
}

/// The settings of the apt in the stage's root.
fn apt_settings(stage: &Stage) -> Result<String> {
    let settings = stage.folder.join("apt.conf");
    fs::write(&settings, format!("Dir \"{}/\";\n", stage.root().display()))?;
    let mut dump = children::command("apt-config");
    dump.arg("dump").env("APT_CONFIG", settings);
    Ok(String::from_utf8(children::output(dump)?.stdout)?)
}

/// The tests.
pub fn trials(lab: &Lab, ground: &Arc<Ground>) -> Vec<Trial> {
    let script = lab.source.join("lab");
    let trial = |(name, scene): (&'static str, Scene)| {
        let script = script.clone();
        ground.trial(format!("lab::script::{name}"), move |_| {
            scene(&Stage::new(&script, name)?)
        })
    };
    SCENES.into_iter().map(trial).collect()
}
