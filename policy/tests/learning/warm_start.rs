//! Starting as another run ended, in worlds where there is more to read.

use crate::{WORLDS, bits, config, context, train};
use giraffe_policy::{DeviceChoice, IterationReport, Policy, PolicyError, PolicyRunner, PpoConfig, PpoLearner};
use giraffe_robots::{EpisodeReport, ObservationSchema, SeedTree, StepBatch, Stream, WorldBatch};
use rand::RngExt;

use crate::toys::cue::{ACTOR_WIDTH, CueWorlds};

/// Columns that the actor reads beside those of the cue.
const NEW: usize = 3;
const WIDTH: usize = ACTOR_WIDTH + NEW + 1;

/// The worlds of the cue, where the actor reads three numbers more, which say something about nothing.
struct Wider {
    cues: CueWorlds,
    schema: ObservationSchema,
    inner: StepBatch,
    step: u64,
}

impl Wider {
    fn new(seed: u64) -> Self {
        let cues = CueWorlds::new(seed, WORLDS);
        let inner = cues.batch();
        Self { cues, schema: ObservationSchema::plain(ACTOR_WIDTH + NEW, 1), inner, step: 0 }
    }

    fn widen(&self, narrow: &[f32], wide: &mut [f32]) {
        for (world, (narrow, wide)) in
            narrow.chunks_exact(ACTOR_WIDTH + 1).zip(wide.chunks_exact_mut(WIDTH)).enumerate()
        {
            let mut rng = SeedTree::new(8).stream(Stream::Toy, world as u64, self.step);
            wide[..ACTOR_WIDTH].copy_from_slice(&narrow[..ACTOR_WIDTH]);
            wide[ACTOR_WIDTH..][..NEW].iter_mut().for_each(|x| *x = rng.random_range(-30.0..50.0));
            wide[WIDTH - 1] = narrow[ACTOR_WIDTH];
        }
    }

    fn pass_on(&self, out: &mut StepBatch) {
        self.widen(&self.inner.observations, &mut out.observations);
        self.widen(&self.inner.last_observations, &mut out.last_observations);
        out.rewards.clone_from(&self.inner.rewards);
        out.ends.clone_from(&self.inner.ends);
    }
}

impl WorldBatch for Wider {
    fn schema(&self) -> &ObservationSchema {
        &self.schema
    }

    fn action_width(&self) -> usize {
        1
    }

    fn world_count(&self) -> usize {
        WORLDS
    }

    fn reset_all(&mut self, out: &mut StepBatch) {
        self.cues.reset_all(&mut self.inner);
        self.pass_on(out);
    }

    fn step(&mut self, actions: &[f32], out: &mut StepBatch) {
        self.step += 1;
        self.cues.step(actions, &mut self.inner);
        self.pass_on(out);
    }

    fn save(&self) -> Vec<u8> {
        [&self.step.to_le_bytes()[..], &self.cues.save()].concat()
    }

    fn restore(&mut self, saved: &[u8], out: &mut StepBatch) -> Result<(), String> {
        self.step = u64::from_le_bytes(saved[..8].try_into().map_err(|_| "too short")?);
        self.cues.restore(&saved[8..], &mut self.inner)?;
        self.pass_on(out);
        Ok(())
    }

    fn take_reports(&mut self) -> Vec<EpisodeReport> {
        Vec::new()
    }
}

fn fresh(config: &PpoConfig, schema: &ObservationSchema) -> PpoLearner {
    PpoLearner::new(config, schema, 1, WORLDS, SeedTree::new(23), DeviceChoice::Cpu).unwrap()
}

/// A policy that has learned something, and a learner in the wider worlds that starts as it.
fn started(config: &PpoConfig, worlds: &Wider) -> (Policy, PpoLearner) {
    let policy = train(config, 12).0.export(context());
    let mut learner = fresh(config, worlds.schema());
    learner.start_from(&policy, "runs/cue").unwrap();
    (policy, learner)
}

