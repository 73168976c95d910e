//! Whether the book quotes the code that there is.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::steps::files_below;

/// Every quotation in the chapter `page`, a block of Rust, stands like that in some file of the
/// folder `code`.
pub fn are_real(page: &Path, code: &Path) -> Result<()> {
    let page =
        std::fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let files = files_below(code)?;
    let texts: Vec<String> = files
        .iter()
        .map(std::fs::read_to_string)
        .collect::<Result<_, _>>()?;
    let mut count = 0;
    for quoted in quotations(&page) {
        count += 1;
        ensure!(
            texts.iter().any(|text| text.contains(quoted)),
            "nothing in {} is like\n{quoted}",
            code.display()
        );
    }
    ensure!(count > 0, "the chapter quotes nothing");
    Ok(())
}

/// The blocks of Rust on a page, without those that another file is put in for.
fn quotations(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```rust,ignore\n").skip(1);
    blocks
        .filter_map(|block| block.split_once("```"))
        .map(|(quoted, _)| quoted)
        .filter(|quoted| !quoted.starts_with("{{#include"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_is_real() {
        let folder = std::env::temp_dir().join(format!("lab-quotes-{}", std::process::id()));
        let (page, code) = (folder.join("page.md"), folder.join("code"));
        std::fs::create_dir_all(&code).unwrap();
        std::fs::write(code.join("a.rs"), "fn a() {\n    b();\n}\n").unwrap();
        let check = |text: &str| {
            std::fs::write(&page, text).unwrap();
            are_real(&page, &code)
        };
        let quoted = "```rust,ignore\n    b();\n```\n";
        let put_in = "```rust,ignore\n{{#include x}}\n```\n";
        check(&format!("So:\n{quoted}{put_in}")).unwrap();
        let changed = check(&quoted.replace("b()", "b(1)")).unwrap_err();
        assert!(changed.to_string().contains("b(1)"));
        assert!(check(put_in).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
