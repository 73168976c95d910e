//! The documentation: that of the library crates, and the book.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Lab;
use super::kernel::Kernel;
use super::modules::{self, BUILD, SOURCES};
use crate::children;
use crate::fail::Failure;
use crate::root::Root;
use crate::steps::{Key, files_below};

/// Where rustdoc writes, in the toolchain root.
const CRATES: &str = "/src/doc/crates";
/// Where links into the kernel's sources lead.
const KERNEL_SOURCES: &str =
    "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree";

/// $1: the kernel's tree. $2: its release.
const RUSTDOC: &str = r#"
mkdir -p /src/doc
make -C "$1" -j"$(nproc)" CC="$(cat "$1/../cc")" HOSTCC=gcc-14 KERNELRELEASE="$2" M=/src/build/kernel \
    DOC=/src/doc/crates modules
"#;

/// The newest that the Rust of the root builds. Its own speed does not matter.
const MDBOOK: &str = r#"
CARGO_TARGET_DIR=/src/mdbook/target cargo install --locked --debug --version 0.4.52 \
    --no-default-features --features search --root /src/mdbook mdbook
rm -rf /src/mdbook/target
"#;

/// The book includes files of the sources, so these are beside it.
const BOOK: &str = r#"
rm -rf /src/doc/book && /src/mdbook/bin/mdbook build /src/build/docs --dest-dir /src/doc/book 2>/src/doc/book.log ||
    { cat /src/doc/book.log; exit 1; }
cat /src/doc/book.log
! grep -E 'WARN|ERROR' /src/doc/book.log
"#;

/// Makes all of it, and leaves it in the checkout, at `target/doc`; returns that folder.
pub fn make(lab: &Lab, kernel: &Kernel) -> Result<PathBuf> {
    let target = lab.source.join("target/doc");
    let key = Key::default().text(MDBOOK).finish();
    lab.steps.step("mdbook", "mdBook", &key, |step| {
        lab.root.run(step, MDBOOK, &[])
    })?;
    lab.steps
        .always("doc-crates", "Documentation of the crates", |_| {
            let _ = fs::remove_dir_all(&target);
            crates(&lab.root, &lab.source, &kernel.release)?;
            copy(&lab.root.host(CRATES), &target)
        })?;
    lab.steps.always("doc-book", "Book", |step| {
        modules::mirror(&lab.source.join("docs"), &lab.root.host(BUILD).join("docs"))?;
        lab.root.run(step, BOOK, &[])?;
        copy(&lab.root.host("/src/doc/book"), &target.join("book"))
    })?;
    Ok(target)
}

/// Makes the documentation of the library crates below `source`. Whatever rustdoc has to say, of
/// a link that leads nowhere above all, is an error.
pub fn crates(root: &Root, source: &Path, release: &str) -> Result<()> {
    for folder in SOURCES {
        modules::mirror(&source.join(folder), &root.host(BUILD).join(folder))?;
    }
    let output = children::output(root.script(RUSTDOC, &[Kernel::TREE, release]))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        Failure::new("the documentation has faults", "they are above")
            .detail(said.lines().map(str::to_owned))
    );
    Ok(())
}

/// Copies what rustdoc or mdBook made, with links into the kernel's sources that lead there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let new = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(new.parent().context("a file without a folder")?)?;
        if file.extension().is_some_and(|kind| kind == "html") {
            let text = fs::read_to_string(&file)?;
            let text = text.replace("href=\"srctree", &format!("href=\"{KERNEL_SOURCES}"));
            fs::write(&new, text)?;
        } else {
            fs::copy(&file, &new)?;
        }
    }
    Ok(())
}

/// Finds fault with the links of the documentation that no tool looks after: into the kernel's
/// tree at `linux`, and of the book to its chapters and to what they include.
pub fn check_links(source: &Path, linux: &Path) -> Result<()> {
    let mut faults = Vec::new();
    for file in files_below(&source.join("kernel"))? {
        if file.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&file)?;
            faults.extend(dangling(&text, "](srctree/", linux, &file));
        }
    }
    let book = source.join("docs/src");
    let summary = fs::read_to_string(book.join("SUMMARY.md"))?;
    for file in files_below(&book)? {
        if file.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
        let (text, folder) = (fs::read_to_string(&file)?, file.parent().unwrap_or(&book));
        faults.extend(includes(&text).filter_map(|include| include.fault(folder)));
        faults.extend(dangling(&text, "](", folder, &file));
        let name = file.strip_prefix(&book)?.to_string_lossy();
        if name != "SUMMARY.md" && !summary.contains(&format!("({name})")) {
            faults.push(format!("SUMMARY.md lacks {name}"));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// The files that links in `text`, which begin with `opening`, name and that are not in `folder`.
fn dangling(text: &str, opening: &str, folder: &Path, of: &Path) -> BTreeSet<String> {
    let links = text.split(opening).skip(1);
    let places = links.filter_map(|rest| rest.split([')', '#', '?']).next());
    let is_missing = |place: &&str| {
        !place.is_empty()
            && !place.contains(':')
            && !place.contains('`')
            && !folder.join(place).exists()
    };
    places
        .filter(is_missing)
        .map(|place| format!("{}: there is no {place}", of.display()))
        .collect()
}

/// A part of a file, or all of it, that a chapter includes.
struct Include<'a> {
    file: &'a str,
    anchor: Option<&'a str>,
}

fn includes(text: &str) -> impl Iterator<Item = Include<'_>> {
    text.split("{{#include ").skip(1).filter_map(|rest| {
        let place = rest.split("}}").next()?.trim();
        let (file, anchor) = place
            .split_once(':')
            .map_or((place, None), |(file, anchor)| (file, Some(anchor)));
        Some(Include { file, anchor })
    })
}

impl Include<'_> {
    fn fault(&self, folder: &Path) -> Option<String> {
        let path = folder.join(self.file);
        let Ok(text) = fs::read_to_string(&path) else {
            return Some(format!("there is no {}", path.display()));
        };
        let anchor = self.anchor?;
        let missing = ["ANCHOR: ", "ANCHOR_END: "]
            .into_iter()
            .find(|kind| !has_word(&text, &format!("{kind}{anchor}")))?;
        Some(format!("{} has no {missing}{anchor}", path.display()))
    }
}

/// Whether `word` is in `text`, and not only as the beginning of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    text.split(word)
        .skip(1)
        .any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_include_that_leads_nowhere_is_found() {
        let folder = std::env::temp_dir().join(format!("lab-doc-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("a.rs"),
            "// ANCHOR: body\nx\n// ANCHOR_END: body\n// ANCHOR: bodies\n",
        )
        .unwrap();
        let faults = |text| {
            includes(text)
                .filter_map(|include| include.fault(&folder))
                .count()
        };
        assert_eq!(faults("{{#include a.rs}} {{#include a.rs:body}}"), 0);
        assert_eq!(faults("{{#include b.rs}}"), 1);
        assert_eq!(faults("{{#include a.rs:bodies}} {{#include a.rs:bod}}"), 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let here = Path::new("/");
        let found = dangling(
            "[a](none.md#x) [b](tmp) [c](https://x.org/y) [`d`](crate::D) [e](#here)",
            "](",
            here,
            here,
        );
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["/: there is no none.md"]
        );
    }
}
