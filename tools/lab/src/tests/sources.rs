//! The tests of the sources, and of what was built of them, `source::…`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use super::{Ground, panics, quotes};
use crate::root::Root;
use crate::setup::kernel::Kernel;
use crate::setup::{Flavour, Lab, doc, examples, modules};
use crate::steps::files_below;

/// Compiles the examples in the documentation of the host's crates and runs them.
const RUN_EXAMPLES: &str = r#"
cd /src/host/tools
CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-Ctarget-feature=+crt-static' \
    cargo test --locked --offline --doc --workspace --target x86_64-unknown-linux-gnu >&2
"#;

/// What can be said of the sources alone.
pub fn trials(lab: &Lab, kernel: &Kernel, ground: &Arc<Ground>) -> Vec<Trial> {
    let (root, source, release) = (lab.root.clone(), lab.source.clone(), kernel.release.clone());
    let run = ground.trial("source::examples_run".to_owned(), {
        let root = root.clone();
        move |_| root.output(RUN_EXAMPLES, &[]).map(drop)
    });
    let compile = ground.trial("source::kernel_examples_compile".to_owned(), {
        let (lab, release) = (lab.clone(), kernel.release.clone());
        move |_| {
            let _lock = lab.lock()?;
            examples::check(&lab.root, &lab.source, &release)
        }
    });
    let fence = ground.trial("source::drivers_have_no_unsafe".to_owned(), {
        let source = source.clone();
        move |_| has_no_unsafe(&source)
    });
    let kexample = ground.trial("source::kexample_is_one_page".to_owned(), {
        let source = source.clone();
        move |_| is_one_page(&source.join("kernel/kexample/kexample.rs"))
    });
    let speedtch = ground.trial("source::speedtch_is_half_of_the_c_file".to_owned(), {
        let (ours, c) = (source.join("kernel/speedtch"), root.host(Kernel::TREE));
        move |_| is_half_of(&ours, &c.join("drivers/usb/atm/speedtch.c"))
    });
    let tasklets = ground.trial("source::usbatm_has_no_tasklets".to_owned(), {
        let (root, release) = (root.clone(), release.clone());
        move |_| has_no_tasklets(&root, &release)
    });
    let phases = ground.trial("source::book_explains_phases".to_owned(), {
        let source = source.clone();
        move |_| explains_phases(&source)
    });
    let quotes = ground.trial("source::book_quotes_real_code".to_owned(), {
        let source = source.clone();
        move |_| {
            quotes::are_real(
                &source.join("docs/src/minidrivers.md"),
                &source.join("kernel/speedtch"),
            )
        }
    });
    let panics = ground.trial("source::panics_are_known".to_owned(), {
        let root = root.clone();
        move |_| panics::are_known(&root)
    });
    let lints = ground.trial(
        "source::kernel_crates_have_no_lints".to_owned(),
        move |_| {
            let said = modules::lint(&root, &source, &release)?;
            ensure!(said.trim().is_empty(), "{said}");
            Ok(())
        },
    );
    let documentation = ground.trial("source::documentation_builds".to_owned(), {
        let (lab, release) = (lab.clone(), kernel.release.clone());
        move |_| {
            doc::check_links(&lab.source, &lab.root.host(Kernel::TREE))?;
            let _lock = lab.lock()?;
            doc::crates(&lab.root, &lab.source, &release)
        }
    });
    vec![
        run,
        compile,
        fence,
        kexample,
        speedtch,
        tasklets,
        phases,
        quotes,
        panics,
        lints,
        documentation,
    ]
}

/// Every test that the book names as a proof is among `trials`, whole or by its beginning.
pub fn book_test(lab: &Lab, ground: &Arc<Ground>, trials: &[Trial]) -> Trial {
    let page = lab.source.join("docs/src/guarantees.md");
    let tests: Vec<_> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    ground.trial("source::book_names_real_tests".to_owned(), move |_| {
        let page = fs::read_to_string(page)?;
        let quoted = page.split('`').skip(1).step_by(2);
        for name in quoted.filter(|quoted| quoted.contains("::")) {
            let is_there = tests.iter().any(|test| test.starts_with(name));
            ensure!(is_there, "there is no test {name}");
        }
        Ok(())
    })
}

