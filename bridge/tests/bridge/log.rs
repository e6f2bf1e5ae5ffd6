//! Logs of deployments: what is recorded comes back, whatever happens to the writer.

use crate::needs::python;
use giraffe_bridge::log::{
    DeploymentLog, EpisodeSummary, Event, EventKind, Goal, JointState, LogStart, Logged, LoggedDeployment,
    MeasuredValue, Numbers, Record, exact, read, read_bytes,
};
use giraffe_bridge::message::{Command, Pose, State};
use giraffe_bridge::wire::{Body, encode};
use giraffe_bridge::{Clock, LinkReport, LinkTap, MonotonicClock, SensedPose};
use giraffe_robots::Nanos;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command as Program;
use std::sync::Arc;
use std::time::Duration;

/// Where a policy may be told that the object is.
const BELIEVED: SensedPose =
    SensedPose { position_m: [0.1, -0.0, 1e-42], rotation_xyzw: [0.0, 0.0, 0.6, 0.8], stamp: Nanos(-5) };
const WALL_NS: u64 = 1_800_000_000_000_000_000;

pub fn state(cmd_seq: u64, q: &[f32]) -> State {
    State {
        episode: 1,
        tick: cmd_seq,
        t_meas: 50_000_000,
        q: q.to_vec(),
        dq: vec![0.0; q.len()],
        q_target: q.to_vec(),
        cmd_seq,
        cmd_age_us: 700,
        clip: 0,
        mode: "active".to_owned(),
        fault: 0,
        why: String::new(),
        rx_stale: 0,
        rx_bad: 0,
        overruns: 0,
        refused: None,
        rx_applied: None,
        rx_superseded: None,
        rx_rejected: None,
        rx_gap: None,
        dt: None,
        q_seq: None,
        cur: None,
        temp: None,
        volt: None,
        loop_us: None,
    }
}

fn pose() -> Pose {
    Pose {
        episode: 1,
        tick: 3,
        t_meas: 1,
        object: "cube".to_owned(),
        frame: "palm".to_owned(),
        p: [0.1, -0.0, 1e-42],
        q_xyzw: [0.0, 0.0, 0.0, 1.0],
        valid: true,
        truth: false,
        seen: None,
    }
}

fn command(q: &[f32]) -> Command {
    Command { episode: 1, tick: 0, state_seq: 4, t_state: 9, q: q.to_vec() }
}

pub fn start(folder: &Path, queue_records: usize) -> LogStart {
    let section = BTreeMap::from([("fingerprint".to_owned(), "abc".to_owned())]);
    LogStart {
        path: folder.join("logs").join("one.mcap"),
        clock: Arc::new(MonotonicClock::start()),
        wall_start_ns: WALL_NS,
        joints: ["a", "bc"].map(str::to_owned).to_vec(),
        sections: BTreeMap::from([("giraffe.policy".to_owned(), section)]),
        attachments: vec![("config.toml".to_owned(), "application/toml".to_owned(), b"seed = 1\n".to_vec())],
        queue_records,
    }
}

fn bytes<B: Body>(seq: u64, body: &B) -> Vec<u8> {
    encode(77, seq, 1_000, body)
}

pub fn numbers(step: u64, values: &[f32]) -> Numbers {
    Numbers { episode: 0, step, state_seq: 0, values: values.to_vec() }
}

/// What the task's goal is at a step.
pub fn goal(step: u64) -> Goal {
    let values = [("object_position", vec![0.1, -0.0, 1e-42]), ("gravity", vec![step as f32, f32::NAN, -9.81])];
    let values = values.map(|(name, values)| (name.to_owned(), values));
    let age_ns = BTreeMap::from([("object_position".to_owned(), 50_000_001)]);
    Goal { stamp: -3, episode: 0, step, number: step / 2, values: BTreeMap::from(values), age_ns }
}

