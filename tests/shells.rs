//! What shells do to a program: pipes whose reader goes away, full disks, too little memory, Ctrl-Z, numbers that are none.

use crate::metrics::rows;
use crate::support::{Controller, Finished, Process, TINY, TinyPolicy, checkpoints, giraffe, run_in, steps};
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const INTERNAL: [&str; 4] = ["panicked", "RUST_BACKTRACE", "core dumped", "memory allocation of"];

fn assert_in_words(finished: &Finished) {
    assert!(INTERNAL.iter().all(|word| !finished.stderr.contains(word)), "{finished:#?}");
}

/// Where a stream goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stream {
    /// A file that is read afterwards.
    Kept,
    /// A pipe whose reader has gone.
    Unread,
    /// A disk without space.
    Full,
}

/// Replaces one stream of a process that is about to start.
fn redirected(command: &mut Command, stream: Stream, is_stdout: bool) {
    let target: Stdio = match stream {
        Stream::Kept => return,
        Stream::Unread => std::io::pipe().unwrap().1.into(),
        Stream::Full => OpenOptions::new().write(true).open("/dev/full").unwrap().into(),
    };
    if is_stdout {
        command.stdout(target)
    } else {
        command.stderr(target)
    };
}

/// Starts the program with its streams like that.
pub fn start(arguments: &[&str], folder: &Path, stdout: Stream, stderr: Stream) -> Process {
    let mut command = giraffe(arguments);
    // Whoever runs the tests may have been told not to hear that a terminal is gone, and would pass that on.
    // SAFETY: one call that is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        });
    }
    Process::start_with(&mut command, folder, |command| {
        redirected(command, stdout, true);
        redirected(command, stderr, false);
    })
}

fn run_with(arguments: &[&str], folder: &Path, stdout: Stream, stderr: Stream) -> Finished {
    start(arguments, folder, stdout, stderr).finish()
}

/// Everything that reports something, and the exit code it has.
fn reporting<'a>(endpoint: &'a str, log: &'a str) -> Vec<(Vec<&'a str>, i32)> {
    let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
    let mut all: Vec<(Vec<&str>, i32)> = [
        "list",
        "list --json",
        "list parameters --markdown",
        "--help",
        "help train",
        "train --help",
        "--version",
        "describe",
        "describe leap-right --json",
        "evaluate run --episodes 2",
        "evaluate run --episodes 2 --json",
        "replay run --world 1",
        "replay run --world 1 --plan-only --json",
        "plot run --out pictures",
        "plot run --out pictures --json",
        "compare-policies --policy a=run --test none --episodes 2 --out compared",
        "compare-policies --policy a=run --test none --episodes 2 --out compared --json",
        "bench learner --quick --json --widths 16 --horizons 4 --sequences 8 --secs 0.01 --skip-memory --python true",
        "bench learner --only-memory --widths 16 --horizons 4 --sequences 8",
    ]
    .map(|text| (words(text), 0))
    .to_vec();
    all.push((vec!["deploy", "run", "--no-log", "--episodes", "1", "--connect", endpoint], 0));
    all.push((vec!["deploy", "run", "--no-log", "--episodes", "1", "--json", "--connect", endpoint], 0));
    all.push((vec!["stop", endpoint], 0));
    all.push((vec!["replay", log], 0));
    all
}

/// The log of a deployment in the folder of the run.
fn a_log(home: &Path, endpoint: &str, name: &str) -> String {
    let log = format!("run/deployments/{name}.mcap");
    let finished = run_in(home, &["deploy", "run", "--episodes", "1", "--log", &log, "--connect", endpoint]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    log
}

#[test]
fn a_reader_that_goes_away_ends_every_report_quietly() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let log = a_log(tiny.home(), &controller.endpoint, "shells-unread");
    for (arguments, code) in reporting(&controller.endpoint, &log) {
        let finished = run_with(&arguments, tiny.home(), Stream::Unread, Stream::Kept);
        assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:#?}");
        assert_in_words(&finished);
        assert!(
            !finished.stderr.contains("error:") && !finished.stderr.contains("standard output"),
            "{arguments:?}: {finished:#?}"
        );
        let silent = run_with(&arguments, tiny.home(), Stream::Unread, Stream::Unread);
        assert_eq!(silent.code, Some(code), "{arguments:?}: {silent:#?}");
    }
    // What a controller has just done may make it break a rule; a reader that goes away does not.
    let checked = run_with(&["check-controller", &controller.endpoint], tiny.home(), Stream::Unread, Stream::Kept);
    assert!(matches!(checked.code, Some(0 | 1)) && checked.stderr.is_empty(), "{checked:#?}");
    let refused = run_with(&["describe", "piano"], tiny.home(), Stream::Unread, Stream::Unread);
    assert_eq!(refused.code, Some(2), "a mistake is one, whether anybody reads of it or not");
}

