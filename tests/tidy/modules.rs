//! Who imports whom within a crate: no circles, and the wings of the program only downwards.

use super::source::{SourceFile, code, files};
use super::{Problems, hold};
use std::collections::{BTreeMap, BTreeSet};

/// Imports that close a circle and are still there, as `(folder, from, to)`. This list can only become shorter, and is empty.
const OPEN_CIRCLES: &[(&str, &str, &str)] = &[];

/// The modules of the program, lowest first. Each may import those of lower layers, never one of its own or a higher one.
const LAYERS: &[&[&str]] = &[
    &["allocator", "say", "stopwatch", "typed"],
    &["calendar", "keys", "run", "stopping"],
    &["fly", "hand", "learn", "meet"],
    &["quickstart", "study"],
    &["cli"],
];

/// What `src/run/`, which is to be usable without this program, must not name.
const NOT_FOR_RUNS: &[&str] = &["clap", "giraffe_bridge", "zmq", "mimalloc", "indicatif", "plotters"];

/// A path in some code, by its parts, and the line it begins in.
type NamedPath = (usize, Vec<String>);

/// Blanks out what is compiled for tests only, and lists the modules among it that lie in files of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let (mut kept, mut modules, mut rest) = (String::new(), Vec::new(), code);
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_end(item, MARK.len());
        let words = item[..end].split(|c: char| !(c.is_alphanumeric() || c == '_'));
        if item[..end].ends_with(';') {
            modules.extend(words.skip_while(|word| *word != "mod").nth(1).map(str::to_owned));
        }
        kept.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    kept.push_str(rest);
    (kept, modules)
}

/// Where an item ends: with its block, or with a semicolon if it has none.
fn item_end(item: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices().skip_while(|(at, _)| *at < from) {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Every path that begins with `crate` or `super`, and every one below it in braces.
fn paths(code: &str) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            // The second `super` of `super::super` is part of a path that is read already.
            if before.is_some_and(|c| is_word(c) || c == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut expanded = Vec::new();
            expand(&code[at..], &[], &mut expanded);
            found.extend(expanded.into_iter().map(|path| (line, path)));
        }
    }
    found
}

/// Reads one path or tree of paths, and returns what is left.
fn expand<'c>(text: &'c str, parents: &[String], found: &mut Vec<Vec<String>>) -> &'c str {
    let mut path = parents.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                let before = rest.len();
                rest = expand(rest, &path, found).trim_start();
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
                if rest.len() == before {
                    break;
                }
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if length == 0 {
            // A star, or generics.
            found.push(path);
            return rest.strip_prefix('*').unwrap_or(rest);
        }
        path.push(rest[..length].to_owned());
        rest = &rest[length..];
        match rest.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                // What it is called here does not matter.
                let end = rest.find([',', '}', ';']).unwrap_or(rest.len());
                let renamed = rest.trim_start().starts_with("as ");
                found.push(path);
                return if renamed { &rest[end..] } else { rest };
            }
        }
    }
}

/// The path of a file's module from the root of its crate, if it is part of the crate in `sources`.
fn module_of(file: &SourceFile, sources: &str) -> Option<Vec<String>> {
    let inside = file.path.strip_prefix(sources)?.strip_suffix(".rs")?;
    let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    match parts.last()?.as_str() {
        "main" if parts.len() == 1 => return None,
        "lib" | "mod" => drop(parts.pop()),
        _ => {}
    }
    Some(parts)
}

/// The modules next to one another in one place of a crate, and who imports whom.
#[derive(Default)]
struct Neighbours {
    /// From each module to those it imports, with a place where it does.
    edges: BTreeMap<String, BTreeMap<String, String>>,
}

