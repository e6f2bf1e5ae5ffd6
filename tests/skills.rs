//! A set of skills is a policy like any other: measured by a command, evaluated, compared, deployed in equal bits and replayed
//! from its log.

use crate::support::{Controller, Finished, run_in, train};
use giraffe::run::behavior::Behavior as _;
use giraffe::run::episode::{Pilot, StepObserver};
use giraffe::run::evaluate::{TrainedPolicy, unseen_seeds};
use giraffe_bridge::log::{Logged, read};
use giraffe_physics::{EpisodeSampler as _, HandSim};
use giraffe_policy::PolicyRunner;
use giraffe_robots::{ObservationEncoder, SignalFrame};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
use tempfile::TempDir;

/// Goals lie far apart in time for skills that learned nothing: short episodes say as much.
const SHORT: [&str; 2] = ["--set", "dials.episode_secs=6"];

/// Policies that learned nothing yet, a set of two that are blind (`skills`) and one with a skill that reads goals (`told`).
struct TinySkills(TempDir);

impl TinySkills {
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<TinySkills>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let home = tempfile::tempdir().unwrap();
            train(home.path(), "z", 3, &["--seed", "1"]);
            train(home.path(), "y", 3, &["--seed", "2", "--set", "task=rotate-y"]);
            let finished = measured(home.path(), &["--skill", "z=z", "--skill", "y=y"], "skills");
            assert_eq!(finished.code, Some(0), "{finished:#?}");
            let tipping = ["--set", "task=turn-goals", "--set", "dials.plus_z_weight=0"];
            train(home.path(), "goals", 3, &tipping);
            let told = measured(home.path(), &["--skill", "z=z", "--skill", "goals=goals"], "told");
            assert_eq!(told.code, Some(0), "{told:#?}");
            let skills = Arc::new(Self(home));
            *shared = Arc::downgrade(&skills);
            skills
        })
    }

    fn home(&self) -> &Path {
        self.0.path()
    }
}

fn measured(folder: &Path, skills: &[&str], out: &str) -> Finished {
    let arguments = ["measure-skills", "--episodes", "6", "--out", out, "--json"];
    run_in(folder, &[&arguments[..], skills, &SHORT].concat())
}

/// Runs something that must be refused with one message that has all of `parts`.
fn refused(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let finished = run_in(folder, arguments);
    assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:#?}");
    let messages = finished.stderr.lines().filter(|line| line.starts_with("error:")).count();
    assert!(messages == 1 && !finished.stderr.contains("panicked"), "{finished:#?}");
    for part in parts {
        assert!(finished.stderr.contains(part), "{arguments:?}: `{part}` is not in `{}`", finished.stderr);
    }
}

#[test]
fn a_set_is_deployed_in_equal_bits_and_replayed_from_its_log_with_every_choice() {
    let (tiny, controller) = (TinySkills::shared(), Controller::simulated());
    for set in ["skills", "skills/random.toml", "told/random.toml"] {
        let log = tiny.home().join(format!("{}.mcap", set.replace('/', "-")));
        let path = log.to_str().unwrap();
        let arguments =
            ["deploy", set, "--connect", &controller.endpoint, "--paired", "--episodes", "2", "--seed", "4"];
        let deployed = run_in(tiny.home(), &[&arguments[..], &["--log", path, "--json"]].concat()).json();
        assert_eq!(deployed["paired"]["episodes"], 2, "{set}: {deployed}");
        assert_eq!(deployed["paired"]["equal"], 2, "{set}: {deployed}");
        let evaluated = run_in(tiny.home(), &["evaluate", set, "--episodes", "2", "--seed", "4", "--json"]).json();
        assert_eq!(deployed["score"], evaluated["none"], "{set}");
        assert!(deployed["score"]["measures"]["goals_per_30_secs"].is_object(), "{deployed}");

        let acting: BTreeSet<u32> = read(&log)
            .unwrap()
            .entries
            .iter()
            .filter_map(|entry| match &entry.logged {
                Logged::Observation(numbers) => Some(numbers.values[0] as u32),
                _ => None,
            })
            .collect();
        assert!(acting.is_subset(&BTreeSet::from([0, 1])), "{acting:?}");
        assert!(set == "skills" || acting.len() == 2, "both skills acted: {acting:?}");
        let replayed = run_in(tiny.home(), &["replay", path, "--policy", set, "--json"]).json();
        assert_eq!(replayed["equal"], true, "{replayed:#}");
        assert_eq!(replayed["observations"]["checked"], deployed["control_steps"], "{replayed:#}");
        // The same choices by another chooser would be a coincidence, and another policy it is.
        let other = if set == "skills" { "told" } else { "skills" };
        refused(tiny.home(), &["replay", path, "--policy", other], &["written with another policy"]);
    }
}

