//! What some tests need that is not everywhere: a Python with packages. On a person's machine such a test is left out, and
//! says so; where `CI=true` it fails, because there everything is to be tried.
//!
//! Other crates' tests include this file by its path.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// A Python that can import `modules` (`"mujoco, numpy"`): `$GIRAFFE_PYTHON`, or `python3`. Without one the caller, `test`, is left
/// out: it returns.
///
/// # Panics
/// Where `CI=true` and there is none.
#[allow(clippy::disallowed_methods, reason = "which Python there is, is a matter of who runs the tests")]
pub fn python(modules: &str, test: &str) -> Option<String> {
    let named = std::env::var("GIRAFFE_PYTHON").ok().filter(|path| !path.is_empty());
    let python = named.unwrap_or_else(|| "python3".to_owned());
    let mut asked = Command::new(&python);
    asked.args(["-c", &format!("import {modules}")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if asked.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let why = format!(
        "{test}: needs a Python that can import {modules}, and `{python}` cannot; install \
         bridge/examples/python/requirements.txt, or say which to use in GIRAFFE_PYTHON"
    );
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    eprintln!("left out: {why}");
    tell(&why);
    None
}

/// `.ci/run` ends with a list of what was left out.
#[allow(clippy::disallowed_methods, reason = "where the list goes is a matter of who runs the tests")]
fn tell(why: &str) {
    let Ok(list) = std::env::var("GIRAFFE_LEFT_OUT") else { return };
    if let Ok(mut list) = std::fs::OpenOptions::new().append(true).create(true).open(list) {
        // What cannot be listed was said on the terminal.
        let _ = writeln!(list, "{why}");
    }
}
