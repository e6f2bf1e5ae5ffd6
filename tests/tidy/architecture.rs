//! Who may know whom, and what only one place may do.

use super::source::{SourceFile, code, files, identifiers};
use super::{Problems, hold};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of `file` with an identifier that `is_meant`, unless the file is where it belongs.
fn named_outside(file: &SourceFile, home: &str, is_meant: fn(&str) -> bool, reason: &str) -> Problems {
    if !file.is_rust() || file.is_in(home) {
        return Problems::new();
    }
    let code = code(&file.text);
    let lines: BTreeSet<usize> = identifiers(&code).filter(|(_, word)| is_meant(word)).map(|(line, _)| line).collect();
    lines.into_iter().map(|line| format!("{}:{line}: {reason}", file.path)).collect()
}

#[test]
fn rapier_is_named_only_in_the_engine_folder() {
    hold(&SourceFile::example("physics/src/worlds.rs", "use rapier3d::prelude::*;"), |file| {
        let reason = "rapier is named only under physics/src/engine/, so that an engine can be changed in one place";
        let is_meant = |word: &str| ["rapier", "rapier3d", "rapier3d_mjcf", "parry3d"].contains(&word);
        named_outside(file, "physics/src/engine/", is_meant, reason)
    });
}

#[test]
fn burn_is_named_only_in_the_policy_crate() {
    hold(&SourceFile::example("src/learn/train.rs", "use burn::tensor::Tensor;"), |file| {
        let is_meant = |word: &str| ["burn", "burn_core", "burn_tensor", "burn_backend", "cubecl"].contains(&word);
        let reason = "burn is named only under policy/; everyone else gives and takes slices of f32";
        named_outside(file, "policy/", is_meant, reason)
    });
}

#[test]
fn zeromq_is_named_only_in_its_transport() {
    hold(&SourceFile::example("bridge/src/server.rs", "let context = zmq::Context::new();"), |file| {
        // A stranger who keeps to no rule of ours, in tests.
        if file.path == "bridge/tests/bridge/raw.rs" {
            return Problems::new();
        }
        let reason =
            "the ZeroMQ crate is named only under bridge/src/transport/zeromq/; judgement does no input or output";
        named_outside(file, "bridge/src/transport/zeromq/", |word| ["zmq", "zmq_sys"].contains(&word), reason)
    });
}

#[test]
fn engines_are_dependencies_of_one_crate_each_and_pinned_exactly() {
    for (engine, owner) in [("rapier", "physics"), ("burn", "policy"), ("cubecl", "policy"), ("zmq", "bridge")] {
        for (folder, manifest) in manifests() {
            let names = dependencies(&manifest);
            let found = names.iter().find(|name| name.starts_with(engine));
            assert!(
                found.is_none() || folder == owner,
                "{folder}/Cargo.toml depends on {found:?}: only {owner}/ knows this library"
            );
        }
    }
    let workspace = &manifest_of("Cargo.toml")["workspace"]["dependencies"];
    for engine in ["rapier3d", "burn", "zmq"] {
        let version = workspace[engine].as_str().or_else(|| workspace[engine]["version"].as_str());
        assert!(
            version.is_some_and(|version| version.starts_with('=')),
            "{engine} is {version:?} in Cargo.toml: pin it exactly, since patch releases have changed motion and learning"
        );
    }
}

#[test]
fn crates_depend_on_one_another_only_along_the_arrows() {
    let arrows = BTreeMap::from([
        ("robots", vec![]),
        ("physics", vec!["robots"]),
        ("randomization", vec!["physics", "robots"]),
        ("policy", vec!["robots"]),
        ("bridge", vec!["robots"]),
        (".", vec!["bridge", "physics", "policy", "randomization", "robots"]),
    ]);
    let manifests = manifests();
    assert!(manifests.keys().eq(arrows.keys()), "the crates of the workspace are {:?}", manifests.keys());
    for (folder, manifest) in manifests {
        let ours: Vec<String> =
            dependencies(&manifest).iter().filter_map(|name| Some(name.strip_prefix("giraffe-")?.to_owned())).collect();
        let found: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
        let allowed: BTreeSet<&str> = arrows[folder].iter().copied().collect();
        assert!(
            found.is_subset(&allowed),
            "{folder}/Cargo.toml depends on {found:?}, but may depend only on {allowed:?}: a task must be testable \
             without an engine, and the computer next to a hand must not need a trainer or a simulator"
        );
    }
}

fn manifest_of(path: &str) -> toml::Table {
    let file = files().iter().find(|file| file.path == path).unwrap_or_else(|| panic!("there is no {path}"));
    file.text.parse().unwrap()
}

/// The manifests of all members of the workspace, by folder.
fn manifests() -> BTreeMap<&'static str, toml::Table> {
    ["robots", "physics", "randomization", "policy", "bridge", "."]
        .into_iter()
        .map(|folder| (folder, manifest_of(format!("{folder}/Cargo.toml").trim_start_matches("./"))))
        .collect()
}

/// Everything a crate is compiled or tested with, whatever the target.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = KINDS.into_iter().filter_map(|kind| manifest.get(kind)?.as_table());
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|targets| {
        targets.values().flat_map(|target| KINDS.into_iter().filter_map(move |kind| target.get(kind)?.as_table()))
    });
    tables.chain(targets).flat_map(|table| table.keys().cloned()).collect()
}