#[test]
fn a_report_that_cannot_be_written_is_a_mistake_in_words() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let log = a_log(tiny.home(), &controller.endpoint, "shells-full");
    for (arguments, _) in reporting(&controller.endpoint, &log) {
        let finished = run_with(&arguments, tiny.home(), Stream::Full, Stream::Kept);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:#?}");
        assert_in_words(&finished);
        assert!(finished.stderr.contains("error: writing to standard output: No space left"), "{finished:#?}");
        assert_eq!(run_with(&arguments, tiny.home(), Stream::Full, Stream::Full).code, Some(2), "{arguments:?}");
    }
    // What is no result may be lost.
    assert_eq!(run_with(&["describe", "piano"], tiny.home(), Stream::Kept, Stream::Full).code, Some(2));
    assert_eq!(run_with(&["list"], tiny.home(), Stream::Kept, Stream::Full).code, Some(0));
}

#[test]
fn a_run_does_not_die_of_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    for (name, stdout, stderr) in [
        ("unread", Stream::Unread, Stream::Unread),
        ("full", Stream::Full, Stream::Full),
        ("silent", Stream::Kept, Stream::Unread),
    ] {
        let until = steps(6);
        let arguments = [&["train", "-vv", "--out", name, "--steps", &until], &TINY[..]].concat();
        let finished = run_with(&arguments, folder.path(), stdout, stderr);
        assert_eq!(finished.code, Some(0), "{name}: {finished:#?}");
        assert_eq!(rows(&folder.path().join(name)).len(), 6);
        assert_eq!(checkpoints(&folder.path().join(name)).len(), 2);
    }
}

#[test]
fn a_hang_up_that_whoever_started_it_told_it_to_ignore_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["train", "--minutes", "5", "--out", "run"], &TINY[..]].concat();
    let mut command = giraffe(arguments);
    // As `nohup` does.
    // SAFETY: one call that is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
            Ok(())
        });
    }
    let mut process = Process::start(&mut command, folder.path());
    while checkpoints(&folder.path().join("run")).len() < 2 {
        assert!(process.is_running(), "{:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(5));
    }
    process.signal("HUP");
    std::thread::sleep(Duration::from_millis(700));
    assert!(process.is_running(), "{:#?}", process.finish());
    process.signal("TERM");
    assert_eq!(process.finish().code, Some(130));
}

#[test]
fn what_there_is_no_memory_for_is_refused_before_any_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, parts) in [
        (&["ppo.core_width=100000"][..], &["needs at least 210", "GiB", "lower ppo.core_width"][..]),
        (&["ppo.core_width=10000000000"], &["needs at least", "lower ppo.core_width"]),
        (&["ppo.encoder_width=900000000000"], &["needs at least", "ppo.encoder_width"]),
        (&["ppo.core_layers=100000000"], &["needs at least", "ppo.core_layers"]),
        (&["ppo.horizon_steps=1000000000"], &["needs at least", "ppo.horizon_steps"]),
        (&["worlds.world_count=1000000000"], &["needs at least", "worlds.world_count"]),
        (&["worlds.world_count=9000000000000000000"], &["needs at least", "worlds.world_count"]),
        (&["worlds.world_count=9000000000000000000", "ppo.chunk_steps=1"], &["needs at least", "worlds.world_count"]),
        (&["ppo.head=categorical", "ppo.bin_count=100000000000"], &["needs at least", "lower ppo.bin_count"]),
        (&["randomization.adr.enabled=true", "worlds.world_count=9000000000000000000"], &["needs at least"]),
        (&["worlds.thread_count=100000"], &["worlds.thread_count = 100000", "at most 1024"]),
        (&["ppo.thread_count=100000"], &["ppo.thread_count = 100000", "at most 1024"]),
    ] {
        for command in ["train", "quickstart"] {
            let set = settings.iter().flat_map(|setting| ["--set", setting]);
            let arguments: Vec<&str> = [command, "--out", "run"].into_iter().chain(set).collect();
            let finished = run_in(folder.path(), &arguments);
            assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:#?}");
            assert_in_words(&finished);
            assert!(finished.secs < 10.0, "{arguments:?}: {finished:#?}");
            assert!(parts.iter().all(|part| finished.stderr.contains(part)), "{parts:?} are not in {finished:#?}");
            assert!(!folder.path().join("run").exists());
        }
    }
    let tiny = TinyPolicy::shared();
    let compare = ["compare-policies", "--policy", "a=run", "--out", "never", "--threads", "100000"];
    let finished = run_in(tiny.home(), &compare);
    assert!(finished.code == Some(2) && finished.stderr.contains("--threads = 100000"), "{finished:#?}");
}