/// What came of an episode.
pub fn summary() -> EpisodeSummary {
    let measure = |name: &str, unit: &str, value| MeasuredValue { name: name.to_owned(), unit: unit.to_owned(), value };
    let measures = vec![measure("rotated", "rad/s", Some(0.75)), measure("reached", "", None)];
    EpisodeSummary { outcome: "failed".to_owned(), measures }
}

/// A log with one of everything, and some steps.
pub fn written(folder: &Path, steps: u64) -> Vec<u8> {
    let log = DeploymentLog::create(start(folder, 8192)).unwrap();
    let mut handle = log.handle();
    let clock = MonotonicClock::start();
    handle.record(Record::Event(Event::new(EventKind::EpisodeStart, "").numbered(3)));
    handle.request("arm", None, clock.now());
    for step in 0..steps {
        let q = [0.1 + step as f32, -0.0];
        handle.state(&bytes(5 + step, &state(step, &q)), clock.now());
        handle.ignored(&bytes(4, &state(0, &q)), clock.now());
        handle.pose(&bytes(step + 1, &pose()), clock.now());
        if step == 1 {
            handle.sensed_pose(&BELIEVED, clock.now());
        }
        handle.record(Record::Goal(goal(step)));
        handle.record(Record::Observation(numbers(step, &[0.1, f32::MIN_POSITIVE, step as f32])));
        handle.record(Record::Action(numbers(step, &[0.3, f32::NAN])));
        handle.command(&bytes(step + 1, &command(&q)), step != 1, clock.now());
    }
    let end = Event::new(EventKind::EpisodeEnd, "").numbered(steps).summed_up(summary());
    handle.record(Record::Event(end));
    handle.record(Record::Link(LinkReport { commands_sent: 4, states_lost: 2, ..LinkReport::default() }));
    let summary = log.finish().unwrap();
    assert_eq!((summary.dropped, summary.written), (0, 4 + 7 * steps + u64::from(steps > 1)));
    std::fs::read(folder.join("logs").join("one.mcap")).unwrap()
}

fn of<T>(log: &LoggedDeployment, pick: impl Fn(&Logged) -> Option<T>) -> Vec<T> {
    log.entries.iter().filter_map(|entry| pick(&entry.logged)).collect()
}

#[test]
fn what_was_recorded_on_any_channel_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let whole = written(folder.path(), 3);
    let log = read(&folder.path().join("logs/one.mcap")).unwrap();
    assert_eq!((log.cut.as_deref(), log.unreadable), (None, 0));
    assert_eq!(log.text("giraffe.policy", "fingerprint"), Some("abc"));
    assert!(whole.windows(9).any(|bytes| bytes == b"seed = 1\n"), "attachments are in it, too");
    let states = of(&log, |logged| if let Logged::State(state) = logged { Some(state.clone()) } else { None });
    assert_eq!(states.len(), 3);
    assert_eq!((states[1].head.sid, states[1].head.seq), (77, 6));
    assert_eq!(states[1].body, state(1, &[1.1, -0.0]));
    assert!(states[0].body.q[1].is_sign_negative());
    let poses = of(&log, |logged| if let Logged::Pose(pose) = logged { Some(pose.body.clone()) } else { None });
    assert!(poses.len() == 3 && poses[0] == pose());
    let sent = of(&log, |logged| match logged {
        Logged::Command { message, sent } => Some((message.head.seq, message.body.q[0], *sent)),
        _ => None,
    });
    assert_eq!(sent, [(1, 0.1, true), (2, 1.1, false), (3, 2.1, true)]);
    let read = of(&log, |logged| if let Logged::Observation(n) = logged { Some(n.clone()) } else { None });
    assert_eq!(read[2], Numbers { state_seq: 7, ..numbers(2, &[0.1, f32::MIN_POSITIVE, 2.0]) });
    let said = of(&log, |logged| if let Logged::Action(n) = logged { Some(n.values.clone()) } else { None });
    assert!(said[0][0] == 0.3 && said[0][1].is_nan());
    let net = of(&log, |logged| if let Logged::Net(net) = logged { Some(net.clone()) } else { None }).pop().unwrap();
    assert_eq!((net.sent, net.received, net.lost, net.ignored), (4, 3, 2, 3));
    assert_eq!(net.observed_to_applied_us.total(), 2, "states 1 and 2 say that another command was applied");
    assert_eq!(net.observed_to_applied_us.quantile_us(0.5), Some(700));
    let kinds: Vec<EventKind> = of(&log, |logged| if let Logged::Event(e) = logged { Some(e.kind) } else { None });
    use EventKind::{EpisodeEnd, EpisodeStart, LogEnd, LogStart, Mode, Request};
    assert_eq!(kinds, [LogStart, EpisodeStart, Request, Mode, EpisodeEnd, LogEnd]);
    let end = log.events(EpisodeEnd).next().unwrap();
    assert_eq!((end.number, end.summary.as_ref()), (3, Some(&summary())));
    let times: Vec<u64> = log.entries.iter().map(|entry| entry.log_time_ns).collect();
    assert!(times[0] >= WALL_NS && times[0] < WALL_NS + 1_000_000_000, "the clock is mapped to the wall once");
}

