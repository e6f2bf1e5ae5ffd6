//! Who draws an episode of a curriculum.

use super::config::{CurriculumConfig, Rules, invalid};
use super::scalar::Scalar;
use super::state::{self, Finished, State};
use crate::adr::{AdrHistory, Recorded};
use crate::error::RandomizationError;
use crate::fixed_ranges::FixedRanges;
use crate::judged::judged;
use crate::ranges::RangeConfig;
use giraffe_physics::{EpisodePlan, EpisodeSampler, SceneModel};
use giraffe_robots::{Better, EpisodeReport, Limits, NamedLimits, SeedTree, Task, find_task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What a curriculum is of.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the task.
    pub task: &'a str,
    /// Its numbers that are not as usual.
    pub dials: &'a BTreeMap<String, f32>,
    /// What varies between worlds.
    pub ranges: &'a RangeConfig,
}

impl Subject<'_> {
    /// The task as it is where no number is set.
    pub(super) fn usual_task(&self) -> Result<&'static dyn Task, RandomizationError> {
        find_task(self.task).map_err(|error| invalid("scalar", error, "a task".to_owned()))
    }
}

/// The task and the ranges at one level.
struct Level {
    task: &'static dyn Task,
    ranges: FixedRanges,
}

/// Draws episodes at the level that was reached. A plan depends on the seed, the world, the episode and the level.
///
/// Where a number of the task moves, it is the last of the sampled values: so the critic knows how hard it is, and a plan
/// tells everything. The columns before it are those of [`FixedRanges`].
pub struct CurriculumRanges {
    levels: Vec<Level>,
    /// The column of the number, where it is one of the task.
    column: Option<NamedLimits>,
    scalar: String,
    values: Arc<[f32]>,
    seed: u64,
    rules: Rules,
    better: Better,
    full_secs: f64,
    state: Arc<RwLock<State>>,
}

/// A view of a [`CurriculumRanges`] that has been given away to the worlds.
#[derive(Debug, Clone)]
pub struct CurriculumMonitor {
    values: Arc<[f32]>,
    state: Arc<RwLock<State>>,
}

/// How a curriculum stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurriculumReport {
    /// 0 is the easiest.
    pub level: usize,
    /// The number at this level.
    pub value: f32,
    /// How often it moved on.
    pub promoted: u64,
    /// How often it moved back.
    pub demoted: u64,
}

impl CurriculumMonitor {
    /// How things stand.
    pub fn report(&self) -> CurriculumReport {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let State { level, promoted, demoted, .. } = *state;
        CurriculumReport { level, value: self.values[level], promoted, demoted }
    }
}