#[test]
fn a_set_is_whole_with_its_folder_alone_and_compared_with_its_control() {
    let tiny = TinySkills::shared();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(tiny.home().join("skills")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
    }
    let evaluate = |folder: &Path, set: &str| run_in(folder, &["evaluate", set, "--episodes", "2", "--json"]).json();
    assert_eq!(evaluate(tiny.home(), "skills"), evaluate(elsewhere.path(), "copy"));

    let policies = ["--policy", "planner=copy", "--policy", "random=copy/random.toml", "--test", "none"];
    let arguments = ["compare-policies", "--episodes", "2", "--out", "report", "--json"];
    let report = run_in(elsewhere.path(), &[&arguments[..], &policies].concat()).json();
    let names: Vec<&Value> = report["test_sets"][0]["groups"].as_array().unwrap().iter().map(|g| &g["name"]).collect();
    assert_eq!(names, ["planner", "random"]);
    let again = ["replay", "copy", "--world", "1", "--json"];
    assert!(run_in(elsewhere.path(), &again).json()["outcome"]["step_count"].as_u64() > Some(1));
}

#[test]
fn what_was_measured_is_the_same_again_and_says_what_every_skill_did() {
    let tiny = TinySkills::shared();
    let again = measured(tiny.home(), &["--skill", "z=z", "--skill", "y=y"], "again").json();
    let skills = again["skills"].as_array().unwrap();
    assert_eq!(skills.iter().map(|skill| skill["name"].as_str().unwrap()).collect::<Vec<_>>(), ["z", "y"]);
    assert!(skills.iter().all(|skill| skill["dwells"].as_u64() > Some(5)), "{again:#}");
    for file in ["skills.toml", "random.toml", "effects.csv"] {
        let read = |folder: &str| std::fs::read(tiny.home().join(folder).join(file)).unwrap();
        assert_eq!(read("skills"), read("again"), "{file}");
    }
}

/// Compares a set's every step with its skills alone.
struct Alone<'p> {
    trained: &'p TrainedPolicy,
    acting: Option<usize>,
    runner: Option<PolicyRunner>,
    encoder: Option<ObservationEncoder>,
    sensed: Option<SignalFrame>,
    expected: Vec<f32>,
    takeovers: usize,
    steps_of_dwell: Vec<u32>,
}

impl StepObserver for Alone<'_> {
    fn aimed(&mut self, sensed: &SignalFrame) {
        self.sensed = Some(sensed.clone());
    }

    fn observed(&mut self, observation: &[f32]) {
        let acting = observation[0] as usize;
        let policy = &self.trained.policy.policies()[acting];
        if self.acting != Some(acting) {
            // Whoever takes over remembers nothing: neither in the network nor in what it reads of instants before.
            (self.acting, self.runner) = (Some(acting), Some(PolicyRunner::new(policy)));
            self.encoder = Some(ObservationEncoder::new(&policy.manifest().observation));
            self.takeovers += 1;
            self.steps_of_dwell.push(0);
        }
        *self.steps_of_dwell.last_mut().unwrap() += 1;
        let mut expected = vec![0.0; observation.len() - 1];
        self.encoder.as_mut().unwrap().encode_actor(self.sensed.as_ref().unwrap(), &mut expected).unwrap();
        assert_eq!(expected, observation[1..]);
        self.expected = vec![0.0; policy.manifest().context.action.width()];
        self.runner.as_mut().unwrap().act(&expected, &mut self.expected).unwrap();
    }

    fn acted(&mut self, actions: &[f32]) {
        assert_eq!(self.expected, actions);
    }
}

#[test]
fn a_skill_that_takes_over_remembers_nothing_and_acts_for_its_dwell_as_it_would_alone() {
    let tiny = TinySkills::shared();
    let trained = TrainedPolicy::load(&tiny.home().join("skills/random.toml"), &[]).unwrap();
    let parts = trained.parts().unwrap();
    let sampler = parts.nominal_sampler(unseen_seeds(1));
    let mut pilot = Pilot::of(&trained.policy, &parts, false);
    for world in 0..3 {
        let mut sim = HandSim::new(Arc::clone(&parts.scene), sampler.plan(world, 0));
        let mut alone = Alone {
            trained: &trained,
            acting: None,
            runner: None,
            encoder: None,
            sensed: None,
            expected: Vec::new(),
            takeovers: 0,
            steps_of_dwell: Vec::new(),
        };
        pilot.fly_observed(&mut sim, &mut alone, &AtomicBool::new(false)).unwrap();
        assert!(alone.takeovers > 1, "nobody took over");
        // 0.5 s at 20 Hz; the last one is cut short by the end.
        let whole = &alone.steps_of_dwell[..alone.steps_of_dwell.len() - 1];
        assert!(whole.iter().all(|steps| steps % 10 == 0), "{whole:?}");
    }
}