#[test]
fn steps_are_put_together_with_what_they_were_computed_from() {
    let folder = tempfile::tempdir().unwrap();
    let log = read_bytes(&written(folder.path(), 3));
    let episodes = log.episodes();
    assert_eq!((episodes.len(), episodes[0].number, episodes[0].steps.len()), (1, 3, 3));
    // A step goes with the pose that the policy was told for it; without one, the last it was told gets older.
    let told: Vec<Option<SensedPose>> =
        episodes[0].steps.iter().map(|step| step.pose.as_ref().map(SensedPose::from)).collect();
    assert_eq!(told, [None, Some(BELIEVED), None]);
    assert!(told[1].is_some_and(|pose| pose.position_m[1].is_sign_negative()));
    let step = &episodes[0].steps[2];
    assert_eq!(step.state.as_ref().unwrap().head.seq, 7);
    assert_eq!(step.command.as_ref().unwrap().head.seq, 3);
    assert!(step.action.is_some() && !step.gap_before && !step.reset_before);
}

proptest! {
    #[test]
    fn a_float_in_json_keeps_its_bits_whoever_reads_it(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = String::from_utf8(exact(&[value]).unwrap()).unwrap();
        let as_float: Vec<f32> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(as_float[0].to_bits(), bits, "{}", &text);
        // A reader that knows only doubles, exactly and with an error in the last places.
        let double: f64 = text.trim_matches(['[', ']']).parse().unwrap();
        for error in [0.0, 2.0 * f64::EPSILON, -2.0 * f64::EPSILON] {
            prop_assert_eq!(((double * (1.0 + error)) as f32).to_bits(), bits, "{}", &text);
        }
    }
}

/// By hand, after the rules of CDR: little endian, each number aligned to its own size from the end of the header.
#[rustfmt::skip]
const JOINT_STATE_BYTES: [u8; 88] = [
    0x00, 0x01, 0x00, 0x00,                                     // CDR, little endian
    0x00, 0xd2, 0x49, 0x6b, 0x05, 0x00, 0x00, 0x00,             // 1800000000 s, 5 ns
    0x01, 0x00, 0x00, 0x00, 0x00, 0, 0, 0,                      // frame_id "", then up to a multiple of 4
    0x02, 0x00, 0x00, 0x00,                                     // two names
    0x02, 0x00, 0x00, 0x00, b'a', 0x00, 0, 0,                   // "a", aligned
    0x03, 0x00, 0x00, 0x00, b'b', b'c', 0x00, 0,                // "bc", aligned
    0x02, 0x00, 0x00, 0x00,                                     // two positions, at byte 36 + 4 = 40 of the body
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x3f,             // 1.0
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0xc0,             // -2.5
    0x02, 0x00, 0x00, 0x00, 0, 0, 0, 0,                         // two velocities, aligned to 8
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xe0, 0x3f,             // 0.5
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,             // 0.0
    0x00, 0x00, 0x00, 0x00,                                     // no effort
];