/// Runs the program with so many KiB of address space.
fn limited(kib: u64, arguments: &[&str], folder: &Path) -> Finished {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("ulimit -v {kib}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_giraffe"))
        .args(arguments);
    Process::start(&mut shell, folder).finish()
}

#[test]
fn too_little_memory_is_said_in_words_at_whatever_moment_it_shows() {
    let tiny = TinyPolicy::shared();
    let (until, mut succeeded) = (steps(3), 0);
    for mib in [160, 250, 400, 600, 1000, 2000, 4000] {
        let name = format!("limited-{mib}");
        for arguments in [
            [&["train", "--out", &name, "--steps", &until], &TINY[..]].concat(),
            vec!["evaluate", "run", "--episodes", "2"],
            vec!["describe"],
        ] {
            let finished = limited(mib * 1024, &arguments, tiny.home());
            // The system cannot so much as start a program of this size in the least of them.
            let never_began = finished.code == Some(127) || finished.stderr.contains("error while loading");
            assert!(matches!(finished.code, Some(0 | 2)) || never_began, "{mib} MiB, {arguments:?}: {finished:#?}");
            assert_in_words(&finished);
            succeeded += u32::from(finished.code == Some(0));
            assert!(finished.code != Some(2) || finished.stderr.contains("error: "), "{finished:#?}");
        }
    }
    assert!(succeeded >= 3, "with 4 GB everything is done");
    let large = [&["train", "--out", "large"], &TINY[..], &["--set", "ppo.core_width=6000"]].concat();
    let refused = limited(3_000_000, &large, tiny.home());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("ulimit -v") && refused.stderr.contains("there are 2.9 GiB"), "{refused:#?}");
}

#[test]
fn what_is_no_number_is_told_what_is() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["train", "quickstart", "evaluate run", "deploy run", "replay run", "serve"] {
        for seed in ["-1", "1.5", "-1e3", "seven"] {
            let arguments: Vec<&str> = command.split(' ').chain(["--seed", seed]).collect();
            let finished = run_in(folder.path(), &arguments);
            assert_eq!(finished.code, Some(2), "{finished:#?}");
            let part = "a seed is a whole number from 0 to 18446744073709551615";
            assert!(finished.stderr.contains(part), "{arguments:?}: {finished:#?}");
        }
    }
    for (arguments, parts) in [
        ("train --steps -5", &["--steps", "a whole number, 0 or more"][..]),
        ("train --minutes -5", &["--minutes -5", "above zero"]),
        ("train --minutes fast", &["--minutes", "expected a number"]),
        ("evaluate run --episodes -1", &["--episodes", "a whole number, 0 or more"]),
        ("quickstart --deployed-episodes -1", &["--deployed-episodes", "a whole number"]),
        ("replay run --world -3", &["--world", "a whole number, 0 or more"]),
        ("compare-policies --policy a=run --out o --threads -1", &["--threads", "a whole number, 0 or more"]),
        ("compare-engines --out o --episodes -1", &["--episodes", "a whole number"]),
        ("train --set seed=-1", &["seed"]),
    ] {
        let finished = run_in(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(finished.code, Some(2), "{arguments}: {finished:#?}");
        assert!(parts.iter().all(|part| finished.stderr.contains(part)), "{arguments}: {finished:#?}");
        assert!(!finished.stderr.contains("unexpected argument"), "{arguments}: {finished:#?}");
    }
}

#[test]
fn the_time_of_a_suspension_is_no_time_of_training() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["train", "--minutes", "0.05", "--out", "run", "--json"], &TINY[..]].concat();
    let mut process = Process::start(&mut giraffe(arguments), folder.path());
    let run = folder.path().join("run");
    while !run.join("metrics.jsonl").is_file() || rows(&run).is_empty() {
        assert!(process.is_running(), "{:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(5));
    }
    process.signal("STOP");
    std::thread::sleep(Duration::from_secs(4));
    process.signal("CONT");
    let finished = process.finish();
    let trained = finished.json()["train_seconds"].as_f64().unwrap();
    // However busy the machine: of the time of the process, four seconds were none of training.
    let most = finished.secs - 3.9;
    assert!(
        (3.0..most).contains(&trained),
        "{trained} s of training, in {} s of which four were suspended",
        finished.secs
    );
}

