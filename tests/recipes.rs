//! Recipes: what is in the file is what made the policy, and makes it again.

use crate::cli::{refused, refused_in};
use crate::shipped::folder_of;
use crate::support::{TINY_ITERATION_STEPS, run_in};
use giraffe::run::config::RunConfig;
use giraffe::run::recipe::{Recipe, Stage, first_difference};
use giraffe::run::shipped::{POLICIES, Shipped};
use giraffe_policy::Policy;
use std::collections::BTreeMap;
use std::path::Path;

/// Iterations of a recipe that are learned again: after the first the policy is another in every one.
const ITERATIONS: u64 = 3;

/// Rows of a table by the names in its first line.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    lines.map(|row| names.iter().cloned().zip(row).collect()).collect()
}

/// How multiply-adds are computed here, as a card says it: other units of a processor sum up in another order.
fn arithmetic() -> String {
    #[cfg(target_arch = "x86_64")]
    let unit = if std::arch::is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        "AVX2"
    } else {
        "no FMA"
    };
    #[cfg(not(target_arch = "x86_64"))]
    let unit = "its own";
    format!("{}, {unit}", std::env::consts::ARCH.replace('_', "-"))
}

/// Learns the first steps of a recipe: its metrics.
fn learned(folder: &Path, shipped: &Shipped, iterations: u64, more: &[&str]) -> Vec<BTreeMap<String, String>> {
    let recipe = shipped.recipe().unwrap();
    let config = &recipe.stages[0].config;
    let steps = iterations * (config.worlds.world_count * config.ppo.horizon_steps) as u64;
    let out = format!("{}{}", shipped.name.replace('/', "-"), more.concat());
    let steps = steps.to_string();
    let words = [&["train", "--recipe", shipped.name, "--steps", &steps, "--out", &out], more].concat();
    let finished = run_in(folder, &words);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let stage = if recipe.stages.len() > 1 { "stage-1" } else { "" };
    rows(&folder.join(out).join(stage).join("metrics.csv"))
}

/// The first column in which a row is not that of a curve: to the last letter. A curve has the columns of all of its stages:
/// what a stage does not have is empty there.
fn differs(row: &BTreeMap<String, String>, of_curve: &BTreeMap<String, String>) -> Option<String> {
    let here = |name: &String| row.get(name).map_or("", String::as_str);
    let found = of_curve.iter().find(|(name, value)| *name != "stage" && here(name) != *value);
    found.map(|(name, value)| format!("{name}: {value} in the curve, {:?} here", row.get(name)))
}

/// The same on another kind of processor, of the first iteration: counts are equal, and the first policy, seen through the last
/// bits of another arithmetic, does much the same and is taught much the same.
fn is_unlike(row: &BTreeMap<String, String>, of_curve: &BTreeMap<String, String>) -> Option<String> {
    let close = |name: &str, one: &str, other: &str| match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) if name.ends_with("count") || name.ends_with("steps") => one.to_bits() == other.to_bits(),
        (Ok(one), Ok(other)) => (one - other).abs() <= 0.01 + 0.05 * one.abs().max(other.abs()),
        _ => one == other,
    };
    let here = |name: &String| row.get(name).map_or("", String::as_str);
    let found = of_curve.iter().find(|(name, value)| *name != "stage" && !close(name, value, here(name)));
    found.map(|(name, value)| format!("{name}: {value} in the curve, {} here", here(name)))
}

#[test]
fn a_recipe_learns_again_what_the_curve_beside_its_policy_shows() {
    let folder = tempfile::tempdir().unwrap();
    for shipped in POLICIES {
        let name = shipped.name;
        let curve = rows(&folder_of(shipped).join("curve.csv"));
        for column in ["control_steps", "mean_reward", "policy_loss", "value_loss", "approx_kl", "actor_gradient_norm"]
        {
            assert!(curve[0].contains_key(column), "{name}: the curve has no {column}");
        }
        // Columns of time are of the machine, not of learning.
        let of_time = |column: &String| column.ends_with("seconds") || column.ends_with("s_per_sec");
        assert_eq!(curve[0].keys().find(|column| of_time(column)), None, "{name}");
        let again = learned(folder.path(), shipped, ITERATIONS, &[]);
        assert_eq!(again.len() as u64, ITERATIONS, "{name}");
        if shipped.card().unwrap().curve.arithmetic == arithmetic() {
            for (row, of_curve) in again.iter().zip(&curve) {
                assert_eq!(differs(row, of_curve), None, "{name}, iteration {}", of_curve["iteration"]);
            }
        } else {
            assert_eq!(is_unlike(&again[0], &curve[0]), None, "{name}, on another kind of processor");
        }
        // Neither comparison is one that anything passes.
        let other = learned(folder.path(), shipped, 1, &["--seed", "77"]);
        assert!(differs(&other[0], &curve[0]).is_some() && is_unlike(&other[0], &curve[0]).is_some(), "{name}");
    }
}