#[test]
fn joint_states_are_the_bytes_that_cdr_asks_for() {
    let names = ["a", "bc"].map(str::to_owned);
    let message = JointState {
        stamp_ns: WALL_NS + 5,
        names: &names,
        positions_rad: &[1.0, -2.5],
        velocities_rad_per_sec: &[0.5, 0.0],
    };
    let found = message.to_cdr();
    assert_eq!(found, JOINT_STATE_BYTES);
}

const READ_ELSEWHERE: &str = r#"
import sys
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
with open(sys.argv[1], "rb") as file:
    reader = make_reader(file, decoder_factories=[DecoderFactory()])
    assert reader.get_header().profile == "ros2"
    for _, channel, message, decoded in reader.iter_decoded_messages(topics=["/joint_states", "/joint_command"]):
        print(channel.topic, decoded.header.stamp.sec > 1.7e9, list(decoded.name), list(decoded.position),
              list(decoded.velocity), list(decoded.effort))
"#;

#[test]
fn another_reader_finds_the_same_joint_states() {
    let Some(python) = python("mcap, mcap_ros2", "another reader finds the same joint states") else { return };
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 1);
    let mut reader = Program::new(python);
    let output = reader.args(["-c", READ_ELSEWHERE]).arg(folder.path().join("logs/one.mcap")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = "/joint_states True ['a', 'bc'] [0.10000000149011612, -0.0] [0.0, 0.0] []\n\
                    /joint_command True ['a', 'bc'] [0.10000000149011612, -0.0] [] []\n";
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_log_cut_anywhere_is_read_up_to_there_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = written(folder.path(), 40);
    // As text: NaN is not equal to itself.
    let told = |log: &LoggedDeployment| log.entries.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>();
    let all = read_bytes(&whole);
    let all_told = told(&all);
    let mut most = 0;
    let step = (whole.len() / 997).max(1);
    for length in (0..whole.len()).step_by(step).chain(whole.len().saturating_sub(300)..whole.len()) {
        let cut = read_bytes(&whole[..length]);
        assert!(all_told.starts_with(&told(&cut)), "cut at {length}: other entries");
        assert!(cut.entries.len() >= most, "cut at {length}: fewer entries than a shorter log has");
        most = cut.entries.len();
        // Behind the last message only indexes come.
        assert!(cut.cut.is_some() || cut.entries.len() == all.entries.len(), "cut at {length}, and nobody says so");
    }
    assert_eq!(most, all.entries.len());
}

#[test]
fn a_log_with_any_byte_altered_is_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = written(folder.path(), 4);
    for at in (0..whole.len()).step_by(7) {
        let mut altered = whole.clone();
        altered[at] ^= 0x41;
        let _ = read_bytes(&altered).episodes();
    }
}

#[test]
fn a_full_queue_drops_records_but_nobody_waits_and_the_gaps_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = DeploymentLog::create(start(folder.path(), 4)).unwrap();
    let handle = log.handle();
    let mut recorded = 0;
    while recorded < 2_000_000 && (handle.dropped() < 10 || recorded < 5_000) {
        handle.record(Record::Observation(numbers(recorded, &[0.5; 64])));
        recorded += 1;
    }
    let dropped = handle.dropped();
    assert!(dropped > 0, "{recorded} records at once fit into a queue of four");
    // Afterwards it goes on as if nothing had been.
    std::thread::sleep(Duration::from_millis(300));
    handle.record(Record::Observation(numbers(recorded, &[1.5])));
    let summary = log.finish().unwrap();
    assert_eq!((summary.dropped, summary.written), (dropped, recorded + 1 - dropped));
    let log = read(&folder.path().join("logs/one.mcap")).unwrap();
    let missing: u64 = log.events(EventKind::LogDropped).map(|event| event.number).sum();
    assert_eq!(missing, dropped);
    // Each gap stands where records are missing.
    let (mut next, mut gap) = (0, 0);
    for entry in &log.entries {
        match &entry.logged {
            Logged::Event(event) if event.kind == EventKind::LogDropped => gap = event.number,
            Logged::Observation(numbers) => {
                assert_eq!(numbers.step, next + gap);
                (next, gap) = (numbers.step + 1, 0);
            }
            _ => {}
        }
    }
    assert_eq!(next, recorded + 1);
}

