//! The files of this repository, and Rust without its comments and strings.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Folders that are made, not written.
const SKIPPED: [&str; 5] = ["target", ".git", "runs", "third_party", "__pycache__"];

/// One file: its path from the root, with `/`, and its text (empty for what is no text).
pub struct SourceFile {
    pub path: String,
    pub text: String,
    pub byte_count: u64,
}

impl SourceFile {
    /// A file that exists only in a test.
    pub fn example(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), byte_count: text.len() as u64 }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    pub fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is written by people, read once.
pub fn files() -> &'static [SourceFile] {
    static FILES: OnceLock<Vec<SourceFile>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut paths = Vec::new();
        walk(root(), &mut paths);
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    })
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&path, paths);
            }
        } else {
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> SourceFile {
    let bytes = std::fs::read(path).unwrap();
    let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    SourceFile { path: relative, byte_count: bytes.len() as u64, text: String::from_utf8(bytes).unwrap_or_default() }
}

/// Rust source with comments, strings and characters blanked out; lines stay where they are.
pub fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest, code.chars().last());
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// Bytes of the comment, string or character that `rest` starts with, or 0.
fn blank_length(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let end_of = |from: usize, mark: &str| rest[from..].find(mark).map_or(rest.len(), |at| from + at + mark.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return end_of(2, "*/");
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    if !in_word && rest.starts_with('r') {
        let hashes = rest[1..].chars().take_while(|&c| c == '#').count();
        if rest[1 + hashes..].starts_with('"') {
            return end_of(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    let mut after = rest.chars().skip(1);
    match (rest.starts_with('\''), after.next(), after.next()) {
        (true, Some('\\'), _) => quoted_length(rest, '\''),
        (true, Some(_), Some('\'')) => rest.char_indices().nth(3).map_or(rest.len(), |(at, _)| at),
        _ => 0,
    }
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The identifiers of some code, with the number of their line.
pub fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(index, line)| {
        line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .map(move |word| (index + 1, word))
    })
}

#[test]
fn code_is_what_is_left_without_comments_strings_and_characters() {
    let text = "use a::b; // rapier\n/* burn\n */ let s = \"zmq \\\" zmq\"; let r = r#\"rapier \"# ;\nlet c = '\"'; let l: &'a str = '\\'' ;";
    let words: Vec<(usize, &str)> = vec![
        (1, "use"),
        (1, "a"),
        (1, "b"),
        (3, "let"),
        (3, "s"),
        (3, "let"),
        (3, "r"),
        (4, "let"),
        (4, "c"),
        (4, "let"),
        (4, "l"),
        (4, "a"),
        (4, "str"),
    ];
    let code = code(text);
    assert_eq!(identifiers(&code).collect::<Vec<_>>(), words, "{code}");
}