/// A recipe that learns nothing useful in a second: so many iterations in each stage.
fn tiny_recipe(iterations: &[u64]) -> String {
    let mut text = "robot = \"leap-right\"\nobject = \"cube-70mm\"\ntask = \"rotate-z\"\n".to_owned();
    for (index, count) in iterations.iter().enumerate() {
        text += &format!(
            "[[stages]]\nseed = {}\nsteps = {}\n[stages.settings]\nworlds.world_count = 4\nppo.core_width = 16\n\
             ppo.encoder_width = 16\nppo.horizon_steps = 16\ncheckpoint_secs = 0\n",
            index + 1,
            count * TINY_ITERATION_STEPS
        );
    }
    text
}

#[test]
fn a_recipe_of_ones_own_is_learned_in_parts_as_in_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.toml"), tiny_recipe(&[4])).unwrap();
    let train = |words: &[&str]| {
        let finished = run_in(folder.path(), &[&["train", "--recipe", "mine.toml"], words].concat());
        assert_eq!(finished.code, Some(0), "{finished:#?}");
    };
    train(&["--out", "whole"]);
    let steps = (2 * TINY_ITERATION_STEPS).to_string();
    train(&["--out", "parts", "--steps", &steps]);
    let bytes = |run: &str| std::fs::read(folder.path().join(run).join("policy.bin")).unwrap();
    assert_ne!(bytes("parts"), bytes("whole"));
    train(&["--resume", "parts"]);
    assert_eq!(bytes("parts"), bytes("whole"));
    // Nothing is left to do.
    train(&["--resume", "parts"]);
    assert_eq!(bytes("parts"), bytes("whole"));
    // From another seed, too.
    train(&["--seed", "9", "--out", "nine"]);
    train(&["--seed", "9", "--out", "nine-in-parts", "--steps", &steps]);
    train(&["--resume", "nine-in-parts"]);
    assert!(bytes("nine") == bytes("nine-in-parts") && bytes("nine") != bytes("whole"));
    // A folder that nobody named is called after the recipe.
    train(&["--steps", "64"]);
    assert!(folder.path().join("runs/mine/policy.bin").is_file());
}

#[test]
fn a_later_stage_begins_with_the_policy_of_the_one_before_and_stops_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny_recipe(&[3, 4]);
    std::fs::write(folder.path().join("mine.toml"), &recipe).unwrap();
    let train = |words: &[&str]| {
        let finished = run_in(folder.path(), &[&["train", "--recipe", "mine.toml"], words].concat());
        assert_eq!(finished.code, Some(0), "{finished:#?}");
    };
    let path = |run: &str, stage: u64| folder.path().join(run).join(format!("stage-{stage}")).join("policy.bin");
    let bytes = |run: &str, stage: u64| std::fs::read(path(run, stage)).unwrap();
    train(&["--out", "whole"]);
    let [first, second] = [1, 2].map(|stage| Policy::load(&path("whole", stage)).unwrap());
    assert_eq!((first.manifest().seed, first.manifest().control_steps), (1, 3 * TINY_ITERATION_STEPS));
    assert_eq!((second.manifest().seed, second.manifest().control_steps), (2, 4 * TINY_ITERATION_STEPS));
    let [ancestor] = &second.manifest().started_from[..] else { panic!("{:?}", second.manifest().started_from) };
    assert_eq!(ancestor.fingerprint, first.fingerprint().unwrap());

    // In the first stage, between the two, in the second: each time gone on with by the same words.
    for (run, iterations) in [("early", 1), ("between", 3), ("late", 5)] {
        train(&["--out", run, "--steps", &(iterations * TINY_ITERATION_STEPS).to_string()]);
        assert_eq!(path(run, 2).exists(), iterations > 3, "{run}");
        train(&["--resume", run]);
        assert!(bytes(run, 1) == bytes("whole", 1), "{run}");
        let weights = |run: &str| Policy::load(&path(run, 2)).unwrap().weights().to_vec();
        assert_eq!(weights(run), weights("whole"), "{run}");
    }
    let again = ["train", "--recipe", "mine.toml", "--out", "early"];
    refused_in(folder.path(), &again, &["early/stage-1 is there already", "--recipe mine.toml --resume early"]);
    // What cannot be begun is said before the first stage is learned.
    let other = recipe.replacen("ppo.core_width = 16", "ppo.core_width = 8", 1);
    std::fs::write(folder.path().join("other.toml"), other).unwrap();
    let other = ["train", "--recipe", "other.toml", "--out", "other"];
    refused_in(folder.path(), &other, &["stage 2", "that of stage 1", "ppo.core_width"]);
    assert!(!folder.path().join("other").exists());
}

