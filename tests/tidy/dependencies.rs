//! What is in a manifest is used: every dependency costs whoever builds, and whoever has to trust it.

use super::Problems;
use super::source::{SourceFile, code, files};
use std::collections::BTreeSet;

/// The crates of the workspace, and the root of it.
const CRATES: [&str; 6] = ["robots/", "physics/", "randomization/", "policy/", "bridge/", ""];

/// Listed for one of their features alone, and for which.
const FOR_A_FEATURE: &[(&str, &str)] = &[("cubecl-cuda", "`cpp`: which compiler burn's CUDA runtime uses")];

/// Whether some code names the crate `name`: in a path, or in a `use` of all of it.
fn names(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        // A module of ours may have the same name.
        let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word) && !before.ends_with("::");
        let is_used = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
        is_whole && (after.starts_with("::") || is_used)
    })
}

/// Whether a derive macro is told to call the crate `name`.
fn is_derived_with(text: &str, name: &str) -> bool {
    text.contains(&format!("with = \"{name}\""))
}

/// Dependencies of one kind in a manifest.
fn listed(manifest: &toml::Table, kind: &str) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|all| all.values());
    let tables = std::iter::once(manifest.get(kind)).chain(targets.map(|target| target.get(kind)));
    tables.flatten().filter_map(toml::Value::as_table).flat_map(|table| table.keys().cloned()).collect()
}

/// What the crate in `folder` lists and does not use.
fn unused(all: &[SourceFile], folder: &str) -> Problems {
    let path = format!("{folder}Cargo.toml");
    let manifest: toml::Table = all.iter().find(|file| file.path == path).unwrap().text.parse().unwrap();
    let sources_in = |folders: &[&str]| -> Vec<(&str, String)> {
        let is_meant = |file: &&SourceFile| {
            file.is_rust() && folders.iter().any(|inside| file.is_in(&format!("{folder}{inside}/")))
        };
        all.iter().filter(is_meant).map(|file| (file.text.as_str(), code(&file.text))).collect()
    };
    let mut problems = Problems::new();
    for (kind, folders) in
        [("dependencies", &["src"][..]), ("dev-dependencies", &["src", "tests", "examples", "benches"])]
    {
        let sources = sources_in(folders);
        for name in listed(&manifest, kind) {
            if FOR_A_FEATURE.iter().any(|(listed, _)| *listed == name) {
                continue;
            }
            let word = name.replace('-', "_");
            let is_used = sources.iter().any(|(text, code)| names(code, &word) || is_derived_with(text, &word));
            if !is_used {
                problems.push(format!("{path}: nothing in {} uses the {kind} {name}: remove it", folders.join(", ")));
            }
        }
    }
    problems
}

#[test]
fn every_dependency_is_used_where_it_is_listed() {
    let example = [
        SourceFile::example(
            "x/Cargo.toml",
            "[dependencies]\na-b = \"1\"\nc = \"1\"\nd = \"1\"\n[target.t.dependencies]\ne = \"1\"",
        ),
        SourceFile::example(
            "x/src/lib.rs",
            "use a_b::X;\nuse d;\nfn f() { self::c::g(); crate::e::h(\"c::x\") } // c::x",
        ),
    ];
    let found = unused(&example, "x/");
    assert!(found.len() == 2 && found[0].contains(" c:") && found[1].contains(" e:"), "{found:?}");
    let problems: Problems = CRATES.iter().flat_map(|folder| unused(files(), folder)).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_version_of_the_workspace_is_wanted_by_a_crate() {
    let read =
        |path: &str| -> toml::Table { files().iter().find(|file| file.path == path).unwrap().text.parse().unwrap() };
    let wanted: BTreeSet<String> = CRATES
        .iter()
        .map(|folder| read(&format!("{folder}Cargo.toml")))
        .flat_map(|manifest| {
            ["dependencies", "dev-dependencies", "build-dependencies"].map(|kind| listed(&manifest, kind))
        })
        .flatten()
        .collect();
    let root = read("Cargo.toml");
    let versions = root["workspace"]["dependencies"].as_table().unwrap();
    let unwanted: Vec<&String> = versions.keys().filter(|name| !wanted.contains(*name)).collect();
    assert!(unwanted.is_empty(), "Cargo.toml gives versions that no crate of the workspace wants: {unwanted:?}");
}
