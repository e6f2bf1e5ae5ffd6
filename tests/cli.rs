//! The program as a user meets it: mistakes are answered with one message that names what to do, and exit code 2.

use crate::support::needs::python;
use crate::support::{Controller, Finished, Process, TINY, TinyPolicy, giraffe, run_in};
use clap::{CommandFactory as _, Parser as _};
use giraffe::cli::Cli;
use giraffe::fly::controller::free_ports;
use std::net::TcpListener;
use std::path::Path;

/// Runs something that must be refused, with a message that has all of `parts` and leaves nothing behind.
pub fn refused(arguments: &[&str], parts: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let finished = refused_in(folder.path(), arguments, parts);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{arguments:?} was refused, but left {left:?}");
    finished
}

/// The same in a folder that something may be left in.
pub fn refused_in(folder: &Path, arguments: &[&str], parts: &[&str]) -> Finished {
    let finished = run_in(folder, arguments);
    assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:#?}");
    let messages: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(messages.len(), 1, "{arguments:?}: expected one message: {finished:#?}");
    for part in parts {
        assert!(finished.stderr.contains(part), "{arguments:?}: `{part}` is not in `{}`", finished.stderr);
    }
    let is_internal = ["panicked", "RUST_BACKTRACE", "unwrap", "Stack backtrace"];
    assert!(is_internal.iter().all(|word| !finished.stderr.contains(word)), "{arguments:?}: {finished:#?}");
    assert_eq!(finished.stdout, "", "{arguments:?} was refused, but prints results");
    finished
}

#[test]
fn a_misspelled_name_is_answered_with_the_nearest_one() {
    for (setting, meant) in [
        ("robot=leap-rihgt", "leap-right"),
        ("task=rotate-zz", "rotate-z"),
        ("object=cube-70m", "cube-70mm"),
        ("ppo.core_widht=32", "ppo.core_width"),
        ("world.world_count=2", "worlds"),
        ("randomization.prest=wide", "randomization.preset"),
        ("randomization.ranges.object.mas=1.0", "object.mass"),
        ("randomization.preset=wied", "wide"),
        ("randomization.preset=dextrme", "dextreme"),
    ] {
        let wanted = setting.split('=').next().unwrap();
        let named = wanted.rsplit('.').next().unwrap();
        let finished = refused(&["train", "--steps", "64", "--set", setting], &["did you mean", meant]);
        assert!(finished.stderr.contains(named) || setting.contains(named), "{finished:#?}");
    }
    refused(&["describe", "leap-rihgt"], &["did you mean", "leap-right"]);
    refused(&["describe", "leap-right", "rotate_z"], &["did you mean", "rotate-z"]);
    refused(&["serve", "--driver", "scriptd"], &["did you mean", "scripted"]);
    refused(&["evaluate", "anything", "--scenario", "pussh"], &["did you mean", "push"]);
}

#[test]
fn a_name_like_no_other_is_answered_with_all_there_are() {
    refused(&["describe", "piano"], &["piano", "leap-right"]);
    refused(&["serve", "--driver", "piano"], &["piano", "sim", "scripted"]);
    refused(&["evaluate", "anything", "--scenario", "piano"], &["piano", "giraffe list scenarios"]);
    refused(&["train", "--steps", "64", "--set", "randomization.ranges.zzz=1.0"], &["zzz", "giraffe list parameters"]);
    let preset = ["train", "--steps", "64", "--set", "randomization.preset=zzz"];
    refused(&preset, &["zzz", "narrow, wide, full", "giraffe list presets"]);
}

#[test]
fn a_range_that_cannot_be_is_refused_with_what_is_allowed() {
    let range = |value: &str| format!("randomization.ranges.object.mass={value}");
    for (value, parts) in [
        ("{ uniform = { min = 0.5, max = 50.0 } }", ["object.mass", "allowed is"]),
        ("0.0", ["object.mass", "allowed is"]),
        ("{ uniform = { min = 1.5, max = 0.5 } }", ["object.mass", "min is above max"]),
        ("{ log_uniform = { min = 0.0, max = 0.5 } }", ["object.mass", "above zero"]),
        ("{ uniform = { min = nan, max = 0.5 } }", ["object.mass", "finite"]),
        ("{ gaussian = { min = 1.0, max = 1.2 } }", ["gaussian", "log_uniform"]),
        ("heavy", ["heavy", "uniform"]),
    ] {
        refused(&["train", "--steps", "64", "--set", &range(value)], &parts);
    }
}

