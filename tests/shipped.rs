//! Policies that come with the program: what lies in their folders is complete, fits together, and is used by name anywhere.

use crate::cli::{refused, refused_in};
use crate::support::{Controller, run_in};
use giraffe::run::behavior::Behavior;
use giraffe::run::evaluate::TrainedPolicy;
use giraffe::run::recipe::first_difference;
use giraffe::run::shipped::{POLICIES, Shipped};
use giraffe_robots::find_task;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Most bytes that a policy may have: it is part of the program.
const MOST_POLICY_BYTES: usize = 2_000_000;
/// Most bytes that a folder may have, pictures and curve with it: it is part of every clone.
const MOST_FOLDER_BYTES: u64 = 3_000_000;

/// Where a shipped policy lies in this repository.
pub fn folder_of(shipped: &Shipped) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").join(shipped.name)
}

/// Folders two below `recipes/`, as `HAND/NAME`.
fn folders() -> BTreeSet<String> {
    let inside = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let hands = inside(&Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes"));
    hands
        .iter()
        .flat_map(|hand| inside(hand).into_iter().map(|path| format!("{}/{}", name(hand), name(&path))))
        .collect()
}

#[test]
fn every_folder_of_a_policy_is_in_the_table_and_holds_everything() {
    let names: BTreeSet<String> = POLICIES.iter().map(|shipped| shipped.name.to_owned()).collect();
    assert_eq!(folders(), names, "a folder below recipes/ and its line in src/run/shipped.rs belong together");
    for shipped in POLICIES {
        let folder = folder_of(shipped);
        let mut bytes = 0;
        for name in ["policy.bin", "config.toml", "hand.json", "recipe.toml", "card.toml", "curve.csv", "curve.svg"] {
            let path = folder.join(name);
            bytes += std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        }
        assert!(bytes < MOST_FOLDER_BYTES, "{}: {bytes} bytes", shipped.name);
    }
}

#[test]
fn every_shipped_policy_is_what_its_recipe_its_card_and_its_hand_say() {
    for shipped in POLICIES {
        let name = shipped.name;
        assert!(shipped.policy_byte_count() <= MOST_POLICY_BYTES, "{name}: {} bytes", shipped.policy_byte_count());
        let (recipe, card) = (shipped.recipe().unwrap(), shipped.card().unwrap());
        card.check(find_task(&recipe.task).unwrap().measures()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(name.starts_with(&format!("{}/", recipe.robot)), "{name} is for {}", recipe.robot);

        let trained = TrainedPolicy::load(Path::new(name), &[]).unwrap();
        let manifest = trained.policy.policies()[0].manifest();
        let scene = (&manifest.context.robot, &manifest.context.object, &manifest.context.task);
        assert_eq!(scene, (&recipe.robot, &recipe.object, &recipe.task), "{name}");
        let last = recipe.stages.last().unwrap();
        assert_eq!((manifest.seed, manifest.control_steps), (last.config.seed, last.steps), "{name}");
        let seeds: Vec<u64> = recipe.stages.iter().map(|stage| stage.config.seed).collect();
        assert_eq!((card.seeds, card.steps), (seeds, recipe.steps()), "{name}");
        assert!(manifest.context.commit.starts_with(&card.commit), "{name}: {}", manifest.context.commit);
        // What the recipe makes is what made the policy, whatever has become of the defaults.
        assert_eq!(first_difference(&trained.config, &last.config).unwrap(), None, "{name}: in its run, in its recipe");

        let parts = trained.parts().unwrap();
        let hand = parts.scene.robot();
        assert_eq!(manifest.context.kinematics_fingerprint, hand.kinematics_fingerprint, "{name}");
        assert_eq!(manifest.context.dynamics_fingerprint, hand.dynamics_fingerprint, "{name}");
    }
}

#[test]
fn a_shipped_policy_is_used_by_its_name_in_a_folder_where_there_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    for shipped in POLICIES {
        let (name, path) = (shipped.name, folder_of(shipped));
        let path = path.to_str().unwrap();
        let json = |words: &[&str]| run_in(home, words).json();
        let evaluated = json(&["evaluate", name, "--episodes", "2", "--json"]);
        assert_eq!(evaluated["none"]["episodes"], 2, "{evaluated}");
        assert_eq!(evaluated, json(&["evaluate", path, "--episodes", "2", "--json"]), "{name}");
        let replayed = |run: &str, more: &[&str]| {
            let mut report = json(&[&["replay", run, "--world", "1", "--json"], more].concat());
            report["run"].take();
            report
        };
        assert_eq!(replayed(name, &[]), replayed(path, &[]), "{name}");
        assert_eq!(replayed(name, &["--training"]), replayed(path, &["--training"]), "{name}");
        let other = format!("other={path}");
        let words = ["compare-policies", "--policy", name, "--policy", &other, "--episodes", "2", "--test", "none"];
        let compared = json(&[&words[..], &["--out", "compared", "--json"]].concat());
        let groups = compared["test_sets"][0]["groups"].as_array().unwrap();
        assert_eq!((&groups[0]["name"], &groups[1]["name"]), (&name.into(), &"other".into()), "{compared}");
        assert_eq!(groups[0]["measures"], groups[1]["measures"], "{compared}");
    }
    let left: BTreeSet<String> =
        std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, BTreeSet::from(["compared".to_owned()]), "something else was left");
}