/// Before a phase of a modem, where the sources name one.
const BEFORE_PHASES: [&str; 2] = ["phase(\"", "THREADLESS: &str = \""];

/// The owners' chapter explains each phase that a modem may show.
fn explains_phases(source: &Path) -> Result<()> {
    let page = read(&source.join("docs/src/owners.md"))?;
    let mut number = 0;
    for room in ["usbatm", "speedtch"] {
        for file in files_below(&source.join("kernel").join(room))? {
            let text = read(&file)?;
            let named = BEFORE_PHASES
                .iter()
                .flat_map(|before| text.split(before).skip(1));
            for phase in named.filter_map(|rest| rest.split('"').next()) {
                number += 1;
                let is_there = page.contains(&format!("\n| `{phase}"));
                ensure!(is_there, "the book does not explain the phase {phase:?}");
            }
        }
    }
    ensure!(number > 10, "only {number} phases are named in the sources");
    Ok(())
}

/// The rooms of the kernel side that may be unsafe: the abstractions.
const FENCED: [&str; 5] = ["kthread", "usb", "atm", "chardev", "param"];

/// Drivers, examples and tests stand on safe abstractions alone.
fn has_no_unsafe(source: &Path) -> Result<()> {
    let kernel = source.join("kernel");
    for file in files_below(&kernel)? {
        if file.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let room = file.strip_prefix(&kernel)?.iter().next();
        let is_fenced = FENCED
            .iter()
            .any(|fenced| room.is_some_and(|room| room == *fenced));
        let text = fs::read_to_string(&file)?;
        ensure!(
            is_fenced || !text.contains("unsafe"),
            "{} says unsafe",
            file.display()
        );
    }
    Ok(())
}

/// The longest that the driver for newcomers may be, in lines.
const PAGE: usize = 200;

/// The driver that newcomers copy from can be read at a sitting.
fn is_one_page(file: &Path) -> Result<()> {
    let lines = read(file)?.lines().count();
    ensure!(lines <= PAGE, "{} has {lines} lines", file.display());
    Ok(())
}

/// The code of all files in the folder `ours` is at most half as long as that of the file `c`.
fn is_half_of(ours: &Path, c: &Path) -> Result<()> {
    let mut number = 0;
    for file in files_below(ours)? {
        number += code_lines(&read(&file)?);
    }
    let theirs = code_lines(&read(c)?);
    ensure!(number > 0, "there is no code in {}", ours.display());
    ensure!(
        2 * number <= theirs,
        "{} has {number} lines of code, and {} has {theirs}",
        ours.display(),
        c.display()
    );
    Ok(())
}

/// How many lines are there for the compiler: neither blank nor all comment, in C or in Rust.
fn code_lines(text: &str) -> usize {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        code += before;
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code += rest;
    let lines = code.lines().map(str::trim_start);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

/// Our core does without the tasklets that the C core has.
fn has_no_tasklets(root: &Root, release: &str) -> Result<()> {
    let image = Flavour::Stock.inside("image");
    let c = format!("{image}/base/lib/modules/{release}/kernel/drivers/usb/atm/usbatm.ko");
    let ours = format!("{}/kernel/usbatm.ko", modules::BUILD);
    for (module, has_some) in [(c, true), (ours, false)] {
        let symbols = root.output(r#"nm -u "$1""#, &[&module])?;
        ensure!(
            symbols.contains("tasklet") == has_some,
            "{module} refers to {symbols}"
        );
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::code_lines;

    #[test]
    fn comments_are_no_code() {
        let text = "/* a\n * b\n */\n\nlet a; /* b */ let c;\n  // d\nint e; // f\n\t/* g */\n}\n";
        assert_eq!(code_lines(text), 3);
    }
}