#[test]
fn a_setting_that_cannot_be_is_refused() {
    let train = |setting: &str, parts: &[&str]| refused(&["train", "--steps", "64", "--set", setting], parts);
    train("ppo.core_width", &["expected key=value", "ppo.clip_ratio=0.1"]);
    train("ppo.core_width=wide", &["wide"]);
    train("ppo.core_width=0", &["ppo.core_width", "at least 1"]);
    train("ppo.discount=1.5", &["ppo.discount", "between 0 and 1"]);
    train("ppo=3", &["ppo"]);
    train("worlds.world_count=0", &["worlds"]);
    train("physics.substep_count=0", &["physics.substep_count", "at least 1"]);
    refused(&["train", "--minutes", "0"], &["--minutes 0", "above zero"]);
    refused(&["train", "--minutes", "nan"], &["--minutes"]);
    refused(&["evaluate", "anything", "--episodes", "0"], &["--episodes 0", "at least one"]);
    refused(&["train", "--device", "gpu"], &["gpu", "cuda:N"]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("broken.toml", "seed = = 1");
    file("misspelled.toml", "[ppo]\nlearning_rat = 1e-3\n");
    file("binary.toml", "\u{0}\u{1}");
    for (name, part) in [
        ("none.toml", "none.toml"),
        ("broken.toml", "broken.toml"),
        ("misspelled.toml", "ppo.learning_rate"),
        ("binary.toml", "binary.toml"),
        (".", "configuration"),
    ] {
        refused_in(folder.path(), &["train", "--steps", "64", "--config", name], &[part]);
    }
}

#[test]
fn a_policy_that_is_not_there_is_refused_with_what_was_expected() {
    refused(&["evaluate", "runs/nothing"], &["runs/nothing", "policy"]);
    refused(&["deploy", "runs/nothing"], &["runs/nothing", "policy"]);
    refused(&["evaluate", "."], &["policy.bin"]);
    refused(&["train", "--resume", "runs/nothing"], &["runs/nothing", "config.toml"]);
}

#[test]
fn a_damaged_policy_is_refused_wherever_the_damage_is() {
    let tiny = TinyPolicy::shared();
    let whole = std::fs::read(tiny.run().join("policy.bin")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.bin");
    let try_bytes = |bytes: &[u8]| {
        std::fs::write(&policy, bytes).unwrap();
        refused_in(folder.path(), &["evaluate", "policy.bin", "--episodes", "1"], &["policy.bin"]);
    };
    for length in [0, 1, 7, 64, whole.len() / 2, whole.len() - 1] {
        try_bytes(&whole[..length]);
    }
    for part in 0..16 {
        let mut bytes = whole.clone();
        bytes[part * (whole.len() - 1) / 15] ^= 0x10;
        try_bytes(&bytes);
    }
    try_bytes(&[&whole[..], b"more"].concat());
    try_bytes(b"not a policy at all, but long enough to have a header and some more");
}

#[test]
fn a_folder_in_use_is_not_written_into() {
    let tiny = TinyPolicy::shared();
    let before = std::fs::read(tiny.run().join("policy.bin")).unwrap();
    let arguments = [&["train", "--steps", "64", "--out", "run"], &TINY[..]].concat();
    refused_in(tiny.home(), &arguments, &["run is not empty", "--resume run"]);
    assert_eq!(std::fs::read(tiny.run().join("policy.bin")).unwrap(), before);
}

#[test]
fn a_port_in_use_is_refused_with_advice() {
    let port = free_ports(4).unwrap();
    for offset in [0, 2] {
        let _held = TcpListener::bind(("127.0.0.1", port + offset)).unwrap();
        refused(&["serve", "--bind", &format!("tcp://127.0.0.1:{port}")], &["in use", "another"]);
    }
}

#[test]
fn an_endpoint_that_others_could_reach_or_nobody_is_refused() {
    refused(&["serve", "--bind", "tcp://0.0.0.0:7401"], &["0.0.0.0", "loopback"]);
    refused(&["serve", "--bind", "tcp://127.0.0.1:0"], &["four ports"]);
    refused(&["serve", "--bind", "nonsense"], &["nonsense", "tcp://HOST:PORT"]);
    let tiny = TinyPolicy::shared();
    refused_in(tiny.home(), &["deploy", "run", "--connect", "tcp://0.0.0.0:7401"], &["0.0.0.0"]);
    refused_in(tiny.home(), &["deploy", "run", "--connect", "nonsense"], &["tcp://HOST:PORT"]);
}

#[test]
fn a_controller_that_does_not_answer_is_given_up_within_seconds() {
    let tiny = TinyPolicy::shared();
    let port = free_ports(4).unwrap();
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let arguments = ["deploy", "run", "--episodes", "1", "--connect", &endpoint];
    let finished = refused_in(tiny.home(), &arguments, &[&endpoint, "no answer", "giraffe serve"]);
    assert!(finished.secs < 6.0, "{} s", finished.secs);
    // Somebody listens there, but speaks another protocol.
    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let finished = refused_in(tiny.home(), &arguments, &[&endpoint, "no answer"]);
    assert!(finished.secs < 6.0, "{} s", finished.secs);
}

#[test]
fn a_policy_for_another_hand_is_refused_with_the_first_difference() {
    let tiny = TinyPolicy::shared();
    let hand = tiny.home().join("other-hand");
    std::fs::create_dir_all(&hand).unwrap();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("robots/descriptions/leap-right");
    let xml = std::fs::read_to_string(built_in.join("hand.xml")).unwrap();
    let limit = xml.split(" range=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let narrower: Vec<String> =
        limit.split_whitespace().map(|bound| (0.9 * bound.parse::<f64>().unwrap()).to_string()).collect();
    let other = xml.replacen(&format!(" range=\"{limit}\""), &format!(" range=\"{}\"", narrower.join(" ")), 1);
    std::fs::write(hand.join("hand.xml"), other).unwrap();
    std::fs::copy(built_in.join("robot.toml"), hand.join("robot.toml")).unwrap();
    let robot = format!("robot={}", hand.display());
    refused_in(tiny.home(), &["evaluate", "run", "--episodes", "1", "--set", &robot], &["this policy was made for"]);
}

#[test]
fn every_subcommand_explains_itself_with_an_example_that_works() {
    let mut command = Cli::command();
    command.build();
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let name = subcommand.get_name();
        let finished = run_in(Path::new("."), &[name, "--help"]);
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        assert!(finished.stdout.contains("Example") && finished.stdout.contains("Usage"), "{finished:#?}");
        let examples: Vec<&str> =
            finished.stdout.lines().map(str::trim).filter(|line| line.starts_with("giraffe ")).collect();
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let parsed = Cli::try_parse_from(example.split_whitespace());
            assert!(parsed.is_ok(), "the example `{example}` of {name}: {}", parsed.unwrap_err());
        }
    }
    assert_eq!(run_in(Path::new("."), &["--version"]).code, Some(0));
    let finished = run_in(Path::new("."), &[]);
    assert!(finished.code == Some(2) && finished.stderr.contains("quickstart"), "{finished:#?}");
}

#[test]
fn measurements_explain_themselves_with_an_example_that_works() {
    for what in ["physics", "learner", "bridge"] {
        let finished = run_in(Path::new("."), &["bench", what, "--help"]);
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        let examples: Vec<&str> =
            finished.stdout.lines().map(str::trim).filter(|line| line.starts_with("giraffe ")).collect();
        assert!(!examples.is_empty(), "{finished:#?}");
        for example in examples {
            assert!(Cli::try_parse_from(example.split_whitespace()).is_ok(), "{example}");
        }
    }
}

/// A measurement of learning that takes no time.
const TINY_BENCH: [&str; 14] = [
    "bench",
    "learner",
    "--quick",
    "--json",
    "--widths",
    "16,24",
    "--horizons",
    "4",
    "--sequences",
    "8",
    "--secs",
    "0.01",
    "--skip-memory",
    "--python",
];

/// Whether a report has a field, and nothing in it. (What has no such field is `null`, too.)
fn is_left_empty(report: &serde_json::Value, field: &str) -> bool {
    report.get(field).is_some_and(serde_json::Value::is_null)
}

#[test]
fn without_pytorch_a_measurement_of_learning_is_of_ours_alone() {
    // Neither is a Python with PyTorch: one does not exist, one answers nothing.
    for python in ["no-such-python", "true"] {
        let finished = run_in(Path::new("."), &[&TINY_BENCH[..], &[python]].concat());
        let report = finished.json();
        assert!(finished.stderr.contains("pip install torch"), "{finished:#?}");
        assert_eq!(report["shapes"].as_array().unwrap().len(), 2, "{report}");
        for row in report["shapes"].as_array().unwrap() {
            assert!(row["samples_per_sec"].as_f64().unwrap() > 100.0, "{row}");
            let share = row["peak_share"].as_f64().unwrap();
            assert!(share > 0.0 && share < 1.0, "{row}");
            let theirs = ["pytorch", "pytorch_lstm", "pytorch_cell"].map(|name| format!("{name}_samples_per_sec"));
            for key in theirs.iter().map(String::as_str).chain(["ratio", "ratio_masked"]) {
                assert!(is_left_empty(row, key), "{key}: {row}");
            }
        }
        let shape = &report["shapes"][1];
        assert_eq!(
            (&shape["core_width"], &shape["horizon_steps"], &shape["sequences"]),
            (&24.into(), &4.into(), &8.into())
        );
        assert!(report["collecting"][0]["steps_per_sec"].as_f64().unwrap() > 100.0, "{report}");
        assert!(report["gemm_peak_gflops"].as_f64().unwrap() > 0.1, "{report}");
        assert_eq!((&report["peak_gflops"], &report["peak_of"]), (&report["gemm_peak_gflops"], &"gemm".into()));
        assert_eq!(report["device"], "cpu");
        for (of, missing) in [
            (&report, "pytorch_peak_gflops"),
            (&report, "peak_memory_mib"),
            (&report["versions"], "pytorch"),
            (&report["collecting"][0], "pytorch_steps_per_sec"),
        ] {
            assert!(is_left_empty(of, missing), "{missing}: {report}");
        }
    }
}

#[test]
fn the_memory_of_training_grows_with_what_is_learned_from() {
    let peak = |sequences: &str| {
        let of = ["bench", "learner", "--only-memory", "--widths", "16", "--horizons", "8", "--sequences", sequences];
        run_in(Path::new("."), &of).json()
    };
    let (Some(few), Some(many)) = (peak("4").as_f64(), peak("1024").as_f64()) else {
        assert_ne!(std::env::consts::OS, "linux", "Linux says how much memory a process has");
        return;
    };
    assert!(few > 1.0 && many > few + 5.0 && many < 1000.0, "{few} MiB, {many} MiB");
}

#[test]
fn without_mujoco_a_measurement_of_physics_is_of_ours_alone() {
    let tiny = ["--repeats", "2", "--secs", "0.01", "--skip-memory", "--skip-robots", "--skip-scaling", "--python"];
    let told = run_in(Path::new("."), &[&["bench", "physics"], &tiny[..], &["true"]].concat());
    assert_eq!(told.code, Some(0), "{told:#?}");
    for row in ["two threads over one", "memory per world, KiB"] {
        assert!(told.stdout.contains(row), "{row}: {told:#?}");
    }
    let finished = run_in(Path::new("."), &[&["bench", "physics", "--json"], &tiny[..], &["true"]].concat());
    let report = finished.json();
    assert!(finished.stderr.contains("pip install mujoco"), "{finished:#?}");
    assert!(report["control_steps_per_sec_per_core"].as_f64().unwrap() > 10.0, "{report}");
    for missing in [
        "ratio_equal_error",
        "ratio_equal_motion",
        "ratio_equal_joint_error",
        "exactness",
        "mujoco_options",
        "versions",
        "bytes_per_world",
    ] {
        assert!(is_left_empty(&report, missing), "{missing}: {report}");
    }
    for empty in ["opponents", "by_world_count"] {
        assert_eq!(report[empty].as_array().map(Vec::len), Some(0), "{empty}: {report}");
    }
    // A ratio says nothing without both of what it is of, and is of two threads over one.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(is_left_empty(&report, "cores2"), cores < 2, "{report}");
    if cores >= 2 {
        let number = |of: &str, name: &str| report["cores2"][of][name].as_f64().unwrap();
        let lowest = number("two_threads", "min") / number("one_thread", "max");
        let highest = number("two_threads", "max") / number("one_thread", "min");
        // What is read may differ in its last bit from what was written.
        let is_between =
            0.999_999 * lowest <= number("speedup", "min") && number("speedup", "max") <= 1.000_001 * highest;
        assert!(is_between, "{report}");
        assert_eq!(report["cores2"]["speedup"]["median"], report["cores2_speedup"], "{report}");
    }
}

#[test]
fn a_measurement_of_learning_that_cannot_be_is_refused() {
    let bench = |more: &[&str], parts: &[&str]| refused(&[&["bench", "learner"], more].concat(), parts);
    bench(&["--widths", "0"], &["--widths 0", "at least one"]);
    bench(&["--sequences", "64,0"], &["--sequences 0", "at least one"]);
    bench(&["--repeats", "0"], &["--repeats 0", "at least one"]);
    bench(&["--secs", "nan"], &["--secs", "above zero"]);
    bench(&["--device", "gpu"], &["gpu", "cuda:N"]);
}

#[test]
fn a_comparison_without_mujoco_is_refused_with_what_to_install() {
    let compare = ["compare-engines", "--out", "report", "--python"];
    let advice = ["pip install mujoco", "--python"];
    refused(&[&compare[..], &["no-such-python"]].concat(), &[&advice[..], &["no-such-python"]].concat());
    // Programs that start, but are no Python with MuJoCo.
    refused(&[&compare[..], &["true"]].concat(), &advice);
    refused(&[&compare[..], &["echo"]].concat(), &advice);
    refused(&["compare-engines", "--out", "report", "--robot", "leap-rihgt"], &["did you mean", "leap-right"]);
    refused(&["compare-engines", "--out", "report", "--object", "cube-70m"], &["did you mean", "cube-70mm"]);
    refused(&["bench", "physics", "--repeats", "0"], &["--repeats 0", "at least one"]);
    refused(&["bench", "physics", "--secs", "nan"], &["--secs", "above zero"]);
}

#[test]
fn a_comparison_finds_the_same_hand_in_both_engines() {
    let Some(python) = python("mujoco, numpy", "a comparison finds the same hand in both engines") else { return };
    let folder = tempfile::tempdir().unwrap();
    let compare = ["compare-engines", "--out", "report", "--quick", "--json", "--python", &python];
    let finished = run_in(folder.path(), &compare);
    let report = finished.json();
    let errors = report["joint_response"]["errors"].as_array().unwrap();
    let error = |is_rapier: bool| {
        let mut of_engine = errors.iter().filter(|row| row["is_rapier"] == is_rapier);
        of_engine.next().unwrap()["rms_rad"].as_f64().unwrap()
    };
    assert!(error(true) > 0.0 && error(true) < 0.005, "rapier's joints are {} rad off", error(true));
    assert!(error(false) > 0.0 && error(false) < 0.01, "MuJoCo's joints are {} rad off", error(false));
    for row in report["slip"].as_array().unwrap() {
        let (slips, theory) = (row["slip_degrees"].as_f64().unwrap(), row["theory_degrees"].as_f64().unwrap());
        assert!((slips - theory).abs() < 2.0, "{row}");
    }
    for row in report["squeeze"].as_array().unwrap() {
        let (force, expected) = (row["force_newton"].as_f64().unwrap(), row["expected_newton"].as_f64().unwrap());
        assert!((force / expected - 1.0).abs() < 0.05, "{row}");
    }
    assert!(report["rest"].as_array().unwrap().iter().all(|row| row["stayed"] == true), "{report}");
    assert_eq!(report["episodes"].as_array().unwrap().len(), 2);
    let comparisons = report["comparisons"].as_array().unwrap();
    assert!(!comparisons.is_empty());
    // What a search found is covered only if it holds in episodes that the search never saw.
    for verdict in comparisons.iter().map(|row| &row["verdict"]).filter(|verdict| verdict["held_out"].is_number()) {
        let [held_out, low, high] =
            [&verdict["held_out"], &verdict["held_out_wanted"][0], &verdict["held_out_wanted"][1]]
                .map(|number| number.as_f64().unwrap());
        let expected = if (low..=high).contains(&held_out) { "covered" } else { "not_confirmed" };
        assert_eq!(verdict["is"], expected, "{verdict}");
    }
    for name in ["report.md", "report.json", "joint_response.svg", "slip.svg", "squeeze.svg", "rest.svg"] {
        assert!(folder.path().join("report").join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn lists_and_descriptions_can_be_read_by_programs_and_by_people() {
    let everything = run_in(Path::new("."), &["list", "--json"]).json();
    for kind in ["robots", "tasks", "objects", "parameters", "presets", "scenarios", "drivers", "policies"] {
        let rows = everything[kind].as_array().unwrap_or_else(|| panic!("no {kind}"));
        assert!(!rows.is_empty());
        let alone = run_in(Path::new("."), &["list", kind, "--json"]).json();
        assert_eq!(alone[kind], everything[kind]);
        for style in [&["list", kind][..], &["list", kind, "--markdown"]] {
            let text = run_in(Path::new("."), style).stdout;
            assert!(rows.iter().all(|row| text.contains(row["name"].as_str().unwrap())), "{text}");
        }
    }
    let hand = run_in(Path::new("."), &["describe", "--json"]).json();
    assert_eq!(hand["robot"]["name"], "leap-right");
    assert_eq!(hand["robot"]["joints"].as_array().unwrap().len(), 16);
    assert!(run_in(Path::new("."), &["describe"]).stdout.contains("joint_position"));
}

/// `giraffe list KIND --markdown > docs/randomization/KIND.md` makes them.
#[test]
fn the_tables_in_the_documentation_are_those_that_the_program_prints() {
    for kind in ["parameters", "presets", "scenarios"] {
        let printed = run_in(Path::new("."), &["list", kind, "--markdown"]).stdout;
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/randomization/{kind}.md"));
        assert!(std::fs::read_to_string(&kept).unwrap() == printed, "{} is not what is printed now", kept.display());
    }
}

#[test]
fn an_evaluation_repeats_itself_and_reports_every_scenario() {
    let tiny = TinyPolicy::shared();
    let evaluate =
        |more: &[&str]| run_in(tiny.home(), &[&["evaluate", "run", "--json", "--episodes", "2"], more].concat());
    let scores = evaluate(&["--scenario", "all"]).json();
    for scenario in giraffe_randomization::SCENARIOS {
        let score = &scores[scenario.name];
        assert_eq!(score["episodes"], 2, "{scores}");
        let mean = |name: &str| score["measures"][name]["value"].as_f64().unwrap();
        assert!(mean("rotation_rate_rad_per_sec").is_finite());
        assert!((0.0..=1.0).contains(&mean("no_drop_fraction")));
        let outcomes = score["outcomes"].as_object().unwrap().values();
        assert_eq!(outcomes.map(|count| count.as_u64().unwrap()).sum::<u64>(), 2, "{score}");
    }
    let again = evaluate(&[]).json();
    assert_eq!(again["none"], scores["none"], "the same seed gives the same worlds and the same bits");
    assert_ne!(evaluate(&["--seed", "2"]).json()["none"], again["none"]);
    assert_ne!(evaluate(&["--memoryless"]).json()["none"], again["none"], "the policy does not use its memory");
}

#[test]
fn training_that_is_interrupted_stops_cleanly_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["train", "--minutes", "5", "--out", "run"], &TINY[..]].concat();
    let process = Process::start(&mut giraffe(arguments), folder.path());
    while !folder.path().join("run/policy.bin").is_file() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    process.signal("INT");
    let finished = process.finish();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    assert!(finished.stderr.contains("giraffe train --resume run"), "{finished:#?}");
    let scores = run_in(folder.path(), &["evaluate", "run", "--episodes", "1", "--json"]).json();
    assert_eq!(scores["none"]["episodes"], 1);
}

#[test]
fn a_controller_that_is_interrupted_ends_within_a_second() {
    let (code, secs) = Controller::simulated().end("INT");
    assert_eq!(code, Some(0));
    assert!(secs < 1.0, "{secs} s");
}
