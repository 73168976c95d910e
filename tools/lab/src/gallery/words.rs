//! The compiler's words, without what changes when the library's files do.

/// The snippet that the words are about.
const SNIPPET: &str = "misuse.rs";

/// `said` with the same margin everywhere, with the snippet named by its file name, and other
/// files without their lines, which move.
pub fn plain(said: &str) -> String {
    let mut plain = String::new();
    let mut elsewhere = false;
    for line in said.lines() {
        let (margin, text) = split_margin(line);
        if let Some(place) = ["--> ", "::: "]
            .iter()
            .find_map(|arrow| text.strip_prefix(arrow))
        {
            elsewhere = !place.contains(SNIPPET);
            plain += &format!("  {}{}\n", &text[..4], short(place));
        } else if is_in_margin(text) {
            if !elsewhere || text == "|" && margin.is_empty() {
                plain += format!("{margin:>2} {text}").trim_end();
                plain += "\n";
            }
        } else {
            elsewhere = false;
            plain += line;
            plain += "\n";
        }
    }
    plain
}

/// The number before a line of source, and the rest.
fn split_margin(line: &str) -> (&str, &str) {
    let trimmed = line.trim_start();
    let rest = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
    (&trimmed[..trimmed.len() - rest.len()], rest.trim_start())
}

/// Whether it is part of a picture of source lines.
fn is_in_margin(text: &str) -> bool {
    text.starts_with('|') || text.starts_with("= ") || text.starts_with("...")
}

/// A place in the snippet, or only the file of another one.
fn short(place: &str) -> &str {
    if let Some(start) = place.find(SNIPPET) {
        return &place[start..];
    }
    let file = place.split(':').next().unwrap_or(place);
    let start = ["/kernel/", "/lib/rustlib/src/rust/"]
        .iter()
        .find_map(|root| Some(file.find(root)? + root.len()));
    &file[start.unwrap_or(0)..]
}

#[cfg(test)]
mod tests {
    use super::plain;

    const SAID: &str = "error[E0308]: mismatched types
   --> gallery/x/misuse.rs:24:18
    |
24  |     Builder::new(name)
    |                  ^^^^ expected `Arguments<'_>`, found `&str`
    |
note: associated function defined here
   --> /somewhere/kernel/kthread/builder.rs:101:12
    |
101 |     pub fn new(name: fmt::Arguments<'a>) -> Self {
    |            ^^^

error: aborting due to 1 previous error
";

    #[test]
    fn what_lies_elsewhere_may_move() {
        assert_eq!(
            plain(SAID),
            "error[E0308]: mismatched types
  --> misuse.rs:24:18
   |
24 |     Builder::new(name)
   |                  ^^^^ expected `Arguments<'_>`, found `&str`
   |
note: associated function defined here
  --> kthread/builder.rs
   |

error: aborting due to 1 previous error
"
        );
        let moved = SAID
            .replace("101", "99")
            .replace("/somewhere", "/elsewhere");
        assert_eq!(plain(&moved), plain(SAID));
    }
}