#[test]
fn a_planner_without_skills_or_with_others_than_were_measured_is_refused_with_one_message() {
    let tiny = TinySkills::shared();
    let home = tempfile::tempdir().unwrap();
    let original = tiny.home().join("skills");
    let broken = |name: &str, alter: &dyn Fn(&Path)| {
        let folder = home.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for file in ["skills.toml", "effects.csv", "config.toml", "hand.json", "z.bin", "y.bin"] {
            std::fs::copy(original.join(file), folder.join(file)).unwrap();
        }
        alter(&folder);
    };
    let edited = |file: &'static str, edit: fn(&str) -> String| {
        move |folder: &Path| {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            assert_ne!(edit(&text), text);
            std::fs::write(folder.join(file), edit(&text)).unwrap();
        }
    };
    let no_skills = edited("skills.toml", |text| text.split("[[skills]]").next().unwrap().to_owned());
    broken("none", &no_skills);
    refused(home.path(), &["evaluate", "none"], &["names no skill", "[[skills]]", "measure-skills"]);
    refused(home.path(), &["deploy", "none"], &["names no skill"]);
    broken("short", &edited("skills.toml", |text| text.replacen("dwell_secs = 0.5", "dwell_secs = 0.2", 1)));
    refused(home.path(), &["evaluate", "short"], &["a dwell of 0.2 s", "at least 0.5"]);
    broken("long", &edited("skills.toml", |text| text.replacen("dwell_secs = 0.5", "dwell_secs = 1.0", 1)));
    refused(home.path(), &["evaluate", "long"], &["measured over 0.5 s", "--dwell 1"]);
    broken("typo", &edited("skills.toml", |text| text.replacen("\"planner\"", "\"planer\"", 1)));
    refused(home.path(), &["evaluate", "typo"], &["planer", "`planner` or `random`"]);
    broken("swapped", &|folder| {
        std::fs::copy(original.join("y.bin"), folder.join("z.bin")).unwrap();
    });
    refused(home.path(), &["evaluate", "swapped"], &["z.bin", "another policy than the one that was measured"]);
    broken(
        "unmeasured",
        &edited("effects.csv", |text| {
            text.lines().filter(|line| !line.starts_with("y,")).fold(String::new(), |all, line| all + line + "\n")
        }),
    );
    refused(home.path(), &["evaluate", "unmeasured"], &["the skill y never acts", "measure"]);
    broken("half", &|folder| std::fs::remove_file(folder.join("effects.csv")).unwrap());
    refused(home.path(), &["evaluate", "half"], &["effects.csv"]);
    refused(home.path(), &["replay", original.to_str().unwrap(), "--training", "--world", "0"], &["set of skills"]);
}

/// What the skill reads of its goal that acts first in an episode: which skill, and the way to the goal, quarter turns about x, y, z
/// of the palm.
#[derive(Default)]
struct FirstRead(Option<(usize, Vec<f32>)>);

impl StepObserver for FirstRead {
    fn observed(&mut self, observation: &[f32]) {
        self.0.get_or_insert_with(|| (observation[0] as usize, observation[1..].to_vec()));
    }
}

