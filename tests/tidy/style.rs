//! What a file looks like.

use super::source::{SourceFile, code};
use super::{Problems, hold};

const MAX_LINES: usize = 700;
const MAX_DOOR_LINES: usize = 80;
const MAX_BYTES: u64 = 2_000_000;

fn problem_if(wrong: bool, file: &SourceFile, reason: &str) -> Problems {
    if wrong { vec![format!("{}: {reason}", file.path)] } else { Problems::new() }
}

#[test]
fn rust_files_are_short_enough_to_be_read_whole() {
    hold(&SourceFile::example("src/learn/train.rs", &"\n".repeat(MAX_LINES + 1)), |file| {
        let wrong = file.is_rust() && file.text.lines().count() > MAX_LINES;
        problem_if(wrong, file, &format!("more than {MAX_LINES} lines: it has more than one subject, divide it"))
    });
}

#[test]
fn every_rust_file_says_first_what_it_is_about() {
    hold(&SourceFile::example("src/learn/train.rs", "use std::fmt;\n"), |file| {
        let wrong = file.is_rust() && !file.text.starts_with("//! ");
        problem_if(wrong, file, "does not start with a sentence after //!")
    });
}

#[test]
fn the_door_of_a_crate_is_one_page_without_logic() {
    hold(&SourceFile::example("policy/src/lib.rs", "//! Learning.\npub fn learn() {}\n"), |file| {
        let has_logic = || code(&file.text).lines().any(|line| line.starts_with("pub fn") || line.starts_with("fn "));
        let wrong = file.path.ends_with("src/lib.rs") && (file.text.lines().count() > MAX_DOOR_LINES || has_logic());
        problem_if(wrong, file, &format!("the door of a crate has no functions and at most {MAX_DOOR_LINES} lines"))
    });
}

#[test]
fn every_exception_from_a_lint_gives_its_reason() {
    hold(&SourceFile::example("src/learn/train.rs", "#[allow(clippy::float_cmp)]\nfn f() {}"), |file| {
        if !file.is_rust() {
            return Problems::new();
        }
        let code = code(&file.text);
        let exceptions = code.match_indices("[allow(").chain(code.match_indices("[expect("));
        let unexplained = exceptions.filter(|(at, _)| {
            let attribute = code[*at..].split(")]").next().unwrap_or_default();
            !attribute.contains("reason =")
        });
        unexplained
            .map(|(at, _)| {
                let line = code[..at].lines().count().max(1);
                format!("{}:{line}: an exception from a lint needs `reason = \"...\"`", file.path)
            })
            .collect()
    });
}

#[test]
fn every_test_that_is_left_out_gives_its_reason() {
    hold(&SourceFile::example("src/learn/train.rs", "#[ignore]\n#[test]\nfn f() {}"), |file| {
        let wrong = file.is_rust() && code(&file.text).contains("#[ignore]");
        problem_if(wrong, file, "an ignored test needs its reason: #[ignore = \"needs ...\"]")
    });
}

#[test]
fn nothing_unfinished_is_left_in_the_code() {
    hold(&SourceFile::example("src/learn/train.rs", concat!("to", "do!()")), |file| {
        let marks = [concat!("to", "do!("), concat!("unimplemen", "ted!("), concat!("FIX", "ME"), concat!("db", "g!(")];
        let wrong = (file.is_rust() || file.path.ends_with(".py")) && marks.iter().any(|mark| file.text.contains(mark));
        problem_if(wrong, file, "left unfinished: do it, or say in the documentation what is missing")
    });
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    // Put together here, so that this file does not name them either.
    let patterns = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Use", "rs/"),
        concat!("/tm", "p/"),
        concat!("sha", "red/design"),
        concat!("sha", "red/research"),
    ];
    hold(&SourceFile::example("README.md", concat!("see /ho", "me/anna/giraffe")), |file| {
        if file.path == "Cargo.lock" {
            return Problems::new();
        }
        let lines = file.text.lines().enumerate();
        let found = lines.filter_map(|(index, line)| {
            let pattern = patterns.iter().find(|pattern| line.contains(*pattern))?;
            let reason = "exists on one machine only; use a relative path or a temporary folder";
            Some(format!("{}:{}: {pattern} {reason}", file.path, index + 1))
        });
        found.collect()
    });
}

#[test]
fn no_file_is_so_large_that_every_clone_pays_for_it() {
    let huge = SourceFile { byte_count: MAX_BYTES + 1, ..SourceFile::example("curve.png", "") };
    hold(&huge, |file| {
        problem_if(file.byte_count > MAX_BYTES, file, &format!("more than {MAX_BYTES} bytes: publish it elsewhere"))
    });
}

#[test]
fn lines_end_cleanly() {
    hold(&SourceFile::example("README.md", "one \ntwo"), |file| {
        let text_kind = [".rs", ".md", ".toml", ".py", ".xml"].iter().any(|ending| file.path.ends_with(ending));
        let trailing = file.text.lines().any(|line| line.ends_with(' ') || line.ends_with('\t'));
        let unfinished = !file.text.is_empty() && !file.text.ends_with('\n');
        problem_if(
            text_kind && (trailing || unfinished),
            file,
            "blanks at the end of a line, or no end of the last line",
        )
    });
}