#[test]
fn a_log_whose_writer_never_came_to_an_end_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = DeploymentLog::create(start(folder.path(), 64)).unwrap();
    let path = log.path().to_owned();
    let handle = log.handle();
    handle.record(Record::Observation(numbers(0, &[0.25])));
    // As after a kill: nobody says that it is over.
    let found = |path: &Path| {
        read(path).is_ok_and(|log| {
            assert!(log.cut.is_some());
            log.entries.iter().any(|entry| matches!(&entry.logged, Logged::Observation(n) if n.values == [0.25]))
        })
    };
    let begun = MonotonicClock::start();
    while !found(&path) {
        assert!(begun.now() < Nanos::from_secs(20.0), "never flushed");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(log);
    assert_eq!(read(&path).unwrap().cut, None, "dropping a log finishes it");
}

#[test]
fn what_is_no_log_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.mcap");
    assert!(read(&path).unwrap_err().to_string().contains("other.mcap"));
    std::fs::write(&path, b"no log at all").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("expected an MCAP file"));
    std::fs::write(&path, &written(folder.path(), 0)[..9]).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("log_start"));
    let again = start(folder.path(), 8);
    let refused = DeploymentLog::create(again).err().unwrap().to_string();
    assert!(
        refused.contains("one.mcap") && refused.contains("exists"),
        "an earlier log is never overwritten: {refused}"
    );
}

#[test]
#[ignore = "a measurement: run it with --ignored --nocapture, on a machine that does nothing else"]
fn what_a_minute_costs() {
    const STEPS: u64 = 1200;
    let folder = tempfile::tempdir().unwrap();
    let joints = (0..16).map(|joint| format!("joint_{joint:02}")).collect();
    let log = DeploymentLog::create(LogStart { joints, ..start(folder.path(), 1 << 16) }).unwrap();
    let (mut handle, clock) = (log.handle(), MonotonicClock::start());
    // Numbers without a pattern that a packer would find.
    let mut bits = 1_u32;
    let mut noise = |count: usize| -> Vec<f32> {
        let draw = |_| {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (bits >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).map(draw).collect()
    };
    let mut took_us = Vec::new();
    for step in 0..STEPS {
        let (q, observation) = (noise(16), noise(96));
        let [sensed, seen] = [bytes(step + 1, &state(step, &q)), bytes(step + 1, &pose())];
        let told = bytes(step + 1, &command(&q));
        let begun = clock.now();
        handle.state(&sensed, begun);
        handle.pose(&seen, begun);
        handle.record(Record::Observation(numbers(step, &observation)));
        handle.record(Record::Action(numbers(step, &q)));
        handle.command(&told, true, begun);
        took_us.push((clock.now().0 - begun.0) as f64 * 1e-3);
        std::thread::sleep(Duration::from_millis(5));
    }
    let path = log.path().to_owned();
    assert_eq!(log.finish().unwrap().dropped, 0);
    took_us.sort_by(f64::total_cmp);
    let at = |fraction: f64| took_us[(fraction * (took_us.len() - 1) as f64) as usize];
    let size = std::fs::metadata(path).unwrap().len() as f64 / 1e6;
    println!(
        "one minute at 20 Hz, 16 joints, 96 columns: {size:.2} MB; recording a step: median {:.1} us, 99 % {:.1} us, \
         worst {:.1} us",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
