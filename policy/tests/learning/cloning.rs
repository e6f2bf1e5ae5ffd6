//! Cloning: a learner comes to do what a teacher would, as sure of it as the teacher.

use crate::toys::cue::CueWorlds;
use crate::{WORLDS, bits, config, context, score};
use giraffe_policy::{
    ActionHead, CloningLearner, CoreKind, DeviceChoice, HeadKind, IterationReport, Labels, Policy, PolicyError,
    PolicyTeacher, PpoConfig, PpoLearner, Teacher, categorical, kl,
};
use giraffe_robots::{EpisodeEnd, SeedTree, StepBatch, WorldBatch};
use std::sync::LazyLock;

fn categorical_config() -> PpoConfig {
    PpoConfig { head: HeadKind::Categorical, bin_count: 5, ..config() }
}

/// Who has learned to remember the cue, with actions of this kind.
fn trained(config: &PpoConfig) -> Policy {
    crate::train(config, 60).0.export(context())
}

static SURE_OF_MEANS: LazyLock<Policy> = LazyLock::new(|| trained(&config()));
static SURE_OF_BINS: LazyLock<Policy> = LazyLock::new(|| trained(&categorical_config()));

/// Another memory than the teacher's, learned through in chunks that begin in the middle of episodes.
fn student(of: &PpoConfig) -> PpoConfig {
    PpoConfig {
        core: CoreKind::Gru,
        core_width: 24,
        chunk_steps: 8,
        minibatch_count: 4,
        learning_rate: 5e-3,
        ..of.clone()
    }
}

struct School {
    worlds: CueWorlds,
    batch: StepBatch,
    teacher: PolicyTeacher,
    learner: CloningLearner,
}

impl School {
    fn new(config: &PpoConfig, teacher: &Policy) -> Self {
        let worlds = CueWorlds::new(6, WORLDS);
        let (schema, seeds) = (worlds.schema(), SeedTree::new(12));
        let teacher = PolicyTeacher::new(teacher, schema, WORLDS, DeviceChoice::Cpu).unwrap();
        let learner = CloningLearner::new(config, schema, 1, WORLDS, seeds, DeviceChoice::Cpu).unwrap();
        Self { batch: worlds.batch(), worlds, teacher, learner }
    }

    fn attend(&mut self, iterations: usize) -> Vec<IterationReport> {
        let Self { worlds, batch, teacher, learner } = self;
        (0..iterations).map(|_| learner.iterate(worlds, batch, teacher).unwrap()).collect()
    }

    fn learned(mut self, iterations: usize) -> (Policy, Vec<IterationReport>) {
        let reports = self.attend(iterations);
        (self.learner.export(context()), reports)
    }
}

/// KL(teacher || student), nats, mean over steps of worlds that neither has seen and that the student acts in.
fn apart(teacher: &Policy, student: &Policy) -> f64 {
    let mut worlds = CueWorlds::new(99, WORLDS);
    let mut batch = worlds.batch();
    worlds.reset_all(&mut batch);
    let head = teacher.manifest().shape.head;
    let mut both =
        [teacher, student].map(|who| PolicyTeacher::new(who, worlds.schema(), WORLDS, DeviceChoice::Cpu).unwrap());
    let (mut sum, mut actions) = (0.0, vec![0.0; WORLDS]);
    for _ in 0..100 {
        let [wanted, found] = both.each_mut().map(|who| who.label(&batch.observations).unwrap());
        for world in 0..WORLDS {
            sum += f64::from(divergence(head, &wanted, &found, world));
            let width = found.outputs.len() / WORLDS;
            head.mode(&found.outputs[world * width..][..width], &mut actions[world..=world]);
        }
        worlds.step(&actions, &mut batch);
        for world in (0..WORLDS).filter(|world| batch.ends[*world] != EpisodeEnd::Running) {
            both.iter_mut().for_each(|who| who.forget(world));
        }
    }
    sum / (100 * WORLDS) as f64
}

fn divergence(head: ActionHead, wanted: &Labels, found: &Labels, world: usize) -> f32 {
    let row = |of: &[f32]| {
        let width = of.len() / WORLDS;
        of[world * width..][..width].to_vec()
    };
    let [(wanted, wanted_std), (found, found_std)] = [wanted, found].map(|of| (row(&of.outputs), row(&of.log_std)));
    match head {
        ActionHead::Gaussian => kl((&wanted, &wanted_std), (&found, &found_std)),
        ActionHead::Categorical { bin_count } => categorical::kl(&wanted, &found, bin_count),
    }
}

#[test]
fn a_student_learns_from_a_teachers_distribution_what_the_teacher_does() {
    for (teacher, config) in [(&*SURE_OF_MEANS, config()), (&*SURE_OF_BINS, categorical_config())] {
        let student = student(&config);
        let (fresh, _) = School::new(&student, teacher).learned(0);
        let (learned, reports) = School::new(&student, teacher).learned(60);
        let (before, after) = (apart(teacher, &fresh), apart(teacher, &learned));
        assert!(before > 0.5 && after < 0.02, "from {before} to {after} nats");
        // What the teacher earned the student earns.
        let (wanted, found) = (score(teacher), score(&learned));
        assert!(wanted > 0.4 && (found - wanted).abs() < 0.03, "{found} for {wanted}");
        let last = reports.last().unwrap();
        assert!(last.policy_loss < 0.05 && reports[0].policy_loss > 10.0 * last.policy_loss, "{last:?}");
        // The update sees every rollout as it was, states in the middle of episodes included.
        assert!(reports.iter().all(|report| report.first_ratio_deviation < 1e-5), "{reports:?}");
        assert!(reports.iter().all(|report| report.learning_rate.to_bits() == 5e-3f32.to_bits()), "{last:?}");
    }
}

