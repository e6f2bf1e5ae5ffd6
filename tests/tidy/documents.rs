//! What the documents promise exists.

use super::source::{SourceFile, files, root};
use super::{Problems, hold};
use clap::Parser as _;
use giraffe::cli::Cli;
use std::path::Path;

/// Markdown in three parts: prose, the spans of code in it, and the lines of its fenced blocks.
#[derive(Default)]
struct Document<'t> {
    links: Vec<&'t str>,
    spans: Vec<&'t str>,
    commands: Vec<String>,
}

fn document(text: &str) -> Document<'_> {
    let mut document = Document::default();
    let mut in_block = false;
    let mut continued = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block || line.starts_with("    ") {
            match line.strip_suffix('\\') {
                Some(part) => continued.push_str(part),
                None => document.commands.push(std::mem::take(&mut continued) + line),
            }
        } else {
            document.spans.extend(line.split('`').skip(1).step_by(2));
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            document.links.extend(targets.filter(|target| !target.contains(' ')));
        }
    }
    document
}

/// Whether `path`, as written in `file`, exists: from the file's folder, from the sources next to it, or the root.
fn exists(file: &SourceFile, path: &str) -> bool {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    [folder.to_owned(), folder.join("src"), "".into()].iter().any(|base| root().join(base).join(path).exists())
}

#[test]
fn links_between_documents_lead_somewhere() {
    hold(&SourceFile::example("README.md", "see [the map](docs/map.md)"), |file| {
        if !file.is_markdown() {
            return Problems::new();
        }
        let document = document(&file.text);
        let local = document.links.iter().filter(|link| !link.contains("://") && !link.starts_with(['#', '<']));
        let paths = local.map(|link| link.split('#').next().unwrap_or(link));
        let missing = paths.filter(|path| {
            let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
            !root().join(folder).join(path).exists()
        });
        missing.map(|path| format!("{}: the link to {path} leads nowhere", file.path)).collect()
    });
}

#[test]
fn files_and_folders_that_documents_name_exist() {
    const ENDINGS: [&str; 8] = ["/", ".rs", ".md", ".toml", ".xml", ".py", ".svg", ".txt"];
    hold(&SourceFile::example("README.md", "the engine is in `physics/src/motor/`"), |file| {
        if !file.is_markdown() {
            return Problems::new();
        }
        let document = document(&file.text);
        let paths = document.spans.iter().filter(|span| {
            let is_path = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
            is_path && span.contains('/') && ENDINGS.iter().any(|ending| span.ends_with(ending))
        });
        // What a run makes exists only after a run.
        let missing = paths.filter(|path| !path.starts_with("runs/") && !exists(file, path));
        missing.map(|path| format!("{}: names `{path}`, which does not exist", file.path)).collect()
    });
}

#[test]
fn tests_that_the_table_of_faults_names_exist() {
    let sources: Vec<&SourceFile> = files().iter().filter(|file| file.is_rust()).collect();
    hold(&SourceFile::example("docs/bridge/faults.md", "| 1 | loss | hold | `no_test_of_this_long_name` |"), |file| {
        if file.path != "docs/bridge/faults.md" {
            return Problems::new();
        }
        let document = document(&file.text);
        let is_name = |span: &str| {
            span.contains('_') && span.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
        };
        let names = document.spans.iter().filter(|span| is_name(span));
        let missing = names.filter(|name| {
            let declared = format!("fn {name}(");
            !sources.iter().any(|source| source.text.contains(&declared))
        });
        missing.map(|name| format!("{}: names a test `{name}`, which does not exist", file.path)).collect()
    });
}

/// The arguments of `giraffe` in a line of shell, as the shell would divide them; `None` if it is another command.
fn arguments(line: &str) -> Option<Vec<String>> {
    let words = shell_words(line.trim().trim_start_matches("$ "));
    let end = words.iter().position(|word| ["|", "&&", "&", ";", ">", "2>", ">>"].contains(&word.as_str()));
    let words = &words[..end.unwrap_or(words.len())];
    let program = words.iter().position(|word| word == "giraffe" || word.ends_with("/giraffe"));
    let runs_cargo = words.starts_with(&["cargo".to_owned(), "run".to_owned()])
        && !words.iter().any(|word| word == "-p" || word == "--example");
    let start = match program {
        // Variables may be set before the program's name; anything else makes it another command.
        Some(at) if words[..at].iter().all(|word| word.contains('=')) => at + 1,
        _ if runs_cargo => words.iter().position(|word| word == "--")? + 1,
        _ => return None,
    };
    Some(words[start..].to_vec())
}

fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn refused(arguments: &[String]) -> Option<String> {
    let typed = std::iter::once("giraffe").chain(arguments.iter().map(String::as_str));
    let error = Cli::try_parse_from(typed).err()?;
    let shows_something =
        matches!(error.kind(), clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion);
    (!shows_something).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

#[test]
fn command_lines_in_documents_are_ones_the_program_understands() {
    hold(&SourceFile::example("README.md", "```\ngiraffe train --setp 3\n```"), |file| {
        if !file.is_markdown() {
            return Problems::new();
        }
        let document = document(&file.text);
        let lines = document.commands.iter().filter_map(|line| Some((line, arguments(line)?)));
        let wrong = lines.filter_map(|(line, arguments)| Some((line, refused(&arguments)?)));
        wrong.map(|(line, error)| format!("{}: `{}`: {error}", file.path, line.trim())).collect()
    });
}

#[test]
fn subcommands_that_documents_name_exist() {
    hold(&SourceFile::example("README.md", "then `giraffe fly runs/1`"), |file| {
        if !file.is_markdown() {
            return Problems::new();
        }
        let document = document(&file.text);
        let commands = document.spans.iter().filter_map(|span| span.strip_prefix("giraffe "));
        let wrong = commands.filter(|command| {
            let word = command.split(' ').next().unwrap_or_default();
            let names = <Cli as clap::CommandFactory>::command();
            !word.starts_with('-') && names.find_subcommand(word).is_none()
        });
        wrong.map(|command| format!("{}: there is no `giraffe {command}`", file.path)).collect()
    });
}

#[test]
fn every_crate_has_a_page_for_who_browses_its_folder() {
    for folder in ["robots", "physics", "randomization", "policy", "bridge"] {
        let path = format!("{folder}/README.md");
        let page = files().iter().find(|file| file.path == path);
        assert!(page.is_some_and(|page| page.text.lines().count() >= 10), "{path} is missing or says nothing");
    }
}

#[test]
fn shell_lines_are_divided_as_the_shell_divides_them() {
    let divided = |line| arguments(line).map(|words| words.join("|"));
    assert_eq!(divided("giraffe train --set 'a = b' # why").as_deref(), Some("train|--set|a = b"));
    assert_eq!(divided("$ X=1 ./target/release/giraffe list > list.txt").as_deref(), Some("list"));
    assert_eq!(divided("cargo run --release -- quickstart --seed 1").as_deref(), Some("quickstart|--seed|1"));
    assert_eq!(divided("cargo run --release -p giraffe-physics --example random_targets -- 2 1"), None);
    assert_eq!(divided("git clone https://example.org/giraffe"), None);
    assert_eq!(divided("cd giraffe"), None);
}