#[test]
fn a_run_of_something_else_is_not_gone_on_with_by_a_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("mine.toml", &tiny_recipe(&[1]));
    write("wider.toml", &tiny_recipe(&[1]).replace("encoder_width = 16", "encoder_width = 32"));
    assert_eq!(run_in(folder.path(), &["train", "--recipe", "mine.toml", "--out", "run"]).code, Some(0));
    let words = ["train", "--recipe", "wider.toml", "--resume", "run"];
    refused_in(
        folder.path(),
        &words,
        &["not a run of the recipe wider.toml", "ppo.encoder_width: 16, 32", "--resume run"],
    );
    let words = ["train", "--recipe", "mine.toml", "--resume", "nothing"];
    refused_in(folder.path(), &words, &["nothing holds no run", "--out DIR"]);
    let words = ["train", "--recipe", "mine.toml", "--out", "run"];
    refused_in(folder.path(), &words, &["run is there already", "--recipe mine.toml --resume run"]);
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    std::fs::write(folder.path().join("notes/one.txt"), "mine").unwrap();
    let words = ["train", "--recipe", "mine.toml", "--out", "notes"];
    refused_in(folder.path(), &words, &["notes is not empty"]);
}

#[test]
fn a_recipe_that_is_not_there_or_not_for_this_hand_is_refused() {
    let name = POLICIES[0].name;
    let train = |recipe: &str, more: &[&str], parts: &[&str]| {
        refused(&[&["train", "--recipe", recipe], more].concat(), parts);
    };
    train("leap-right/rotate-zz", &[], &["no recipe leap-right/rotate-zz", "did you mean", name]);
    train("piano", &[], &["no recipe piano", name, "--recipe PATH.toml"]);
    train(name, &["--robot", "shadow-right"], &[name, "is for leap-right", "--robot says shadow-right"]);
    train(name, &["--object", "sphere"], &[name, "is for cube-70mm", "--object says"]);
    train(name, &["--steps", "99999999999"], &["99999999999", "control steps"]);
    train(name, &["--steps", "0"], &["--steps 0", "expected 1 to"]);
    for more in
        [&["--set", "ppo.core_width=32"][..], &["--minutes", "3"], &["--config", "mine.toml"], &["--from", name]]
    {
        train(name, more, &["--recipe", more[0], "cannot be used with"]);
    }
}

#[test]
fn a_recipe_file_that_cannot_be_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let whole = tiny_recipe(&[1]);
    let no_stages = whole.split("[[stages]]").next().unwrap();
    for (text, parts) in [
        (no_stages.to_owned(), ["no stages", "[[stages]]"]),
        (whole.replace("steps = 64", "stepps = 64"), ["unknown key stepps", "did you mean `steps`?"]),
        (whole.replace("ppo.core_width", "ppo.core_widht"), ["ppo.core_widht", "ppo.core_width"]),
        (whole.replace("leap-right", "leap-rihgt"), ["leap-rihgt", "did you mean"]),
        (whole.replace("seed = 1", "seed = = 1"), ["the recipe mine.toml", "seed"]),
    ] {
        std::fs::write(folder.path().join("mine.toml"), text).unwrap();
        refused_in(folder.path(), &["train", "--recipe", "mine.toml", "--out", "run"], &parts);
        assert!(!folder.path().join("run").exists(), "{parts:?}");
    }
}

const WHOLE: &str = "robot = \"leap-right\"\nobject = \"cube-70mm\"\ntask = \"rotate-z\"\n\
                 [[stages]]\nseed = 1\nsteps = 100\ntask = \"rotate-y\"\n\
                 [[stages]]\nseed = 2\nsteps = 50\nsettings.ppo.core_width = 32\n";