/// What a library must not call, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("Instant::now", "take the time as an argument, or use the bridge's Clock: a test must be able to hand it in"),
    ("MonotonicClock::start", "take an Arc<dyn Clock>: one clock for a program, and one that a test hands in"),
    ("SystemTime::now", "take the time as an argument: two runs of the same seed must be the same"),
    ("env::var", "take a configuration value: a run must be decided by what is saved with it"),
    ("rand::rng", "draw from a stream of SeedTree: same seed, same bits"),
    ("thread_rng", "draw from a stream of SeedTree: same seed, same bits"),
    ("from_os_rng", "draw from a stream of SeedTree: same seed, same bits"),
    ("SysRng", "draw from a stream of SeedTree: same seed, same bits"),
    ("available_parallelism", "take the number of threads as a setting: nothing may depend on the machine"),
];

/// Where one of them is right, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("bridge/src/clock.rs", "Instant::now", "the one place that reads the clock, for everyone who is handed a Clock"),
    ("bridge/src/client/foreign_tests.rs", "MonotonicClock::start", "tests: a controller over real sockets"),
    ("bridge/src/client/observer.rs", "MonotonicClock::start", "its tests, over real sockets"),
    ("bridge/src/transport/zeromq/curve.rs", "MonotonicClock::start", "its tests, over real sockets"),
];

#[test]
fn libraries_never_read_the_clock_the_environment_or_a_generator_of_their_own() {
    hold(&SourceFile::example("policy/src/ppo.rs", "let begun = std::time::Instant::now();"), |file| {
        // What builds and judges a run is to be a library, too.
        let libraries = ["robots/src/", "physics/src/", "randomization/src/", "policy/src/", "bridge/src/", "src/run/"];
        if !libraries.iter().any(|folder| file.is_in(folder)) {
            return Problems::new();
        }
        let code = code(&file.text);
        let banned = BANNED
            .iter()
            .filter(|(call, _)| !ALLOWED.iter().any(|(path, allowed, _)| file.path == *path && allowed == call));
        let found = banned.flat_map(|(call, instead)| {
            let lines = code.lines().enumerate().filter(|(_, line)| line.contains(call));
            lines
                .map(|(index, _)| format!("{}:{}: {call} in a library: {instead}", file.path, index + 1))
                .collect::<Vec<_>>()
        });
        found.collect()
    });
}

#[test]
fn every_exception_is_still_needed() {
    for (path, call, _) in ALLOWED {
        let file = files().iter().find(|file| file.path == *path);
        assert!(
            file.is_some_and(|file| code(&file.text).contains(call)),
            "{path} does not call {call} any more: remove its line from the exceptions"
        );
    }
}

/// The only places outside `robots` that build an encoder or a decoder, and for what.
const ENCODERS: &[&str] = &[
    "physics/src/worlds.rs", // training worlds
    "src/run/episode.rs",    // one hand, simulated or real
];

#[test]
fn what_a_policy_reads_and_says_is_encoded_and_decoded_by_one_implementation() {
    hold(&SourceFile::example("bridge/src/client/mod.rs", "match term.encoding { Encoding::Raw => {} }"), |file| {
        if !file.is_rust() || file.is_in("robots/") {
            return Problems::new();
        }
        let code = code(&file.text);
        let builds = code.contains("ObservationEncoder::new") || code.contains("ActionDecoder::new");
        let is_test = file.path.contains("tests/") || file.path.contains("/benches/");
        let mut problems = Problems::new();
        if builds && !is_test && !ENCODERS.contains(&file.path.as_str()) {
            problems.push(format!(
                "{}: builds an encoder or decoder; a third place where observations are made is how training and \
                 deployment come to differ",
                file.path
            ));
        }
        let interprets = identifiers(&code).find(|(_, word)| *word == "Encoding");
        if let Some((line, _)) = interprets.filter(|_| !is_test) {
            problems
                .push(format!("{}:{line}: only robots/ interprets an Encoding; call ObservationEncoder", file.path));
        }
        problems
    });
}

#[test]
fn only_the_envelope_makes_targets_that_a_motor_may_be_told() {
    hold(&SourceFile::example("bridge/src/server.rs", "let targets = SafeTargets { positions_rad };"), |file| {
        let makes = file.is_rust()
            && file.path != "bridge/src/envelope.rs"
            && code(&file.text).lines().any(|line| line.contains("SafeTargets {") && !line.contains("->"));
        let reason = "SafeTargets are made in bridge/src/envelope.rs and nowhere else";
        if makes { vec![format!("{}: {reason}", file.path)] } else { Problems::new() }
    });
}

#[test]
fn everything_is_printed_in_one_place() {
    const HOME: &str = "src/say.rs";
    const SOURCES: [&str; 6] =
        ["src/", "robots/src/", "physics/src/", "randomization/src/", "policy/src/", "bridge/src/"];
    const PRINTING: [&str; 5] = ["println!", "print!", "io::stdout", "io::stderr", "io::{stdout"];
    hold(&SourceFile::example("src/cli/list.rs", "fn f() { eprintln!(\"x\"); }"), |file| {
        if !file.is_rust() || file.path == HOME || !SOURCES.iter().any(|folder| file.is_in(folder)) {
            return Problems::new();
        }
        let code = code(&file.text);
        let lines = code.lines().enumerate().filter(|(_, line)| PRINTING.iter().any(|way| line.contains(way)));
        let reason =
            "prints by itself: call `say`, which is not ended by a reader that goes away, nor silent on a full disk";
        lines.map(|(index, _)| format!("{}:{}: {reason}", file.path, index + 1)).collect()
    });
}