/// Actions of both policies on the same 100 observations, the wider one's with anything in its other columns.
fn act_alike(narrow: &Policy, wide: &Policy, largest: f32) -> bool {
    let (mut one, mut other) = (PolicyRunner::new(narrow), PolicyRunner::new(wide));
    let mut rng = SeedTree::new(3).stream(Stream::Toy, 0, 0);
    let (mut actions, mut others) = ([0.0], [0.0]);
    (0..100).all(|_| {
        let mut observation = [0.0; ACTOR_WIDTH + NEW];
        observation[..ACTOR_WIDTH].iter_mut().for_each(|x| *x = rng.random_range(-2.0..2.0));
        observation[ACTOR_WIDTH..].iter_mut().for_each(|x| *x = rng.random_range(-largest..largest));
        one.act(&observation[..ACTOR_WIDTH], &mut actions).unwrap();
        other.act(&observation, &mut others).unwrap();
        assert!(actions[0] != 0.0);
        actions[0].to_bits() == others[0].to_bits()
    })
}

#[test]
fn at_first_it_acts_like_the_old_one_whatever_the_new_columns_say_and_explores_as_far() {
    let (policy, learner) = started(&config(), &Wider::new(5));
    let start = learner.export(context());
    assert!(act_alike(&policy, &start, 1e6));
    assert_eq!(start.log_std().map(bits), policy.log_std().map(bits));
    assert_ne!(bits(start.log_std().unwrap()), bits(&[config().initial_std.ln()]));
    let [ancestor] = &start.manifest().started_from[..] else { panic!("{:?}", start.manifest().started_from) };
    assert_eq!((ancestor.path.as_str(), ancestor.task.as_str()), ("runs/cue", "remember"));
    assert_eq!(ancestor.fingerprint, policy.fingerprint().unwrap());
    assert_eq!(ancestor.control_steps, policy.manifest().control_steps);

    let reset = PpoConfig { fresh_std: true, ..config() };
    let mut learner = fresh(&reset, &Wider::new(5).schema);
    learner.start_from(&policy, "runs/cue").unwrap();
    assert_eq!(bits(learner.export(context()).log_std().unwrap()), bits(&[config().initial_std.ln()]));
}

fn iterate(learner: &mut PpoLearner, worlds: &mut Wider, batch: &mut StepBatch) -> IterationReport {
    learner.iterate(worlds, batch).unwrap()
}

#[test]
fn while_the_actor_is_frozen_it_is_the_same_policy_and_the_critic_learns_then_both_do() {
    let config = PpoConfig { frozen_actor_updates: Some(3), ..config() };
    let mut worlds = Wider::new(5);
    let mut batch = StepBatch::new(WORLDS, WIDTH);
    let (policy, mut learner) = started(&config, &worlds);
    let actor_count = learner.export(context()).weights().len() + 1;
    for update in 1..=4 {
        let before = learner.parameters();
        let report = iterate(&mut learner, &mut worlds, &mut batch);
        let (now, after) = (learner.export(context()), learner.parameters());
        assert_ne!(before[actor_count..], after[actor_count..], "the critic learns");
        let is_frozen = update <= 3;
        assert_eq!(before[..actor_count] == after[..actor_count], is_frozen, "update {update}: {report:?}");
        assert_eq!(act_alike(&policy, &now, 1e3), is_frozen, "update {update}");
        // What is read for the first time is normalised by what was seen of it.
        let normalizer = &now.manifest().normalizer;
        let mean = normalizer.mean[ACTOR_WIDTH];
        assert!((mean - 10.0).abs() < 3.0, "uniform from -30 to 50: {mean}");
        assert_eq!(normalizer.mean[..ACTOR_WIDTH] == policy.manifest().normalizer.mean[..], is_frozen);
    }
    // The setting is what holds, with and without a policy to start from.
    assert_eq!(PpoConfig::default().frozen_actor_updates, None);
    let unfrozen = PpoConfig { frozen_actor_updates: Some(0), ..config };
    let (policy, mut learner) = started(&unfrozen, &worlds);
    let (mut worlds, mut batch) = (Wider::new(5), StepBatch::new(WORLDS, WIDTH));
    iterate(&mut learner, &mut worlds, &mut batch);
    assert!(!act_alike(&policy, &learner.export(context()), 1e3));
    let mut learner = fresh(&PpoConfig { frozen_actor_updates: None, ..unfrozen }, &worlds.schema);
    let before = learner.parameters();
    let (mut worlds, mut batch) = (Wider::new(5), StepBatch::new(WORLDS, WIDTH));
    iterate(&mut learner, &mut worlds, &mut batch);
    assert_ne!(
        before[..actor_count],
        learner.parameters()[..actor_count],
        "nothing was learned before: nothing to hold"
    );
}