#[test]
fn a_quoted_name_of_a_parameter_is_understood_as_well_as_a_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    let range = "{ uniform = { min = 0.5, max = 2.0 } }";
    let written = |name: &str, setting: &str| {
        let arguments = [&["train", "--out", name, "--steps", "64", "--set", setting], &TINY[..]].concat();
        let finished = run_in(folder.path(), &arguments);
        assert_eq!(finished.code, Some(0), "{setting}: {finished:#?}");
        std::fs::read_to_string(folder.path().join(name).join("config.toml")).unwrap()
    };
    let plain = written("plain", &format!("randomization.ranges.joint.damping={range}"));
    assert!(plain.contains("\"joint.damping\" = { uniform = { min = 0.5, max = 2 } }"), "{plain}");
    for (name, setting) in [
        ("double", format!("randomization.ranges.\"joint.damping\"={range}")),
        ("single", format!("randomization.ranges.'joint.damping' = {range}")),
        ("table", format!("randomization.ranges={{ \"joint.damping\" = {range} }}")),
        ("lines", format!("[randomization.ranges]\n\"joint.damping\" = {range}")),
    ] {
        assert_eq!(written(name, &setting), plain, "{setting}");
    }
    for (setting, part) in [
        ("randomization.ranges.\"joint.dampin\"=1.0", "did you mean `joint.damping`"),
        ("randomization.ranges={ joint.dampin = 1.0 }", "did you mean `joint.damping`"),
        ("ppo={ core_widht = 3 }", "did you mean `ppo.core_width`"),
    ] {
        let finished = run_in(folder.path(), &["train", "--set", setting]);
        assert!(finished.code == Some(2) && finished.stderr.contains(part), "{setting}: {finished:#?}");
    }
}

#[test]
fn a_paired_deployment_that_is_not_equal_is_different_and_names_the_first_setting() {
    let tiny = TinyPolicy::shared();
    let deploy = |controller: &Controller, more: &[&str]| {
        let deploy = ["deploy", "run", "--paired", "--no-log", "--episodes", "2", "--connect", &controller.endpoint];
        run_in(tiny.home(), &[&deploy[..], more].concat())
    };
    let served = |set: &'static str| {
        Controller::start(move |endpoint| giraffe(["serve", "--driver", "sim", "--bind", endpoint, "--set", set]))
    };
    let equal = deploy(&served("seed=1"), &[]);
    assert!(equal.code == Some(0) && equal.stdout.contains("2 of 2 episodes equal bit for bit"), "{equal:#?}");
    for (set, part) in [
        ("physics.substep_count=4", "physics.substep_count is 4 in the controller and 2 in the process"),
        ("physics.inner_iteration_count=3", "physics.inner_iteration_count is 3 in the controller and 6 in"),
    ] {
        let controller = served(set);
        let different = deploy(&controller, &[]);
        assert_eq!(different.code, Some(1), "{set}: {different:#?}");
        assert!(
            different.stdout.contains("0 of 2 episodes equal") && different.stdout.contains(part),
            "{different:#?}"
        );
        let different = deploy(&controller, &["--json"]);
        let report: serde_json::Value = serde_json::from_str(&different.stdout).unwrap();
        assert_eq!((different.code, &report["paired"]["equal"]), (Some(1), &0.into()), "{different:#?}");
        assert!(report["paired"]["cause"].as_str().unwrap().contains(part), "{report}");
    }
    // Another object is no setting that makes a difference: nothing is begun with it.
    let refused = deploy(&served("object=cube-57mm"), &[]);
    assert!(refused.code == Some(2) && refused.stderr.contains("OBJECT_MISMATCH"), "{refused:#?}");
}

#[test]
fn a_log_in_which_nothing_can_be_compared_is_not_equal() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let log = tiny.home().join(a_log(tiny.home(), &controller.endpoint, "shells-cut-short"));
    let whole = std::fs::read(&log).unwrap();
    let cut = tiny.home().join("run/deployments/cut.mcap");
    let (mut nothing, mut something) = (0, 0);
    for length in (1..40).map(|part| part * whole.len() / 40) {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let finished = run_in(tiny.home(), &["replay", cut.to_str().unwrap(), "--json"]);
        let Ok(report) = serde_json::from_str::<serde_json::Value>(&finished.stdout) else {
            assert_eq!(finished.code, Some(2), "{finished:#?}");
            continue;
        };
        let checked: u64 = ["observations", "actions", "targets", "applied"]
            .iter()
            .map(|channel| report[channel]["checked"].as_u64().unwrap())
            .sum();
        assert_eq!(
            (finished.code, &report["equal"]),
            (Some(i32::from(checked == 0)), &(checked > 0).into()),
            "{report}"
        );
        if checked == 0 {
            let text = run_in(tiny.home(), &["replay", cut.to_str().unwrap()]).stdout;
            assert!(text.contains("NOTHING COMPARED") && !text.contains("equal"), "{text}");
            nothing += 1;
        } else {
            something += 1;
        }
    }
    std::fs::remove_file(cut).unwrap();
    assert!(nothing > 0 && something > 0, "{nothing} with nothing, {something} with something to compare");
}