fn no_recipe(text: &str, parts: &[&str]) {
    let error = format!("{:#}", Recipe::parse("mine", text).expect_err(text));
    for part in ["the recipe mine"].iter().chain(parts) {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_recipe_is_read_stage_by_stage() {
    let recipe = Recipe::parse("mine", WHOLE).expect("a recipe");
    let said = |stage: &Stage| (stage.steps, stage.config.seed, stage.config.task.clone(), stage.config.ppo.core_width);
    let stages: Vec<_> = recipe.stages.iter().map(said).collect();
    let width = RunConfig::default().ppo.core_width;
    assert_eq!(stages, [(100, 1, "rotate-y".to_owned(), width), (50, 2, "rotate-z".to_owned(), 32)]);
    // From its own seed it is itself: whoever goes on knows no more than what its first stage was begun with.
    let seeds = |recipe: Recipe| recipe.stages.iter().map(|stage| stage.config.seed).collect::<Vec<_>>();
    assert_eq!((seeds(recipe.clone().with_seed(1)), seeds(recipe.with_seed(7))), (vec![1, 2], vec![7, 7]));
}

#[test]
fn the_first_steps_of_a_recipe_end_in_whatever_stage_they_end_in() {
    let recipe = Recipe::parse("mine", WHOLE).expect("a recipe");
    for (steps, expected) in [(1, [1, 0]), (100, [100, 0]), (101, [100, 1]), (150, [100, 50])] {
        let first = recipe.clone().first(steps).expect("so many");
        assert_eq!(first.stages.iter().map(|stage| stage.steps).collect::<Vec<_>>(), expected);
    }
    for steps in [0, 151] {
        let error = recipe.clone().first(steps).expect_err("no such number").to_string();
        assert!(error.contains("expected 1 to 150"), "{error}");
    }
}

#[test]
fn a_recipe_that_cannot_be_is_refused_with_what_was_expected() {
    let head = &WHOLE[..WHOLE.find("[[stages]]").expect("stages")];
    let stage = |text: &str| format!("{head}[[stages]]\n{text}");
    no_recipe(head, &["no stages", "[[stages]]", "seed, steps and settings"]);
    no_recipe(&format!("stages = []\n{head}"), &["no stages"]);
    no_recipe(&format!("stages = 3\n{head}"), &["[[stages]]"]);
    no_recipe(&stage(""), &["stage 1", "steps"]);
    no_recipe(&stage("seed = 1\nsteps = 0"), &["stage 1", "at least 1"]);
    no_recipe(&stage("seed = -1\nsteps = 5"), &["seed = -1"]);
    no_recipe(&stage("seed = 1\nsteps = \"5\""), &["steps", "whole number"]);
    no_recipe(&stage("seed = 1\nstep = 5"), &["unknown key step", "did you mean `steps`?"]);
    no_recipe(&stage("seed = 1\nsteps = 5\nsettings.ppo.core_widht = 3"), &["did you mean `ppo.core_width`?"]);
    no_recipe(
        &stage("seed = 1\nsteps = 5\nsettings.robot = \"shadow-right\""),
        &["settings.robot", "above all stages"],
    );
    no_recipe(&stage("seed = 1\nsteps = 5\nsettings.seed = 2"), &["settings.seed", "in the stage itself"]);
    no_recipe(&stage("seed = 1\nsteps = 5\ntask = \"rotate-y\""), &["last stage", "rotate-y", "rotate-z"]);
    no_recipe(&WHOLE.replace("object", "objct"), &["unknown key objct", "did you mean `object`?"]);
    no_recipe(&WHOLE.replace("task = \"rotate-z\"", ""), &["which task"]);
    no_recipe(&WHOLE.replace("\"leap-right\"", "3"), &["robot = 3", "quotes"]);
    no_recipe("robot = = 3", &["robot = = 3"]);
}

#[test]
fn another_hand_or_object_than_the_recipes_is_refused() {
    let recipe = Recipe::parse("mine", WHOLE).expect("a recipe");
    recipe.check_scene(Some("leap-right"), Some("cube-70mm")).expect("the same");
    recipe.check_scene(None, None).expect("nothing said");
    for (robot, object, said) in [(Some("shadow-right"), None, "--robot"), (None, Some("sphere"), "--object")] {
        let error = recipe.check_scene(robot, object).expect_err("another").to_string();
        assert!(error.contains(said) && error.contains("the recipe mine is for"), "{error}");
    }
}

#[test]
fn runs_differ_in_the_first_setting_that_decides_something() {
    let one = RunConfig::default();
    let mut same = RunConfig { checkpoint_secs: 5.0, ..one.clone() };
    (same.worlds.thread_count, same.ppo.thread_count) = (1, 3);
    same.randomization = same.randomization.pinned();
    same.randomization.adr.max_reach = 2.0;
    assert_eq!(first_difference(&one, &same).expect("written"), None);
    let mut other = same.clone();
    other.ppo.epoch_count = 7;
    other.seed = 9;
    let found = first_difference(&one, &other).expect("written").expect("another run");
    assert_eq!(found, format!("ppo.epoch_count: {}, 7", one.ppo.epoch_count));
    same.randomization.adr.enabled = true;
    assert!(first_difference(&one, &same).expect("written").expect("another run").contains("adr"));
}