#[test]
fn a_skill_that_reads_a_goal_is_told_quarter_turns_about_its_own_axis_whatever_the_task_asks_for() {
    let tiny = TinySkills::shared();
    let text = std::fs::read_to_string(tiny.home().join("told/random.toml")).unwrap();
    let file: toml::Table = text.parse().unwrap();
    let skills = file["skills"].as_array().unwrap();
    assert!(skills[0].get("turns_about").is_none(), "it reads no goal: {text}");
    let axis: Vec<f64> = skills[1]["turns_about"].as_array().unwrap().iter().map(|v| v.as_float().unwrap()).collect();
    assert!(axis.iter().zip([0.0, 1.0, 0.0]).all(|(found, expected)| (found - expected).abs() < 1e-3), "{axis:?}");

    // The same set, whose skill turns the other way: only what it is told can differ.
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(tiny.home().join("told")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let mut other_way = file.clone();
    let turns_about = toml::Value::Array([0.0, -1.0, 0.0].map(toml::Value::Float).to_vec());
    other_way["skills"][1].as_table_mut().unwrap().insert("turns_about".to_owned(), turns_about);
    std::fs::write(folder.path().join("back.toml"), toml::to_string(&other_way).unwrap()).unwrap();

    let mut seen = 0;
    for (set, sign) in [(tiny.home().join("told/random.toml"), 1.0), (folder.path().join("back.toml"), -1.0)] {
        let trained = TrainedPolicy::load(&set, &[]).unwrap();
        let parts = trained.parts().unwrap();
        let sampler = parts.nominal_sampler(unseen_seeds(1));
        let names = trained.policy.policies()[1].manifest().observation.column_names();
        let about_y = names.iter().position(|name| name.starts_with("goal_rotation_error/y")).unwrap();
        for world in 0..6 {
            let mut sim = HandSim::new(Arc::clone(&parts.scene), sampler.plan(world, 0));
            let mut first = FirstRead::default();
            Pilot::of(&trained.policy, &parts, false)
                .fly_observed(&mut sim, &mut first, &AtomicBool::new(false))
                .unwrap();
            let Some((1, read)) = first.0 else { continue };
            // A quarter turn, give or take half of one that the cube may lie off.
            assert!(sign * read[about_y] > 0.4, "{set:?}, world {world}: {}", read[about_y]);
            seen += 1;
        }
    }
    assert!(seen > 1, "it never began");

    other_way["skills"][1].as_table_mut().unwrap().remove("turns_about");
    std::fs::write(folder.path().join("back.toml"), toml::to_string(&other_way).unwrap()).unwrap();
    refused(folder.path(), &["evaluate", "back.toml"], &["goals: it reads a goal", "turns_about", "measure-skills"]);
    train(tiny.home(), "both", 1, &["--set", "task=turn-goals"]);
    let unclear = ["measure-skills", "--skill", "both=both", "--out", "unclear"];
    refused(tiny.home(), &unclear, &["both: it reads a goal", "about which axis"]);
    assert!(!tiny.home().join("unclear").exists());
}

#[test]
fn skills_that_cannot_be_measured_are_refused_and_leave_nothing() {
    let tiny = TinySkills::shared();
    let measure = |more: &[&str], parts: &[&str]| {
        refused(tiny.home(), &[&["measure-skills", "--episodes", "1"], more].concat(), parts);
    };
    let two = ["--skill", "z=z", "--skill", "y=y"];
    measure(&["--out", "new"], &["--skill"]);
    measure(&[&two[..], &["--out", "skills"]].concat(), &["skills is not empty"]);
    measure(&[&two[..], &["--out", "new", "--dwell", "0.1"]].concat(), &["0.1 s", "at least 0.5"]);
    let wide = ["--out", "new", "--set", "dials.tolerance_rad=0.8"];
    measure(&[&two[..], &wide].concat(), &["dials.tolerance_rad = 0.8", "less than 0.7 rad"]);
    measure(&[&two[..], &["--out", "new", "--task", "reorient-face"]].concat(), &["did you mean `reorient-faces`"]);
    measure(
        &[&two[..], &["--out", "new", "--task", "rotate-z"]].concat(),
        &["rotate-z tells no orientation", "turn-goals"],
    );
    measure(&[&two[..], &["--out", "new", "--task", "reorient"]].concat(), &["any orientations", "reorient-faces"]);
    measure(&[&two[..], &["--out", "new", "--object", "sphere"]].concat(), &["24 orientations of a cube", "sphere"]);
    measure(&["--skill", "z=z", "--skill", "z=y", "--out", "new"], &["two skills are called z"]);
    measure(&["--skill", "set=skills", "--out", "new"], &["is a set of skills itself"]);
    measure(&["--skill", "a/b=z", "--out", "new"], &["cannot be called `a/b`"]);
    let from = ["train", "--from", "skills", "--steps", "64", "--out", "new"];
    refused(tiny.home(), &from, &["cannot start from skills", "a set of skills", "one of its policies"]);
    refused(
        tiny.home(),
        &["train", "--resume", "skills", "--steps", "64"],
        &["a set of skills", "no run to go on with"],
    );
    // Other tests work in this folder, too.
    assert!(["new", ".new.partial"].iter().all(|name| !tiny.home().join(name).exists()));
    let kept: Vec<_> =
        std::fs::read_dir(tiny.home().join("skills")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!kept.iter().any(|name| name == "checkpoints" || name == "metrics.csv"), "{kept:?}");
}
