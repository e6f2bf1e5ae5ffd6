//! What a rollout's values and a runner's actions must agree with.

use super::critic::Further;
use super::toy::CueWorlds;
use super::*;
use crate::group::Lane;
use crate::network::Sequence;
use crate::runner::PolicyRunner;
use giraffe_robots::EpisodeEnd;

fn config() -> PpoConfig {
    PpoConfig { horizon_steps: 12, minibatch_count: 1, encoder_width: 24, core_width: 20, ..PpoConfig::default() }
}

fn collected(config: &PpoConfig) -> (PpoLearner, Rollout) {
    let mut worlds = CueWorlds::new(3, 6);
    let mut batch: StepBatch = worlds.batch();
    let mut learner =
        PpoLearner::new(config, worlds.schema(), 1, 6, SeedTree::new(1), DeviceChoice::Cpu).expect("a learner");
    // A few updates, so that weights, normalisation and carried state are those of a run.
    for _ in 0..3 {
        learner.iterate(&mut worlds, &mut batch).expect("an iteration");
    }
    learner.collect(&mut worlds, &mut batch).expect("a rollout");
    let rollout = learner.rollout.clone().expect("was just collected");
    (learner, rollout)
}

/// The critic run step by step over one world; at `index` it reads `instead` and stops.
fn value_by_steps(learner: &PpoLearner, rollout: &Rollout, world: usize, step: usize, instead: &[f32]) -> f32 {
    let network = learner.critic.trainee.network.inference();
    let mut state = rollout.critic_starts.rows(std::iter::once(world));
    let width = learner.collector.side.schema.critic_width();
    for now in 0..=step {
        let index = now * 6 + world;
        let observations = rollout.observations[index * width..][..width].to_vec();
        let sequence = Sequence { observations, state, keep: vec![rollout.keep[index]] };
        let run = network.infer(sequence, &learner.compute.device);
        state = run.state(0..1);
    }
    values_of(learner, instead, state)
}

fn values_of(learner: &PpoLearner, observations: &[f32], state: RecurrentState) -> f32 {
    let network = &learner.critic.trainee.network.inference();
    Further { network, memoryless: false, compute: &learner.compute }.values_of(observations.to_vec(), state)[0]
}

fn judged(learner: &mut PpoLearner, rollout: &mut Rollout) {
    learner.critic.judge(rollout, &learner.config, &learner.compute);
}

fn actor_state_width(learner: &PpoLearner) -> usize {
    learner.collector.side.shapes(&learner.config)[0].state_width()
}

#[test]
fn a_time_out_is_worth_what_the_critic_thinks_before_the_reset() {
    let (mut learner, mut rollout) = collected(&config());
    judged(&mut learner, &mut rollout);
    let width = learner.collector.side.schema.critic_width();
    assert!(rollout.timeout_indices.iter().any(|index| index / 6 < 11), "a time-out inside the rollout");
    for (nth, &index) in rollout.timeout_indices.iter().enumerate() {
        let (step, world) = (index / 6, index % 6);
        let before_reset = &rollout.timeout_observations[nth * width..][..width];
        let future = value_by_steps(&learner, &rollout, world, step, before_reset);
        let expected = rollout.rewards[index] + learner.config.discount * future;
        assert!((rollout.returns[index] - expected).abs() < 1e-5, "{} instead of {expected}", rollout.returns[index]);
        // The observation after the reset, or the state forgotten, would give another value.
        let forgotten = RecurrentState::zero(1, actor_state_width(&learner));
        let other = values_of(&learner, before_reset, forgotten);
        assert!((other - future).abs() > 1e-4, "{other} {future}");
    }
}

#[test]
fn values_after_a_termination_count_for_nothing() {
    let (mut learner, mut rollout) = collected(&config());
    judged(&mut learner, &mut rollout);
    let terminated: Vec<usize> = (0..72).filter(|index| rollout.ends[*index] == EpisodeEnd::Terminated).collect();
    assert!(!terminated.is_empty());
    for index in terminated {
        assert!((rollout.returns[index] - rollout.rewards[index]).abs() < 1e-6);
    }
}

#[test]
fn a_runner_acts_as_the_actor_does() {
    let categorical = PpoConfig { head: HeadKind::Categorical, bin_count: 5, ..config() };
    let gru = PpoConfig { core: crate::CoreKind::Gru, ..config() };
    for config in [
        config(),
        PpoConfig { core_layers: 2, ..config() },
        gru.clone(),
        PpoConfig { core_layers: 3, ..gru },
        categorical,
    ] {
        runner_acts_as_the_actor_does(&config);
    }
}

