//! Who draws an episode under automatic domain randomization.

use super::config::AdrConfig;
use super::history::{AdrHistory, Recorded};
use super::report::AdrReport;
use super::space::{Side, Space};
use super::state::{self, Finished, Rules, State};
use crate::error::RandomizationError;
use crate::judged::judged;
use crate::ranges::RangeConfig;
use giraffe_physics::{EpisodePlan, EpisodeSampler, SceneModel, WorldParameters};
use giraffe_robots::{EpisodeReport, NamedLimits, SeedTree, Stream, Task};
use rand::RngExt;
use std::sync::{Arc, PoisonError, RwLock};

/// Draws episodes from ranges that grow where the policy succeeds. A plan depends on the seed, the world, the episode
/// and what was learned before it was asked for; which boundary an episode tests depends on the first three alone.
///
/// The columns are those of [`crate::FixedRanges`] with the same configured ranges; nothing happens during an episode.
///
/// Results are told to be old by this order, which `HandWorlds` keeps: when an episode ends, the next one of its world is
/// planned, *then* its report is learned. Whoever plans later than that loses some results as old and nothing else.
pub struct AdrRanges {
    seeds: SeedTree,
    /// Decides which episodes test what.
    choice: SeedTree,
    rows: Vec<SeedTree>,
    scene: Arc<SceneModel>,
    nominal: WorldParameters,
    task: &'static dyn Task,
    boundary_probability: f64,
    rules: Rules,
    space: Arc<Space>,
    state: Arc<RwLock<State>>,
}

/// A view of an [`AdrRanges`] that has been given away to the worlds.
#[derive(Debug, Clone)]
pub struct AdrMonitor {
    space: Arc<Space>,
    state: Arc<RwLock<State>>,
}