impl Neighbours {
    /// Those right below the module `door` of the crate in `sources`; the root of the crate is the empty path.
    fn of(all: &[SourceFile], sources: &str, door: &[&str]) -> Self {
        let depth = door.len();
        let mut inside = Vec::new();
        let mut tests: Vec<Vec<String>> = Vec::new();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for file in all {
            let Some(module) = module_of(file, sources) else { continue };
            if !module.iter().zip(door).all(|(a, b)| a == b) || module.len() < depth {
                continue;
            }
            let (code, test_modules) = without_tests(&code(&file.text));
            tests.extend(test_modules.into_iter().map(|name| [&module[..], &[name]].concat()));
            if module.len() == depth {
                names = exported(&code);
            } else {
                inside.push((file, module, code));
            }
        }
        inside.retain(|(_, module, _)| !tests.iter().any(|test| module.starts_with(test)));
        let modules: BTreeSet<String> = inside.iter().map(|(_, module, _)| module[depth].clone()).collect();
        let mut found = Self::default();
        for (file, module, code) in &inside {
            let from = &module[depth];
            for (line, path) in paths(code) {
                let Some(path) = absolute(&path, module) else { continue };
                let Some(part) = path.get(depth).filter(|_| path.iter().zip(door).all(|(a, b)| a == b)) else {
                    continue;
                };
                let to = if modules.contains(part) { Some(part) } else { names.get(part) };
                if let Some(to) = to.filter(|to| *to != from && modules.contains(*to)) {
                    let place = format!("{}:{line}", file.path);
                    found.edges.entry(from.clone()).or_default().entry(to.clone()).or_insert(place);
                }
            }
        }
        found
    }

    fn next(&self, from: &str) -> impl Iterator<Item = &String> {
        self.edges.get(from).into_iter().flat_map(BTreeMap::keys)
    }

    /// The way from one module to another, both included.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut reached: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = vec![from];
        while let Some(at) = waiting.pop() {
            for next in self.next(at) {
                if next == to {
                    let mut way = vec![to.to_owned(), at.to_owned()];
                    let mut back = at;
                    while back != from {
                        back = reached[back];
                        way.push(back.to_owned());
                    }
                    way.reverse();
                    return Some(way);
                }
                if next != from && !reached.contains_key(next.as_str()) {
                    reached.insert(next, at);
                    waiting.push(next);
                }
            }
        }
        None
    }

    /// Every import that is part of a circle, with the circle.
    fn circles(&self) -> BTreeMap<(String, String), Vec<String>> {
        let edges = self.edges.iter().flat_map(|(from, to)| to.keys().map(move |to| (from, to)));
        edges.filter_map(|(from, to)| Some(((from.clone(), to.clone()), self.way(to, from)?))).collect()
    }

    /// The same without one import.
    fn without(mut self, from: &str, to: &str) -> Self {
        self.edges.entry(from.to_owned()).or_default().remove(to);
        self
    }
}

/// What a door exports under a name of its own, and the module it comes from.
fn exported(code: &str) -> BTreeMap<String, String> {
    let uses = code.match_indices("pub use ").map(|(at, word)| &code[at + word.len()..]);
    let mut names = BTreeMap::new();
    for tree in uses {
        let mut found = Vec::new();
        expand(tree, &[], &mut found);
        for path in found {
            let path: Vec<String> = path.into_iter().filter(|part| part != "crate" && part != "self").collect();
            if let (Some(first), Some(last)) = (path.first(), path.last()) {
                names.insert(last.clone(), first.clone());
            }
        }
    }
    names
}

/// A path from the root of its crate.
fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        _ => Some([module.get(..module.len().checked_sub(supers)?)?, &path[supers..]].concat()),
    }
}

/// Where modules stand next to one another: the roots of all crates, and the wings of the program.
fn places() -> Vec<(String, &'static str, Vec<&'static str>)> {
    let crates = ["robots/src/", "physics/src/", "randomization/src/", "policy/src/", "bridge/src/", "src/"];
    let roots = crates.map(|sources| (sources.trim_end_matches('/').to_owned(), sources, vec![]));
    let wings = LAYERS.iter().flat_map(|layer| layer.iter()).map(|wing| (format!("src/{wing}"), "src/", vec![*wing]));
    roots.into_iter().chain(wings).collect()
}