#[test]
fn a_student_becomes_as_sure_as_its_teacher() {
    let config = PpoConfig { initial_std: 1.5, ..student(&config()) };
    let (learned, _) = School::new(&config, &SURE_OF_MEANS).learned(60);
    let [wanted, found] = [&*SURE_OF_MEANS, &learned].map(|policy| policy.log_std().unwrap()[0].exp());
    assert!((found / wanted - 1.0).abs() < 0.03, "{found} for {wanted}");
}

#[test]
fn a_student_without_memory_cannot_follow_a_teacher_with_one() {
    let config = PpoConfig { memoryless: true, ..student(&config()) };
    let (learned, _) = School::new(&config, &SURE_OF_MEANS).learned(60);
    let left = apart(&SURE_OF_MEANS, &learned);
    assert!(left > 0.2, "{left} nats");
}

#[test]
fn interrupted_cloning_continues_bit_for_bit() {
    let config = student(&config());
    let folder = tempfile::tempdir().unwrap();
    let mut straight = School::new(&config, &SURE_OF_MEANS);
    straight.attend(3);
    straight.learner.save(folder.path()).unwrap();
    let (worlds, remembered) = (straight.worlds.save(), straight.teacher.save());
    let expected = straight.attend(3);

    let resume = |remembered: Option<&[u8]>| {
        let mut resumed = School::new(&config, &SURE_OF_MEANS);
        resumed.worlds.restore(&worlds, &mut resumed.batch).unwrap();
        resumed.learner.load(folder.path()).unwrap();
        remembered.into_iter().for_each(|remembered| resumed.teacher.restore(remembered).unwrap());
        (resumed.attend(3), bits(&resumed.learner.parameters()))
    };
    assert_eq!(resume(Some(&remembered)), (expected, bits(&straight.learner.parameters())));
    assert_ne!(resume(None).1, bits(&straight.learner.parameters()), "what the teacher remembers must matter");
    let mut other =
        PolicyTeacher::new(&SURE_OF_MEANS, straight.worlds.schema(), WORLDS - 1, DeviceChoice::Cpu).unwrap();
    let error = other.restore(&remembered).unwrap_err().to_string();
    assert!(error.contains("expected 31 worlds") && error.contains("found 32 worlds"), "{error}");
}

#[test]
fn rewards_go_on_teaching_what_was_cloned() {
    let config = student(&config());
    let folder = tempfile::tempdir().unwrap();
    let mut school = School::new(&config, &SURE_OF_MEANS);
    school.attend(30);
    school.learner.save(folder.path()).unwrap();
    let (mut worlds, mut batch) = (school.worlds, school.batch);
    let seeds = SeedTree::new(12);
    let mut learner = PpoLearner::new(&config, worlds.schema(), 1, WORLDS, seeds, DeviceChoice::Cpu).unwrap();
    learner.load(folder.path()).unwrap();
    assert_eq!(bits(&learner.parameters()), bits(&school.learner.parameters()));
    let report = learner.iterate(&mut worlds, &mut batch).unwrap();
    assert!(report.iteration == 31 && report.first_ratio_deviation < 1e-5, "{report:?}");
}

/// Says the same everywhere, whatever it is asked.
struct Parrot(Labels);

impl Teacher for Parrot {
    fn label(&mut self, _observations: &[f32]) -> Result<Labels, PolicyError> {
        Ok(self.0.clone())
    }

    fn forget(&mut self, _world: usize) {}
}

#[test]
fn answers_that_are_none_are_refused() {
    let refused = |config: &PpoConfig, outputs: Vec<f32>, log_std: Vec<f32>| {
        let mut worlds = CueWorlds::new(6, WORLDS);
        let mut batch = worlds.batch();
        let schema = worlds.schema().clone();
        let mut learner = CloningLearner::new(config, &schema, 1, WORLDS, SeedTree::new(1), DeviceChoice::Cpu).unwrap();
        let mut teacher = Parrot(Labels { outputs, log_std });
        learner.collect(&mut worlds, &mut batch, &mut teacher).unwrap_err().to_string()
    };
    let error = refused(&config(), vec![0.0; WORLDS], Vec::new());
    assert!(error.contains("expected 32 numbers put out and 32 standard deviations"), "{error}");
    let error = refused(&categorical_config(), vec![0.0; WORLDS], Vec::new());
    assert!(error.contains("expected 160 numbers put out and 0 standard deviations"), "{error}");
    let error = refused(&config(), vec![f32::NAN; WORLDS], vec![0.0; WORLDS]);
    assert!(error.contains("the teacher's answer is not a finite number"), "{error}");
}

#[test]
fn policies_that_cannot_teach_here_are_refused() {
    let shipped = crate::policy_file::shipped();
    let refused =
        |policy: &Policy, schema| PolicyTeacher::new(policy, schema, 2, DeviceChoice::Cpu).err().unwrap().to_string();
    let error = refused(&SURE_OF_MEANS, &shipped.manifest().observation);
    assert!(error.contains("what the teacher reads"), "{error}");
    let error = refused(&shipped, &shipped.manifest().observation);
    assert!(error.contains("standard deviations"), "{error}");
}