impl AdrMonitor {
    /// How things stand.
    pub fn report(&self) -> AdrReport {
        AdrReport::new(&self.space, &self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorded for AdrMonitor {
    fn record(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.history.get_or_insert_default();
    }

    fn take_history(&self) -> AdrHistory {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.history.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl AdrRanges {
    /// Episodes of `task` in `scene`, for `world_count` worlds. Reaches are measured by `ranges`: 0 is nominal, 1 is
    /// there. A parameter that `ranges` fixes stays fixed; one that it does not name does not vary.
    ///
    /// # Errors
    /// When `config` cannot be, or `ranges` leaves nothing to widen.
    pub fn new(
        seeds: SeedTree,
        scene: Arc<SceneModel>,
        task: &'static dyn Task,
        ranges: &RangeConfig,
        config: &AdrConfig,
        world_count: usize,
    ) -> Result<Self, RandomizationError> {
        let space = Space::new(ranges, config)?;
        let buffer_length = config.buffer_length(world_count, space.sides.len());
        let (aims, better) = (config.aims(task)?, task.measures()[0].better);
        let rules = Rules {
            grow_above: better.oriented(aims.good),
            shrink_below: better.oriented(aims.poor),
            better,
            buffer_length,
            step: config.step(buffer_length),
        };
        let state = State::new(&space, config.start_reach.into());
        Ok(Self {
            seeds,
            choice: seeds.branch("adr"),
            rows: space.rows.iter().map(|row| seeds.branch(row.parameter.name)).collect(),
            nominal: WorldParameters::nominal(&scene),
            scene,
            task,
            boundary_probability: config.boundary_probability.into(),
            rules,
            space: Arc::new(space),
            state: Arc::new(RwLock::new(state)),
        })
    }

    /// A view that stays when these ranges are given to the worlds.
    pub fn monitor(&self) -> AdrMonitor {
        AdrMonitor { space: Arc::clone(&self.space), state: Arc::clone(&self.state) }
    }

    /// The boundary that an episode tests, if it tests one: name of the row or group, and which end.
    pub fn tested(&self, world: u64, episode: u64) -> Option<(&str, Side)> {
        let side = &self.space.sides[self.tested_side(world, episode)?];
        Some((&side.group, side.side))
    }

    /// Puts every boundary where it was at some time, in the order of [`AdrReport::sides`]: what is planned then is what
    /// was planned at that time.
    ///
    /// # Errors
    /// When there are not as many reaches as boundaries, or one is not a finite number.
    pub fn set_reaches(&mut self, reaches: &[f64]) -> Result<(), RandomizationError> {
        let count = self.space.sides.len();
        if reaches.len() != count {
            let difference = format!("it has {} boundaries, here there are {count}", reaches.len());
            return Err(RandomizationError::AdrStateOfAnotherTable { difference });
        }
        if let Some(reach) = reaches.iter().find(|reach| !reach.is_finite()) {
            let problem = format!("{reach} is no reach of a boundary");
            return Err(RandomizationError::UnreadableAdrState { problem });
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.sides.iter_mut().zip(reaches).for_each(|(side, reach)| side.reach = *reach);
        Ok(())
    }

    fn tested_side(&self, world: u64, episode: u64) -> Option<usize> {
        let mut rng = self.choice.stream(Stream::Parameters, world, episode);
        (rng.random::<f64>() < self.boundary_probability).then(|| rng.random_range(0..self.space.sides.len()))
    }

    /// The headline, turned so that more is better; nothing when less than a whole episode was meant. An episode that
    /// says nothing, or nonsense, counts as a poor one.
    fn success(&self, report: &EpisodeReport) -> Option<f64> {
        let full_secs = f64::from(self.task.episode_step_count()) * f64::from(self.scene.robot().control.period_secs);
        let headline = judged(report, 0, self.rules.better, full_secs)?;
        Some(headline.unwrap_or(self.rules.shrink_below))
    }
}

impl EpisodeSampler for AdrRanges {
    fn parameters(&self) -> Vec<NamedLimits> {
        let rows = self.space.rows.iter().map(|row| row.parameter);
        rows.map(|row| NamedLimits { name: row.name.to_owned(), limits: row.column_limits() }).collect()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let tested = self.tested_side(world, episode);
        let mut parameters = self.nominal.clone();
        let mut sampled = Vec::with_capacity(self.space.rows.len());
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        for (row, seeds) in self.space.rows.iter().zip(&self.rows) {
            let range = row.range(|side| state.sides[side].reach);
            let mut rng = seeds.stream(Stream::Parameters, world, episode);
            let at_boundary = Side::ALL.into_iter().find(|side| {
                let of_row = row.sides[*side as usize];
                of_row.is_some() && of_row == tested
            });
            sampled.push(match at_boundary {
                Some(side) => {
                    let value = if side == Side::Lower { range.lower } else { range.upper };
                    row.parameter.spread(value, range, &mut parameters, &mut rng);
                    value
                }
                None => row.parameter.draw(row.distribution(range), &mut parameters, &mut rng),
            });
        }
        drop(state);
        let stream = |stream| self.seeds.stream(stream, world, episode);
        EpisodePlan {
            sampled,
            start: self.task.start(self.scene.robot(), &mut stream(Stream::Start)),
            disturbances: Vec::new(),
            noise_seed: stream(Stream::Sensing).random(),
            parameters,
        }
    }

    fn learn(&mut self, reports: &[EpisodeReport]) {
        let finished = reports.iter().map(|report| Finished {
            world: report.world,
            episode: report.episode,
            tested: self.tested_side(report.world, report.episode),
            success: self.success(report),
        });
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.learn(&self.space, &self.rules, finished);
    }

    fn save(&self) -> Vec<u8> {
        state::save(&self.state.read().unwrap_or_else(PoisonError::into_inner), &self.space, self.seeds.root())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let mut restored = state::restore(saved, &self.space, self.seeds.root()).map_err(|error| error.to_string())?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        restored.history = state.history.is_some().then(AdrHistory::default);
        *state = restored;
        Ok(())
    }
}