fn runner_acts_as_the_actor_does(config: &PpoConfig) {
    let (learner, rollout) = collected(config);
    let context = PolicyContext {
        action: serde_json::from_value(
            serde_json::json!({ "joints": [{ "name": "joint", "limits": { "lower": -1.0, "upper": 1.0 } }],
            "max_rad_per_step": 0.1, "tracking_band_rad": 0.5 }),
        )
        .expect("an action schema"),
        control_period_secs: 0.05,
        robot: String::new(),
        kinematics_fingerprint: String::new(),
        dynamics_fingerprint: String::new(),
        task: String::new(),
        object: String::new(),
        commit: String::new(),
    };
    let policy = learner.export(context);
    let network = learner.actor.network.inference();
    let mut runner = PolicyRunner::new(&policy);
    let mut state = RecurrentState::zero(1, actor_state_width(&learner));
    let mut rng = SeedTree::new(4).stream(Stream::Toy, 0, 0);
    let mut greatest = 0f32;
    for step in 0..50 {
        let mut observation = [0.0; 2];
        crate::gaussian::fill_standard_normal(&mut rng, &mut observation);
        let mut normalized = [0.0; 2];
        learner.collector.scales().normalizer().apply(&observation, &mut normalized);
        let sequence = Sequence { observations: normalized.to_vec(), state, keep: vec![1.0] };
        let run = network.infer(sequence, &learner.compute.device);
        let mut action = [0.0];
        runner.act(&observation, &mut action).expect("an action");
        let mut expected = [0.0];
        config.action_head().mode(&run.output, &mut expected);
        assert!((action[0] - expected[0]).abs() < 1e-5, "step {step}: {} {}", action[0], expected[0]);
        greatest = greatest.max(action[0].abs());
        state = run.state(0..1);
    }
    assert!(greatest > 1e-3, "actions are all but zero");
    assert_eq!(rollout.actions.len(), 72);
}