#[test]
fn it_is_put_away_and_taken_up_bit_for_bit_without_the_policy_it_started_from() {
    let config = PpoConfig { frozen_actor_updates: Some(2), ..config() };
    let run = |interrupted: &[usize]| {
        let folder = tempfile::tempdir().unwrap();
        let mut worlds = Wider::new(5);
        let mut batch = StepBatch::new(WORLDS, WIDTH);
        let (_, mut learner) = started(&config, &worlds);
        for iteration in 0..5 {
            if interrupted.contains(&iteration) {
                learner.save(folder.path()).unwrap();
                let saved = worlds.save();
                learner = fresh(&config, &worlds.schema);
                learner.load(folder.path()).unwrap();
                worlds = Wider::new(5);
                worlds.restore(&saved, &mut batch).unwrap();
            }
            iterate(&mut learner, &mut worlds, &mut batch);
        }
        learner
    };
    let (whole, parts) = (run(&[]), run(&[1, 3]));
    assert_eq!(bits(&whole.parameters()), bits(&parts.parameters()));
    assert_eq!(whole.export(context()), parts.export(context()));
    assert_eq!(parts.ancestors().len(), 1);
}

#[test]
fn a_policy_that_started_from_another_names_both() {
    let (_, learner) = started(&config(), &Wider::new(5));
    let second = learner.export(context());
    let mut third = fresh(&config(), &Wider::new(5).schema);
    third.start_from(&second, "runs/second").unwrap();
    let paths: Vec<&str> = third.ancestors().iter().map(|ancestor| ancestor.path.as_str()).collect();
    assert_eq!(paths, ["runs/second", "runs/cue"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.bin");
    third.export(context()).save(&path).unwrap();
    assert_eq!(Policy::load(&path).unwrap().manifest().started_from, third.ancestors());
}

#[test]
fn what_does_not_fit_is_one_message_that_says_what_to_set_and_nothing_has_happened() {
    let (wide_policy, policy) = {
        let (policy, learner) = started(&config(), &Wider::new(5));
        (learner.export(context()), policy)
    };
    let refused = |config: &PpoConfig, schema: &ObservationSchema, policy: &Policy| {
        let mut learner = fresh(config, schema);
        let before = learner.parameters();
        let error = learner.start_from(policy, "runs/cue").unwrap_err();
        assert!(matches!(error, PolicyError::Start { .. }));
        assert_eq!(bits(&before), bits(&learner.parameters()));
        assert!(learner.ancestors().is_empty());
        error.to_string()
    };
    let (narrow, wide) = (CueWorlds::new(5, WORLDS), Wider::new(5));
    let other = PpoConfig { core_width: 12, observation_clip: 4.0, ..config() };
    let said = refused(&other, &wide.schema, &policy);
    let expected = format!("--set ppo.core_width={} --set ppo.observation_clip=5.0", config().core_width);
    assert!(said.starts_with("cannot start from runs/cue: ") && said.ends_with(&expected), "{said}");
    let said = refused(&config(), narrow.schema(), &wide_policy);
    assert!(said.contains("reads 3 columns") && said.contains("joint_position/value_2, "), "{said}");
    assert!(said.contains("value_4; "), "{said}");

    let (mut learner, _) = train(&config(), 1);
    let said = learner.start_from(&policy, "runs/cue").unwrap_err().to_string();
    assert!(said.contains("has begun already"), "{said}");
}