#[test]
fn a_log_of_a_shipped_policy_is_replayed_without_saying_whose_it_is() {
    let (folder, controller) = (tempfile::tempdir().unwrap(), Controller::simulated());
    let name = POLICIES[0].name;
    let deploy = ["deploy", name, "--episodes", "1", "--json", "--connect", &controller.endpoint];
    let deployed = run_in(folder.path(), &deploy).json();
    assert_eq!(deployed["score"]["episodes"], 1, "{deployed}");
    let logs: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("deployments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [log] = &logs[..] else { panic!("{logs:?}") };
    let replayed = run_in(folder.path(), &["replay", log.to_str().unwrap(), "--json"]).json();
    assert_eq!(replayed["equal"], true, "{replayed}");
    assert!(replayed["actions"]["checked"].as_u64().unwrap() > 0, "{replayed}");
}

#[test]
fn a_folder_of_that_name_wins_over_the_shipped_policy() {
    let folder = tempfile::tempdir().unwrap();
    let name = POLICIES[0].name;
    std::fs::create_dir_all(folder.path().join(name)).unwrap();
    refused_in(folder.path(), &["evaluate", name], &["holds no policy", &format!("{name}/policy.bin")]);
}

#[test]
fn a_name_that_is_no_policy_is_answered_with_the_nearest_and_with_all_there_are() {
    let name = POLICIES[0].name;
    for command in ["evaluate", "deploy"] {
        refused(&[command, "leap-right/rotate-zz"], &["leap-right/rotate-zz", "did you mean", "leap-right/rotate-z`"]);
        refused(&[command, "piano"], &["no policy piano", name]);
    }
    refused(&["replay", "leap-rigt/rotate-z", "--world", "0"], &["did you mean", name]);
    let compared = ["compare-policies", "--policy", "a=leap-right/rotatez", "--out", "c"];
    refused(&compared, &["leap-right/rotatez", "did you mean", name]);
}

#[test]
fn the_list_of_policies_tells_what_is_on_their_cards() {
    let listed = run_in(Path::new("."), &["list", "policies", "--json"]).json();
    let rows = listed["policies"].as_array().unwrap();
    assert_eq!(rows.len(), POLICIES.len());
    for (row, shipped) in rows.iter().zip(POLICIES) {
        let card = shipped.card().unwrap();
        assert_eq!((&row["name"], &row["commit"]), (&shipped.name.into(), &card.commit.as_str().into()), "{row}");
        assert_eq!(row["robot"], shipped.recipe().unwrap().robot.as_str(), "{row}");
        let measures = find_task(&shipped.recipe().unwrap().task).unwrap().measures();
        for (place, measured) in card.places() {
            let headline = &row["measured"][place]["measures"][measures[0].name];
            let expected = measured.measure(measures[0].name).unwrap();
            assert_eq!(headline["value"].as_f64(), Some(expected.value), "{row}");
            assert_eq!(headline["ci95"].as_array().map(Vec::len), Some(2), "{row}");
        }
    }
}
