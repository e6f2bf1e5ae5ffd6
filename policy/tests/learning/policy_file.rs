//! Files of policies: what they keep, and that old ones go on meaning what they meant.

use crate::{bits, config, context, train};
use giraffe_policy::{HeadKind, Policy, PolicyRunner, PpoConfig};
use giraffe_robots::{SeedTree, Stream};
use rand::RngExt;
use std::path::Path;

/// The shipped policy `leap-right/rotate-z`, in format 1.
pub fn shipped() -> Policy {
    Policy::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/leap-right/rotate-z/policy.bin")).unwrap()
}

/// A hash of all bits of the actions of 200 steps, after observations drawn by lot, everything forgotten once.
fn deeds(policy: &Policy) -> u64 {
    let mut runner = PolicyRunner::new(policy);
    let mut rng = SeedTree::new(7).stream(Stream::Toy, 0, 0);
    let mut actions = vec![0.0; runner.action_width()];
    let mut hash = 0u64;
    for step in 0..200 {
        if step == 120 {
            runner.reset();
        }
        let observation: Vec<f32> = (0..runner.observation_width()).map(|_| rng.random_range(-2.0..2.0)).collect();
        runner.act(&observation, &mut actions).unwrap();
        for action in &actions {
            hash = (hash ^ u64::from(action.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[test]
fn an_old_file_loads_acts_as_ever_and_keeps_its_identity() {
    let policy = shipped();
    assert_eq!(policy.log_std(), None);
    // As computed by the commit that wrote format 1 last.
    assert_eq!(deeds(&policy), 0xb630_553a_7b19_804e);
    assert_eq!(policy.fingerprint().unwrap(), "fbb1f02e383ca18bbaaa50327a62de971b47f6f417cb779e332d6da419097ba2");
    // Saved again it is of its own format still, so that logs go on knowing it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.bin");
    policy.save(&path).unwrap();
    assert_eq!(&std::fs::read(&path).unwrap()[15..19], 1u32.to_le_bytes());
    assert_eq!(Policy::load(&path).unwrap(), policy);
}

#[test]
fn a_file_keeps_how_far_its_policy_explored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.bin");
    for head in [HeadKind::Gaussian, HeadKind::Categorical] {
        let (learner, reports) = train(&PpoConfig { head, ..config() }, 3);
        let policy = learner.export(context());
        policy.save(&path).unwrap();
        let read = Policy::load(&path).unwrap();
        assert_eq!(read, policy);
        assert_eq!(bits(read.weights()), bits(policy.weights()));
        assert_eq!(read.fingerprint().unwrap(), policy.fingerprint().unwrap());
        match (head, read.log_std()) {
            (HeadKind::Gaussian, Some(&[log_std])) => {
                let std = reports.last().unwrap().mean_std;
                assert!((log_std.exp() - std).abs() < 1e-6, "{log_std} for {std}");
                assert!((std - config().initial_std).abs() > 1e-4, "nothing was learned");
            }
            (HeadKind::Categorical, None) => {}
            (_, found) => panic!("{head:?}: {found:?}"),
        }
    }
}
