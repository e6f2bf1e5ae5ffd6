//! The rules of this repository, each with its reason in the message. `ARCHITECTURE.md` lists them.
//!
//! Every rule is a function from a file to what is wrong with it, and is tried on a wrong example first, so that no
//! rule passes because it sees nothing.

mod architecture;
mod dependencies;
mod documents;
mod modules;
mod source;
mod style;

use source::{SourceFile, files};

/// What is wrong with one file, a line each.
type Problems = Vec<String>;

/// Tries `rule` on something wrong, then holds every file to it.
fn hold(wrong: &SourceFile, rule: impl Fn(&SourceFile) -> Problems) {
    assert!(!rule(wrong).is_empty(), "the rule does not see what is wrong with its own example {}", wrong.path);
    let problems: Problems = files().iter().flat_map(&rule).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