#[test]
fn chunks_start_with_the_states_the_rollout_had_there() {
    let chunked = PpoConfig { chunk_steps: 4, ..config() };
    let (mut learner, mut rollout) = collected(&chunked);
    judged(&mut learner, &mut rollout);
    assert_eq!((rollout.actor_starts.row_count(), rollout.critic_starts.row_count()), (18, 18));
    let whole = Sequence {
        observations: rollout.observations.clone(),
        state: rollout.critic_starts.rows(0..6),
        keep: rollout.keep.clone(),
    };
    let expected = learner.critic.trainee.network.inference().infer(whole, &learner.compute.device).output;
    // Chunk by chunk the critic says what it says over the whole rollout, episodes that end in between included.
    for chunk in 0..3 {
        let cut = crate::rollout::Cut { world_count: 6, chunk_length: 4 };
        let chunks: Vec<usize> = (0..6).map(|world| chunk * 6 + world).collect();
        let sequence = Sequence {
            observations: cut.gather(&rollout.observations, 3, 3, &chunks),
            state: rollout.critic_starts.rows(chunks.iter().copied()),
            keep: cut.gather(&rollout.keep, 1, 1, &chunks),
        };
        let found = learner.critic.trainee.network.inference().infer(sequence, &learner.compute.device).output;
        for (found, expected) in found.iter().zip(&expected[chunk * 24..]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
    // And the actor reproduces how likely its actions were.
    learner.rollout = Some(rollout);
    let report = learner.update().expect("an update");
    assert!(report.first_ratio_deviation < 1e-5, "{report:?}");
}

/// Members of a group in threads of one process: what one says is passed on when all have spoken.
#[derive(Debug, Clone)]
struct Threads2 {
    rank: usize,
    lanes: Arc<[Table; 2]>,
}

#[derive(Debug)]
struct Table {
    barrier: std::sync::Barrier,
    said: std::sync::Mutex<[Vec<u8>; 2]>,
}

impl Threads2 {
    fn pair() -> [Self; 2] {
        let table = || Table { barrier: std::sync::Barrier::new(2), said: std::sync::Mutex::default() };
        let lanes = Arc::new([table(), table()]);
        [0, 1].map(|rank| Self { rank, lanes: Arc::clone(&lanes) })
    }
}

impl Group for Threads2 {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        2
    }

    fn sum(&self, lane: Lane, values: &mut [f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        values.fill(0.0);
        for said in self.gather(lane, &bytes) {
            let words = said.as_chunks::<4>().0;
            values.iter_mut().zip(words).for_each(|(sum, word)| *sum += f32::from_le_bytes(*word));
        }
    }

    fn gather(&self, lane: Lane, bytes: &[u8]) -> Vec<Vec<u8>> {
        let table = &self.lanes[usize::from(lane == Lane::Critic)];
        table.said.lock().expect("no member panics here")[self.rank] = bytes.to_vec();
        table.barrier.wait();
        let all = table.said.lock().expect("no member panics here").to_vec();
        // Nobody speaks again before all have heard.
        table.barrier.wait();
        all
    }
}

/// Eight worlds learned from in `members` equal shares: parameters and reports of the first, and what it would keep.
fn learned_by(group: Option<Threads2>, config: &PpoConfig) -> (Vec<f32>, Vec<IterationReport>, tempfile::TempDir) {
    let (rank, size) = group.as_ref().map_or((0, 1), |group| (group.rank(), group.size()));
    let count = 8 / size;
    let mut worlds = CueWorlds::numbered(3, rank * count..(rank + 1) * count);
    let mut batch = worlds.batch();
    let seeds = SeedTree::new(1);
    let group: Arc<dyn Group> = group.map_or_else(|| Arc::new(Alone) as Arc<dyn Group>, |group| Arc::new(group));
    let mut learner =
        PpoLearner::in_group(config, worlds.schema(), (1, count), seeds, DeviceChoice::Cpu, group).expect("a learner");
    let reports = (0..4).map(|_| learner.iterate(&mut worlds, &mut batch).expect("an iteration")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    learner.save(folder.path()).expect("saved");
    (learner.parameters(), reports, folder)
}

#[test]
fn two_members_learn_what_one_process_with_all_their_worlds_learns() {
    let plain = PpoConfig { minibatch_count: 2, core_layers: 1, ..config() };
    let rich = PpoConfig {
        chunk_steps: 6,
        core: crate::CoreKind::Gru,
        head: HeadKind::Categorical,
        value_clip: 0.2,
        reward_normalization: true,
        ..plain.clone()
    };
    for config in [plain, rich] {
        let (alone, reports, _) = learned_by(None, &config);
        let [first, second] = std::thread::scope(|scope| {
            Threads2::pair()
                .map(|member| scope.spawn(|| learned_by(Some(member), &config)))
                .map(|thread| thread.join().expect("a member"))
        });
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&first.0), bits(&second.0), "members must not drift apart");
        assert_eq!(first.1, second.1, "and report the same");
        let fresh =
            PpoLearner::new(&config, &ObservationSchema::plain(2, 1), 1, 8, SeedTree::new(1), DeviceChoice::Cpu)
                .expect("a learner")
                .parameters();
        let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (moved, apart) = (distance(&alone, &fresh), distance(&alone, &first.0));
        assert!(moved > 1e-3 && apart < 1e-2 * moved, "moved by {moved}, apart by {apart}");
        let (ours, theirs) = (reports.last().expect("a report"), first.1.last().expect("a report"));
        assert_eq!((ours.control_steps, ours.episode_count), (theirs.control_steps, theirs.episode_count));
        assert!((ours.mean_reward - theirs.mean_reward).abs() < 1e-4, "{ours:?} {theirs:?}");
        assert!((ours.explained_variance - theirs.explained_variance).abs() < 1e-3, "{ours:?} {theirs:?}");

        // What two kept, one takes up.
        let mut learner =
            PpoLearner::new(&config, &ObservationSchema::plain(2, 1), 1, 8, SeedTree::new(1), DeviceChoice::Cpu)
                .expect("a learner");
        learner.load(first.2.path()).expect("a checkpoint of two");
        assert_eq!(bits(&learner.parameters()), bits(&first.0));
        assert_eq!(learner.collector.state().row_count(), 8);
    }
}

#[test]
fn shares_that_would_differ_are_refused() {
    let config = PpoConfig { minibatch_count: 4, ..config() };
    let [member, _] = Threads2::pair();
    let (schema, seeds) = (ObservationSchema::plain(2, 1), SeedTree::new(1));
    let result = PpoLearner::in_group(&config, &schema, (1, 6), seeds, DeviceChoice::Cpu, Arc::new(member));
    let message = result.err().expect("refused").to_string();
    assert!(message.contains("a divisor of 6"), "{message}");
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs a CUDA device"]
fn a_learner_on_a_graphics_processor_learns_what_one_on_the_processor_learns() {
    for config in [config(), PpoConfig { core: crate::CoreKind::Gru, core_layers: 2, ..config() }] {
        let parameters = |device| {
            let mut worlds = CueWorlds::new(3, 6);
            let mut batch = worlds.batch();
            let mut learner =
                PpoLearner::new(&config, worlds.schema(), 1, 6, SeedTree::new(1), device).expect("a learner");
            learner.iterate(&mut worlds, &mut batch).expect("an iteration");
            learner.parameters()
        };
        let (here, there) = (parameters(DeviceChoice::Cpu), parameters(DeviceChoice::Cuda(0)));
        // One update moves a parameter by up to 16 learning rates, 5e-3; Adam divides by gradients that may be tiny.
        for (here, there) in here.iter().zip(&there) {
            assert!((here - there).abs() < 1e-4 + 1e-3 * here.abs(), "{here} {there}");
        }
    }
}
