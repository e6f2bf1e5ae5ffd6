//! Processes that learn together over MPI. Only with the feature `mpi`; needs `mpirun`.

use crate::support::{Finished, Process, TINY, checkpoints, now, run_in, steps, train};
use giraffe::learn::processes::{Processes, leave};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Every process has two worlds, and as many in every gradient step.
const HALVES: [&str; 2] = ["--set", "ppo.minibatch_count=2"];

/// `giraffe` in two processes on this machine, however few cores it has and whoever runs the test.
fn two_processes(arguments: &[&str]) -> Command {
    let mut command = mpirun("2");
    command.arg(env!("CARGO_BIN_EXE_giraffe")).args(arguments);
    command
}

/// So many processes of what is added.
fn mpirun(count: &str) -> Command {
    let mut command = Command::new("mpirun");
    command.envs(["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"].map(|name| (name, "1")));
    command.args(["--oversubscribe", "--bind-to", "none", "-n", count]);
    command
}

fn run_two(folder: &Path, arguments: &[&str]) -> Finished {
    Process::start(&mut two_processes(arguments), folder).finish()
}

fn rows(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every number of the first iterations that learning has to do with, within so much of its size in each.
fn assert_alike(one: &Path, other: &Path, shares: &[f64]) {
    let compared = [
        "mean_reward",
        "policy_loss",
        "value_loss",
        "approx_kl",
        "explained_variance",
        "return_std",
        "entropy",
        "actor_gradient_norm",
        "critic_gradient_norm",
        "clip_fraction",
        "learning_rate",
    ];
    for ((row, other), share) in rows(one).iter().zip(rows(other)).zip(shares) {
        assert_eq!(row["control_steps"], other["control_steps"]);
        assert_eq!(row["episode_count"], other["episode_count"]);
        for name in compared {
            let (a, b) = (row[name].as_f64().unwrap(), other[name].as_f64().unwrap());
            assert!((a - b).abs() < share * (a.abs() + 1e-2), "iteration {}: {name} {a} {b}", row["iteration"]);
        }
    }
}

#[test]
fn two_processes_learn_what_one_with_all_their_worlds_learns_and_either_goes_on_with_the_others_run() {
    let home = tempfile::tempdir().unwrap();
    let alone = train(home.path(), "alone", 4, &HALVES);
    let arguments = |name, steps| [&["train", "--out", name, "--steps", steps], &TINY[..], &HALVES].concat();
    let finished = run_two(home.path(), &arguments("two", &steps(4)));
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let two = home.path().join("two");
    assert_eq!(rows(&two).len(), 4);
    // The first iteration differs by the order of additions. From there on contact makes worlds drift apart: the second
    // sees the same update through worlds a little elsewhere.
    assert_alike(&alone, &two, &[1e-3, 5e-2]);

    let goes_on = |finished: Finished, run: &Path, iterations: usize| {
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        assert_eq!(rows(run).len(), iterations);
    };
    goes_on(run_in(home.path(), &["train", "--resume", "two", "--steps", &steps(6)]), &two, 6);
    goes_on(run_two(home.path(), &["train", "--resume", "two", "--steps", &steps(8)]), &two, 8);
    goes_on(run_two(home.path(), &["train", "--resume", "two", "--steps", &steps(8)]), &two, 8);
    goes_on(run_two(home.path(), &["train", "--resume", "alone", "--steps", &steps(6)]), &alone, 6);
}

/// What process `rank` says in conversation `number`: nothing, little, or more than a round takes.
fn said(rank: usize, number: usize) -> Vec<u8> {
    let length = [0, 1, 999, 25_000, 1000][(rank + number) % 5];
    (0..length).map(|at| (at * (rank + 3) + number) as u8).collect()
}

/// A round of this test takes so much, of all processes together.
const ROUND_BYTES: usize = 1000;

#[test]
#[ignore = "one of the three processes of the next test"]
fn in_one_of_three_processes_all_is_heard_by_whom_it_is_for() {
    let processes = Processes::join_in_rounds_of(ROUND_BYTES).unwrap();
    let (rank, count) = (processes.share().rank, processes.count());
    assert_eq!(count, 3);
    for number in 0..10 {
        let all: Vec<Vec<u8>> = (0..count).map(|rank| said(rank, number)).collect();
        assert!(processes.gather(&said(rank, number)) == all, "conversation {number}");
        let heard = processes.gather_to_first(&said(rank, number));
        assert!(heard == if rank == 0 { all } else { Vec::new() }, "conversation {number}");
    }
    drop(processes);
    leave();
    println!("rank {rank} heard all");
}

/// As the worlds of a large run are gathered, which 32-bit counts could not count: there a round is 64 MiB.
#[test]
fn what_is_too_much_for_one_round_is_gathered_in_several() {
    let home = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let inner = "several_processes::in_one_of_three_processes_all_is_heard_by_whom_it_is_for";
    let mut command = mpirun("3");
    command.arg(this).args(["--ignored", "--exact", inner, "--nocapture"]);
    let finished = Process::start(&mut command, home.path()).finish();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    for rank in 0..3 {
        assert!(finished.stdout.contains(&format!("rank {rank} heard all")), "{finished:#?}");
    }
}

#[test]
fn two_interrupted_processes_continue_bit_for_bit() {
    let home = tempfile::tempdir().unwrap();
    for (name, parts) in [("whole", vec![12]), ("parts", vec![5, 12])] {
        let until = steps(parts[0]);
        let first = run_two(home.path(), &[&["train", "--out", name, "--steps", &until], &TINY[..], &HALVES].concat());
        assert_eq!(first.code, Some(0), "{first:#?}");
        for more in &parts[1..] {
            let next = run_two(home.path(), &["train", "--resume", name, "--steps", &steps(*more)]);
            assert_eq!(next.code, Some(0), "{next:#?}");
        }
    }
    let policy = |name: &str| std::fs::read(home.path().join(name).join("policy.bin")).unwrap();
    assert!(policy("whole") == policy("parts"), "the policies differ");
}

/// The process ids of the learners that `mpirun` started for this run, by rank as far as ids tell.
fn learners(run: &Path) -> Vec<u32> {
    let mine = |entry: &std::fs::DirEntry| -> Option<u32> {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let mut words = command.split('\0');
        (words.next()? == env!("CARGO_BIN_EXE_giraffe") && words.any(|word| Path::new(word) == run)).then_some(id)
    };
    let mut ids: Vec<u32> = std::fs::read_dir("/proc").unwrap().filter_map(|entry| mine(&entry.ok()?)).collect();
    ids.sort_unstable();
    ids
}

/// Starts a run without an end, sends a signal to the second process, and waits until all are gone.
fn signalled(run: &Path, signal: &str) -> Finished {
    let far = steps(1_000_000);
    let arguments = [&["train", "--out", run.to_str().unwrap(), "--steps", &far], &TINY[..], &HALVES].concat();
    let mut process = Process::start(&mut two_processes(&arguments), run.parent().unwrap());
    let begun = now();
    while checkpoints(run).len() < 2 {
        assert!(process.is_running(), "it ended by itself: {:#?}", process.finish());
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to a checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    let ids = learners(run);
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(Command::new("kill").args([&format!("-{signal}"), &ids[1].to_string()]).status().unwrap().success());
    let begun = now();
    let finished = process.finish();
    assert!(begun.elapsed() < Duration::from_secs(30), "{finished:#?}");
    finished
}

#[test]
fn when_a_process_is_lost_all_end_and_the_run_can_be_resumed() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    let finished = signalled(&run, "KILL");
    assert!(finished.code != Some(0), "{finished:#?}");
    let before = rows(&run).len() as u64;
    let finished = run_two(home.path(), &["train", "--resume", "run", "--steps", &steps(before + 3)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(rows(&run).len() as u64, before + 3);
}

#[test]
fn when_one_process_is_asked_to_stop_all_stop_with_a_checkpoint_of_the_last_iteration() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    let finished = signalled(&run, "TERM");
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    let newest = checkpoints(&run).pop().unwrap();
    let iteration: usize = newest.file_name().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!(rows(&run).len(), iteration);
}

#[test]
fn a_mistake_of_one_process_ends_all() {
    let home = tempfile::tempdir().unwrap();
    let alone = train(home.path(), "run", 2, &HALVES);
    std::fs::create_dir(home.path().join("elsewhere")).unwrap();
    let mut command = two_processes(&["train", "--resume", alone.to_str().unwrap()]);
    command.args([":", "-n", "1", env!("CARGO_BIN_EXE_giraffe"), "train", "--resume", "elsewhere"]);
    let finished = Process::start(&mut command, home.path()).finish();
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.stderr.contains("elsewhere is not the folder of a run"), "{finished:#?}");
}

#[test]
fn worlds_that_cannot_be_shared_evenly_are_refused_by_all_at_once() {
    let home = tempfile::tempdir().unwrap();
    let odd = ["train", "--out", "odd", "--steps", "64", "--set", "worlds.world_count=5"];
    let finished = run_two(home.path(), &odd);
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.stderr.contains("worlds.world_count = 5: expected a multiple of 2"), "{finished:#?}");
}