impl Recorded for CurriculumMonitor {
    fn record(&self) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).history.get_or_insert_default();
    }

    fn take_history(&self) -> AdrHistory {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.history.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl CurriculumRanges {
    /// Episodes in `scene` of what `subject` is when it is as easy as `config` says, and then less so.
    ///
    /// # Errors
    /// When there is no such number, or the task or the ranges cannot be so at one of the levels.
    pub fn new(
        seeds: SeedTree,
        scene: &Arc<SceneModel>,
        subject: Subject<'_>,
        config: &CurriculumConfig,
    ) -> Result<Self, RandomizationError> {
        let scalar = Scalar::find(&config.scalar, &subject)?;
        let hard = scalar.hard(&subject)?;
        let (hardest, _) = scalar.put(hard, &subject)?;
        let rules = config.rules(hardest)?;
        if !config.easy.is_finite() || config.easy.to_bits() == hard.to_bits() {
            let expected = format!("another number than it shall come to, which is {hard}");
            return Err(invalid("easy", config.easy, expected));
        }
        let values: Vec<f32> = (0..=config.step_count).map(|step| value_at(config, hard, step)).collect();
        let level = |value: &f32| {
            let (task, ranges) = scalar.put(*value, &subject)?;
            check_same(&config.scalar, task, hardest, scene)?;
            Ok(Level { task, ranges: FixedRanges::new(seeds, Arc::clone(scene), task, &ranges) })
        };
        let limits = Limits { lower: config.easy.min(hard), upper: config.easy.max(hard) };
        let period_secs = f64::from(scene.robot().control.period_secs);
        Ok(Self {
            levels: values.iter().map(level).collect::<Result<_, _>>()?,
            column: matches!(scalar, Scalar::Dial(_)).then(|| NamedLimits { name: config.scalar.clone(), limits }),
            scalar: config.scalar.clone(),
            values: values.into(),
            seed: seeds.root(),
            better: config.measure_of(hardest)?.1.better,
            full_secs: f64::from(hardest.episode_step_count()) * period_secs,
            rules,
            state: Arc::default(),
        })
    }

    /// A view that stays when this is given to the worlds.
    pub fn monitor(&self) -> CurriculumMonitor {
        CurriculumMonitor { values: Arc::clone(&self.values), state: Arc::clone(&self.state) }
    }

    /// Goes to a level as if it had just been reached: what is planned then is what was planned at that level.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn set_level(&mut self, level: usize) -> Result<(), RandomizationError> {
        if level >= self.levels.len() {
            return Err(invalid(
                "step_count",
                self.levels.len() - 1,
                format!("at least {level}, where this run has been"),
            ));
        }
        self.state.write().unwrap_or_else(PoisonError::into_inner).level = level;
        Ok(())
    }

    fn level(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).level
    }

    /// The measure, turned so that more is better; nothing of an episode that was cut short on purpose, or ended well without
    /// saying anything (no goal was due). One that failed before it could say anything counts as a poor one.
    fn success(&self, report: &EpisodeReport) -> Option<f64> {
        let said = judged(report, self.rules.measure, self.better, self.full_secs)?;
        said.or_else(|| (!report.outcome.is_sound()).then_some(self.rules.demote_below))
    }
}

/// The last one is the number in the configuration to the last bit.
fn value_at(config: &CurriculumConfig, hard: f32, step: usize) -> f32 {
    let share = step as f64 / config.step_count as f64;
    let value = f64::from(config.easy) + (f64::from(hard) - f64::from(config.easy)) * share;
    if step == config.step_count { hard } else { value as f32 }
}

/// What is read, done and reported, and for how long, must not change in the middle of a run.
fn check_same(scalar: &str, task: &dyn Task, hardest: &dyn Task, scene: &SceneModel) -> Result<(), RandomizationError> {
    let robot = scene.robot();
    let names = |task: &dyn Task| task.measures().iter().map(|measure| measure.name).collect::<Vec<_>>();
    let differs = [
        (task.episode_step_count() != hardest.episode_step_count(), "how long episodes are"),
        (task.observation(robot) != hardest.observation(robot), "what is read"),
        (task.action(robot) != hardest.action(robot), "what actions mean"),
        (names(task) != names(hardest), "what is measured"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        None => Ok(()),
        Some((_, what)) => Err(invalid(
            "scalar",
            scalar,
            format!("a number that leaves {what} as it is; that cannot change during a run"),
        )),
    }
}

impl EpisodeSampler for CurriculumRanges {
    fn parameters(&self) -> Vec<NamedLimits> {
        let mut parameters = self.levels[0].ranges.parameters();
        parameters.extend(self.column.clone());
        parameters
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let level = self.level();
        let mut plan = self.levels[level].ranges.plan(world, episode);
        plan.sampled.extend(self.column.iter().map(|_| self.values[level]));
        plan
    }

    fn task(&self, plan: &EpisodePlan) -> Option<&'static dyn Task> {
        self.column.as_ref()?;
        let value = plan.sampled.last()?.to_bits();
        let level = self.values.iter().position(|known| known.to_bits() == value)?;
        Some(self.levels[level].task)
    }

    fn learn(&mut self, reports: &[EpisodeReport]) {
        let finished = reports.iter().map(|report| Finished {
            world: report.world,
            episode: report.episode,
            success: self.success(report),
        });
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.learn(&self.rules, self.levels.len() - 1, finished);
    }

    fn save(&self) -> Vec<u8> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state::save(&state, &self.scalar, &self.values, self.seed)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let mut restored = state::restore(saved, &self.scalar, &self.values, self.seed)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        restored.history = state.history.is_some().then(AdrHistory::default);
        *state = restored;
        Ok(())
    }
}
