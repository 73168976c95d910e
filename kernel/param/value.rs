// SPDX-License-Identifier: GPL-2.0

//! What a parameter can be.

use kernel::fmt;

/// A type that a parameter can have.
///
/// [`Display`](fmt::Display) gives what sysfs shows: a text that [`Self::parse`] takes.
///
/// # Examples
///
/// ```
/// # use kernel::fmt;
/// #[derive(Clone, Copy)]
/// enum Direction {
///     Up,
///     Down,
/// }
///
/// impl param::Value for Direction {
///     const TYPE: &'static str = "charp";
///
///     fn parse(text: &str) -> Option<Self> {
///         match text {
///             "up" => Some(Self::Up),
///             "down" => Some(Self::Down),
///             _ => None,
///         }
///     }
///
///     fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("up or down")
///     }
/// }
///
/// impl fmt::Display for Direction {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(match self {
///             Self::Up => "up",
///             Self::Down => "down",
///         })
///     }
/// }
/// ```
pub trait Value: Copy + Send + Sync + fmt::Display + 'static {
    /// What `modinfo` calls the type: the word that C has for one that takes such texts, as listed
    /// at `module_param()`. `charp` is any text.
    const TYPE: &'static str;

    /// What the parameter's name alone means, without `=` and a text; `None` if it needs one.
    const ALONE: Option<Self> = None;

    /// The value that `text` means, if it is one.
    fn parse(text: &str) -> Option<Self>;

    /// Says what `text` has to be. It follows the words "it must be".
    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result;
}