#[test]
fn modules_import_one_another_without_circles() {
    let mut problems = Problems::new();
    for (folder, sources, door) in places() {
        let whole = Neighbours::of(files(), sources, &door);
        let circles = whole.circles();
        let listed = || OPEN_CIRCLES.iter().filter(|(open, ..)| *open == folder);
        for (_, from, to) in listed() {
            if !circles.contains_key(&((*from).to_owned(), (*to).to_owned())) {
                problems
                    .push(format!("{folder}: {from} -> {to} closes no circle any more: remove it from OPEN_CIRCLES"));
            }
        }
        let rest = listed().fold(whole, |rest, (_, from, to)| rest.without(from, to));
        let circles = rest.circles();
        let mut told = BTreeSet::new();
        for ((from, to), way) in &circles {
            let members: BTreeSet<&String> = way.iter().collect();
            if told.insert(members) {
                let place = &rest.edges[from][to];
                problems.push(format!(
                    "{place}: {from} imports {to}, which imports it: {from} -> {}; open the circle: move what both need \
                     below them, or hand it in",
                    way.join(" -> ")
                ));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn circles_are_seen_through_braces_supers_and_exports_and_not_in_tests() {
    let example = |parts: [(&str, &str); 4]| {
        let files = parts.map(|(path, text)| SourceFile::example(&format!("bridge/src/{path}"), text));
        let found = Neighbours::of(&files, "bridge/src/", &[]);
        found.circles().into_keys().map(|(from, to)| format!("{from} {to}")).collect::<Vec<_>>()
    };
    let door = ("lib.rs", "mod a;\nmod b;\npub use b::{Thing as Other, Sum};");
    let a = ("a.rs", "use crate::{Sum, x::Y};");
    for (b, is_circle) in [
        (("b.rs", "use crate::{c, a::{A, B}};"), true),
        (("b.rs", "fn f() { super::a::g() }"), true),
        (("b/deep.rs", "use super::super::a::A as C;"), true),
        (("b.rs", "// crate::a\n#[cfg(test)]\nmod tests {\n use crate::a::A; }\nfn g() { \"crate::a\" }"), false),
        (("b.rs", "mod a {}\nuse self::a::A; use supercrate::a::B;"), false),
    ] {
        let expected: &[&str] = if is_circle { &["a b", "b a"] } else { &[] };
        assert_eq!(example([door, a, b, ("c.rs", "fn c() {}")]), expected, "{b:?}");
    }
    let own_file = [door, a, ("b.rs", "#[cfg(test)]\nmod tests;"), ("b/tests.rs", "use crate::a::A;")];
    assert!(example(own_file).is_empty(), "what is compiled for tests only closes no circle");
    let three = [door, a, ("b.rs", "use super::c::{self, C};"), ("c.rs", "use crate::a::A;")];
    assert_eq!(example(three), ["a b", "b c", "c a"]);
}

/// How high a module of the program stands.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn wings_of_the_program_import_only_those_below_them() {
    hold(&SourceFile::example("src/fly/log.rs", "use crate::learn::train::Training;"), |file| {
        let Some(module) = module_of(file, "src/") else { return Problems::new() };
        let Some(wing) = module.first() else { return Problems::new() };
        let Some(own) = layer(wing) else {
            return vec![format!("{}: {wing} is in no layer; give it one in LAYERS", file.path)];
        };
        let (code, _) = without_tests(&code(&file.text));
        let imported = paths(&code).into_iter().filter_map(|(line, path)| {
            let other = absolute(&path, &module)?.into_iter().next()?;
            (other != *wing).then_some((line, other))
        });
        let wrong = imported.filter(|(_, other)| layer(other).is_none_or(|other| other >= own));
        wrong
            .map(|(line, other)| {
                format!(
                    "{}:{line}: {wing} imports {other}, which does not stand below it: cli -> quickstart, study -> learn, \
                     fly, hand, meet -> run, keys, calendar, stopping -> say, stopwatch, typed, allocator",
                    file.path
                )
            })
            .collect()
    });
}

#[test]
fn what_builds_and_judges_a_run_needs_no_command_line_no_sockets_and_no_pictures() {
    hold(&SourceFile::example("src/run/config.rs", "#[derive(clap::Args)]\nstruct Options;"), |file| {
        if !file.is_rust() || !file.is_in("src/run/") {
            return Problems::new();
        }
        let code = code(&file.text);
        let named = super::source::identifiers(&code).filter(|(_, word)| NOT_FOR_RUNS.contains(word));
        let reason = "src/run/ is to be usable as a library, from other languages, too: do that where it is called";
        named.map(|(line, word)| format!("{}:{line}: names {word}; {reason}", file.path)).collect()
    });
}
