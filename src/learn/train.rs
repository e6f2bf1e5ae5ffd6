//! Training: build the parts, then collect, learn, log and save until the budget is spent or somebody says stop.

use super::adr_log::AdrLog;
use super::budget::Budget;
use super::curve::learning_curve;
use super::episode_log::EpisodeLog;
use super::lost::{LostEpisodes, Verdict};
use super::metrics::health::{Findings, Health};
use super::metrics::row::{CurriculumColumns, MeasureColumns, MetricsRow, RewardColumns};
use super::metrics::timing::{SpeedReport, Split, timed_iteration};
use super::metrics::{METRICS_FILE, MetricsLog, crash};
use super::processes::Processes;
use super::rescue::{Finished, Guard, HEALTH_FILE, WINDOW_FILE, WORLDS_FILE};
use super::show::{Show, Standing};
use super::warm_start::WarmStart;
use super::window::Window;
use crate::run::COMMIT;
use crate::run::config::{Moving, Parts, RunConfig};
use crate::run::folder::{CONFIG_FILE, POLICY_FILE, RunFolder, RunProgress};
use crate::run::hand::{self, HAND_FILE};
use crate::run::memory::{Needed, Present};
use crate::run::score::Score;
use crate::run::skills::set::skills_file_at;
use crate::stopping::undisturbed;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use giraffe_physics::{EpisodeSampler, HandWorlds};
use giraffe_policy::{Ancestor, DeviceChoice, IterationReport, Policy, PolicyContext, PolicyError, PpoLearner, Widths};
use giraffe_randomization::{CurriculumMonitor, CurriculumReport, NONE};
use giraffe_robots::{EpisodeReport, ObservationSchema, Outcome, StepBatch, WorldBatch};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a training run amounted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Where everything is.
    pub run_dir: PathBuf,
    /// Control steps done in all worlds together.
    pub control_steps: u64,
    /// Wall-clock seconds of training.
    pub train_seconds: f64,
    /// Of the last training episodes that have had time to end, exploration included.
    pub score: Score,
    /// Whether it was stopped before its budget was spent.
    pub stopped: bool,
    /// Where the time of this session went.
    pub speed: SpeedReport,
}

/// One training run in progress, in this process and perhaps others. All processes know how it stands; the first one
/// writes it down.
pub struct Training {
    config: RunConfig,
    folder: RunFolder,
    processes: Processes,
    parts: Parts,
    worlds: HandWorlds,
    batch: StepBatch,
    learner: PpoLearner,
    progress: RunProgress,
    logs: Option<Logs>,
    window: Window,
    lost: LostEpisodes,
    health: Health,
    column_names: Vec<String>,
}

/// What the first process writes in every iteration.
struct Logs {
    metrics: MetricsLog,
    moving: Option<MovingLog>,
}

/// What is written of what moves.
enum MovingLog {
    Ranges(AdrLog),
    Curriculum(CurriculumMonitor, EpisodeLog),
}

impl MovingLog {
    fn open(moving: Moving, folder: &RunFolder, iteration: u64) -> Result<Self> {
        Ok(match moving {
            Moving::Ranges(monitor) => Self::Ranges(AdrLog::open(monitor, folder, iteration)?),
            Moving::Curriculum(monitor) => {
                let episodes = EpisodeLog::open(Box::new(monitor.clone()), folder, iteration)?;
                Self::Curriculum(monitor, episodes)
            }
        })
    }

    fn sync(&self) -> Result<()> {
        match self {
            Self::Ranges(log) => log.sync(),
            Self::Curriculum(_, episodes) => episodes.sync(),
        }
    }

    fn log(&mut self, progress: &RunProgress) -> Result<()> {
        match self {
            Self::Ranges(log) => log.log(progress),
            Self::Curriculum(_, episodes) => episodes.log(progress.iteration),
        }
    }
}

/// What a session of training has spent so far.
#[derive(Debug, Clone, Copy, Default)]
struct Session {
    split: Split,
    begun_at_steps: u64,
    begun_at_secs: f64,
}

impl Training {
    /// Starts a run in a new folder. There the configuration says in numbers what its preset means, so that the run's
    /// worlds stay what they are when a preset changes.
    ///
    /// # Errors
    /// When the configuration cannot be, or the folder is in use.
    pub fn begin(config: RunConfig, out: &Path, device: DeviceChoice, processes: Processes) -> Result<Self> {
        Self::begin_from(config, out, device, processes, None)
    }

    /// The same; the actor starts as that of `from`, if there is one.
    ///
    /// # Errors
    /// As [`Training::begin`], and when that policy does not fit.
    pub fn begin_from(
        config: RunConfig,
        out: &Path,
        device: DeviceChoice,
        processes: Processes,
        from: Option<&WarmStart>,
    ) -> Result<Self> {
        let config = RunConfig { randomization: config.randomization.pinned(), ..config };
        let mut built = build(&config, device, &processes)?;
        start(&mut built, from)?;
        let mut created = None;
        if processes.is_first() {
            let folder = RunFolder::create(out)?;
            from.map_or(Ok(()), |from| from.keep_in(&folder, &built.2))?;
            folder.write(CONFIG_FILE, config.to_toml()?.as_bytes())?;
            folder.write("schema.txt", format!("{}\n", built.1.schema()).as_bytes())?;
            created = Some(folder);
        }
        // Nobody looks into the folder before it is there.
        processes.gather(&[]);
        let folder = created.map_or_else(|| RunFolder::open(out), Ok)?;
        Self::begin_with(config, folder, processes, built)
    }

    /// Begins a run whose folder is there, but holds no checkpoint: it was killed before it had one.
    fn begin_in(config: RunConfig, folder: RunFolder, device: DeviceChoice, processes: Processes) -> Result<Self> {
        // Nobody writes a checkpoint while another is still looking.
        processes.gather(&[]);
        let mut built = build(&config, device, &processes)?;
        start(&mut built, WarmStart::kept_in(&folder)?.as_ref())?;
        Self::begin_with(config, folder, processes, built)
    }

    fn begin_with(config: RunConfig, folder: RunFolder, processes: Processes, built: Built) -> Result<Self> {
        let training = Self::assemble(config, folder, processes, built, RunProgress::default())?;
        // From now on there is something to go on from, however soon somebody pulls the plug.
        training.save_checkpoint()?;
        Ok(training)
    }

    /// Continues a run from its newest whole checkpoint: bit for bit with as many processes as before. All processes read
    /// the same folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn resume(path: &Path, device: DeviceChoice, processes: Processes) -> Result<Self> {
        if path.is_dir() && skills_file_at(path).is_some() {
            bail!("{} is a set of skills: it was measured, and there is no run to go on with", path.display());
        }
        let folder = if processes.is_first() { RunFolder::open_to_write(path) } else { RunFolder::open(path) }?;
        let config = RunConfig::read(Some(&folder.file(CONFIG_FILE)), &[])?;
        if let Some(changed) = config.changed_hand().filter(|_| processes.is_first()) {
            tracing::warn!("{changed}");
        }
        if folder.is_fresh()? {
            return Self::begin_in(config, folder, device, processes);
        }
        let (checkpoint, progress) = folder.newest_checkpoint()?;
        // Nobody tidies up while another is still looking.
        processes.gather(&[]);
        if processes.is_first() {
            folder.remove_half_checkpoints();
        }
        let mut built = build(&config, device, &processes)?;
        if config.own_hand.is_none() {
            check_hand(&folder, &built.0)?;
        }
        built.2.load(&checkpoint)?;
        let mut training = Self::assemble(config, folder, processes, built, progress)?;
        let window = std::fs::read(checkpoint.join(WINDOW_FILE)).with_context(|| older_program(&checkpoint))?;
        let saved = std::fs::read(checkpoint.join(WORLDS_FILE)).context("reading the saved worlds")?;
        training.worlds.restore(&saved, &mut training.batch).map_err(anyhow::Error::msg)?;
        training.window = rmp_serde::from_slice(&window).context("the latest episodes")?;
        // A run that was begun before this was written down begins it now.
        if let Ok(health) = std::fs::read(checkpoint.join(HEALTH_FILE)) {
            training.health = serde_json::from_slice(&health).context("what was seen going wrong")?;
        }
        Ok(training)
    }

    fn assemble(
        config: RunConfig,
        folder: RunFolder,
        processes: Processes,
        (parts, worlds, learner, moving): Built,
        progress: RunProgress,
    ) -> Result<Self> {
        if processes.is_first() && !folder.file(HAND_FILE).is_file() {
            folder.write(HAND_FILE, &hand::to_bytes(parts.scene.robot())?)?;
        }
        let batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
        let logs = if processes.is_first() {
            let moving = moving.map(|moving| MovingLog::open(moving, &folder, progress.iteration)).transpose()?;
            Some(Logs { metrics: MetricsLog::open(&folder, &progress)?, moving })
        } else {
            None
        };
        let window = Window::default();
        let column_names = worlds.schema().column_names();
        Ok(Self {
            config,
            folder,
            processes,
            parts,
            worlds,
            batch,
            learner,
            progress,
            logs,
            window,
            lost: LostEpisodes::default(),
            health: Health::default(),
            column_names,
        })
    }

    /// Trains until the budget is spent or `stop` is set; then leaves a checkpoint and a policy.
    ///
    /// # Errors
    /// When learning breaks down or the disk refuses. The last checkpoint stays, and what learning broke on is written
    /// down beside it.
    pub fn run(&mut self, budget: Budget, display: &mut dyn Show, stop: &AtomicBool) -> Result<TrainReport> {
        let begun = Stopwatch::start();
        let before = self.progress.train_seconds;
        let mut session =
            Session { begun_at_steps: self.progress.control_steps, begun_at_secs: before, ..Session::default() };
        let mut saved_at = Stopwatch::start();
        let mut guard = Guard::new(&self.folder, self.processes.count() == 1);
        while !budget.is_spent(&self.progress) && !self.processes.any(stop.load(Ordering::Relaxed)) {
            let iteration = Stopwatch::start();
            let (report, split) = self.iterate(&mut guard)?;
            let writing = undisturbed();
            session.split += split;
            self.progress = RunProgress {
                iteration: report.iteration,
                control_steps: report.control_steps,
                train_seconds: self.processes.of_first(before + begun.elapsed().as_secs_f64()),
            };
            if budget.is_out_of_time(&self.progress) {
                let passed_secs = begun.elapsed_for_sure().as_secs_f64();
                self.progress.train_seconds = self.processes.of_first(before + passed_secs);
            }
            let reports = self.reports()?;
            self.worlds.learn(reports.clone());
            let lost = self.note_lost(&reports);
            let world_steps = self.progress.control_steps / self.config.worlds.world_count as u64;
            self.window.extend(reports, world_steps, self.parts.task.episode_step_count());
            let warnings = self.log(report, split)?;
            let due = saved_at.elapsed().as_secs_f64() >= self.config.checkpoint_secs;
            let is_saved = self.processes.any(due && self.processes.is_first());
            if is_saved {
                self.save()?;
                saved_at = Stopwatch::start();
            }
            drop(writing);
            if is_saved {
                guard.saved();
            } else {
                guard.finished(iteration.elapsed(), || Ok((self.finished()?, self.policy())))?;
            }
            // Last: whoever reads it may be slow, and nothing waits for him.
            warnings.iter().for_each(|warning| display.warn(warning));
            self.show(display, budget, session);
            self.heed(lost, display)?;
        }
        let writing = undisturbed();
        self.save()?;
        drop(writing);
        guard.saved();
        if self.processes.is_first() {
            let picture = self.folder.file("curve.svg");
            learning_curve(&self.folder.file(METRICS_FILE), self.parts.task.measures(), &picture)?;
        }
        Ok(self.report(!budget.is_spent(&self.progress), session))
    }

    fn show(&self, display: &mut dyn Show, budget: Budget, session: Session) {
        let measures = self.parts.task.measures();
        let progress = &self.progress;
        display.show(&Standing {
            budget,
            progress,
            session_steps: progress.control_steps - session.begun_at_steps,
            session_secs: progress.train_seconds - session.begun_at_secs,
            measures,
            score: &self.window.score(measures),
            ended: &self.window.ended(measures),
            world_count: self.config.worlds.world_count,
            entropy_nats: self.entropy_nats(),
            split: session.split,
        });
    }

    /// The folder of the run, which nobody else writes into while this or a clone lives.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The policy that this run started from, then what that one had started from, and so on; none where it began with
    /// nothing learned.
    pub fn started_from(&self) -> &[Ancestor] {
        self.learner.ancestors()
    }

    fn iterate(&mut self, guard: &mut Guard) -> Result<(IterationReport, Split)> {
        let attempt = || timed_iteration(&mut self.learner, &mut self.worlds, &mut self.batch);
        // A panic in a thread of a pool comes here. What it left half done is not touched any more.
        let result = catch_unwind(AssertUnwindSafe(attempt))
            .map_err(|panic| guard.fault(&*panic, self.progress.iteration + 1))?;
        result.map_err(|error| match error {
            PolicyError::NotFinite { .. } => {
                let error = crash::report(&self.folder, &self.learner, &self.worlds, &self.batch, &error);
                // An update breaks in all processes, and the first to leave ends the others: all write first.
                if self.learner.is_broken() {
                    self.processes.gather(&[]);
                }
                error
            }
            other => other.into(),
        })
    }

    /// Reports of the episodes that ended in this iteration, in all processes.
    fn reports(&mut self) -> Result<Vec<EpisodeReport>> {
        let own = self.worlds.take_reports();
        if self.processes.count() == 1 {
            return Ok(own);
        }
        let bytes = rmp_serde::to_vec(&own).context("telling the other processes about episodes")?;
        let mut all = Vec::new();
        for said in self.processes.gather(&bytes) {
            let reports: Vec<EpisodeReport> =
                rmp_serde::from_slice(&said).context("hearing of another process's episodes")?;
            all.extend(reports);
        }
        all.sort_by_key(|report| (report.episode, report.world));
        Ok(all)
    }

    /// Counts episodes whose worlds lost their numbers.
    fn note_lost(&mut self, reports: &[EpisodeReport]) -> Verdict {
        let own = self.worlds.take_lost();
        self.lost.note(reports, own, self.config.worlds.world_count, self.config.largest_lost_share)
    }

    /// Lost episodes are said; too many end the run, with what was learned kept.
    fn heed(&mut self, lost: Verdict, display: &mut dyn Show) -> Result<()> {
        let limit = self.config.largest_lost_share;
        match lost {
            Verdict::Said(text) if self.processes.is_first() => {
                display.warn(&format!("{text}: {}", self.lost.how_to_see(self.folder.path())));
            }
            Verdict::Well | Verdict::Said(_) => {}
            Verdict::TooMany(text) => {
                let writing = undisturbed();
                self.save()?;
                drop(writing);
                let common = self.lost.in_common(&self.worlds.parameters(), self.worlds.sampled());
                bail!(
                    "{text}, more than largest_lost_share = {limit}; {common}. {}. What was learned is kept; after a change of \
                     the hand's file, or of the ranges, in a new run, or to go on all the same with a larger \
                     largest_lost_share in config.toml of the run: giraffe train --resume {}",
                    self.lost.how_to_see(self.folder.path()),
                    self.folder.path().display()
                );
            }
        }
        Ok(())
    }

    fn entropy_nats(&self) -> Option<f64> {
        match self.logs.as_ref()?.moving.as_ref()? {
            MovingLog::Ranges(log) => Some(log.entropy_nats()),
            MovingLog::Curriculum(..) => None,
        }
    }

    fn curriculum(&self) -> Option<CurriculumReport> {
        match self.logs.as_ref()?.moving.as_ref()? {
            MovingLog::Ranges(_) => None,
            MovingLog::Curriculum(monitor, _) => Some(monitor.report()),
        }
    }

    /// Writes a checkpoint, and the policy as it is. All processes give their part, and the first one writes.
    fn save(&mut self) -> Result<()> {
        self.save_checkpoint()?;
        if !self.processes.is_first() {
            return Ok(());
        }
        let policy = self.policy();
        self.folder.replace(POLICY_FILE, |partial| Ok(policy.save(partial)?))
    }

    /// The policy as it is.
    fn policy(&self) -> Policy {
        let robot = self.parts.scene.robot();
        self.learner.export(PolicyContext {
            action: self.worlds.action_schema(),
            control_period_secs: f64::from(robot.control.period_secs),
            robot: robot.name.clone(),
            kinematics_fingerprint: robot.kinematics_fingerprint.clone(),
            dynamics_fingerprint: robot.dynamics_fingerprint.clone(),
            task: self.parts.task.name().to_owned(),
            object: self.parts.scene.object().name.to_owned(),
            commit: COMMIT.to_owned(),
        })
    }

    /// The run as it stands between two iterations. In a group all must call this, and what the first has is whole: the worlds
    /// of all are in none of the others, which save nothing.
    fn finished(&self) -> Result<Finished> {
        let own = self.worlds.save();
        let worlds = match (self.processes.count(), self.processes.is_first()) {
            (1, _) => own,
            (_, true) => HandWorlds::join_saved(&self.processes.gather_to_first(&own)).map_err(anyhow::Error::msg)?,
            (_, false) => {
                self.processes.gather_to_first(&own);
                Vec::new()
            }
        };
        let (here, learned) = ((self.folder.clone(), self.progress), (self.learner.keep()?, worlds));
        Finished::new(here, learned, &self.window, &self.health)
    }

    /// All save or none: whoever saves waits for the others.
    fn save_checkpoint(&self) -> Result<()> {
        let is_due = self.processes.is_first() && !self.folder.is_saved(self.progress.iteration);
        if !self.processes.any(is_due) {
            return Ok(());
        }
        let finished = self.finished()?;
        let Some(logs) = &self.logs else { return Ok(()) };
        logs.moving.as_ref().map_or(Ok(()), MovingLog::sync)?;
        logs.metrics.sync()?;
        finished.save()
    }

    /// Writes down an iteration; what is to be said about it comes back.
    fn log(&mut self, report: IterationReport, split: Split) -> Result<Vec<String>> {
        let measures = self.parts.task.measures();
        let (score, ended) = (self.window.score(measures), self.window.ended(measures));
        let columns = (&self.column_names[..], self.worlds.schema().actor_width());
        let moments = self.learner.observation_moments();
        let Findings { count, warnings, dead_column_count } =
            self.health.examine(&report, &self.config.ppo, moments, columns, self.window.earnings());
        let step_count = (self.config.ppo.horizon_steps * self.config.worlds.world_count) as u64;
        let rewards = self.reward_terms();
        let (adr_entropy, curriculum) = (self.entropy_nats(), CurriculumColumns::of(self.curriculum()));
        let Some(logs) = &mut self.logs else {
            return Ok(Vec::new());
        };
        logs.metrics.write(&MetricsRow {
            train_seconds: self.progress.train_seconds,
            measures: MeasureColumns::of(&score),
            lost_count: [Outcome::Diverged, Outcome::Unreadable].map(|how| ended.count(how)).iter().sum(),
            kept_reward_per_step: self.window.earnings().of_kept(),
            failed_reward_per_step: self.window.earnings().of_dropped(),
            adr_entropy,
            curriculum,
            report,
            rewards: RewardColumns(rewards),
            split,
            rates: split.rates(step_count, self.config.ppo.epoch_count),
            warning_count: count,
            dead_column_count,
        })?;
        logs.moving.as_mut().map_or(Ok(()), |moving| moving.log(&self.progress))?;
        Ok(warnings)
    }

    /// Means over the worlds of all processes, which have as many each.
    fn reward_terms(&mut self) -> Vec<(&'static str, f32)> {
        let mut terms = self.worlds.take_reward_terms();
        if self.processes.count() > 1 {
            let bytes: Vec<u8> = terms.iter().flat_map(|(_, mean)| mean.to_le_bytes()).collect();
            terms.iter_mut().for_each(|(_, mean)| *mean = 0.0);
            for said in self.processes.gather(&bytes) {
                for ((_, mean), word) in terms.iter_mut().zip(said.as_chunks::<4>().0) {
                    *mean += f32::from_le_bytes(*word) / self.processes.count() as f32;
                }
            }
        }
        terms
    }

    fn report(&self, stopped: bool, session: Session) -> TrainReport {
        let score = self.window.score(self.parts.task.measures());
        let speed = SpeedReport::new(
            session.split,
            self.progress.control_steps - session.begun_at_steps,
            self.progress.train_seconds - session.begun_at_secs,
            self.config.ppo.epoch_count,
        );
        TrainReport {
            run_dir: self.folder.path().to_owned(),
            control_steps: self.progress.control_steps,
            train_seconds: self.progress.train_seconds,
            score,
            stopped,
            speed,
        }
    }
}

/// What to do with a checkpoint that lacks what every checkpoint has now.
fn older_program(checkpoint: &Path) -> String {
    format!(
        "{} holds no {WINDOW_FILE}: an older program wrote it, whose tasks counted otherwise; go on with that program, or begin \
         a new run (the policy in its folder can still be evaluated and deployed)",
        checkpoint.display()
    )
}

/// Refuses to go on with another hand in a run that has not kept its own: an older program began it.
fn check_hand(folder: &RunFolder, parts: &Parts) -> Result<()> {
    let path = folder.file(POLICY_FILE);
    let Ok(policy) = Policy::load(&path) else { return Ok(()) };
    let (then, now) = (&policy.manifest().context, parts.scene.robot());
    let then = (&then.kinematics_fingerprint, &then.dynamics_fingerprint);
    ensure!(
        then == (&now.kinematics_fingerprint, &now.dynamics_fingerprint),
        "the hand {} is not the one that this run was made with (kinematics {} and dynamics {} then, {} and {} now), and a run \
         of this age has not kept it; put its file back as it was, or begin a new run",
        now.name,
        then.0,
        then.1,
        now.kinematics_fingerprint,
        now.dynamics_fingerprint
    );
    Ok(())
}

type Built = (Parts, HandWorlds, PpoLearner, Option<Moving>);

fn build(config: &RunConfig, device: DeviceChoice, processes: &Processes) -> Result<Built> {
    let (total, count) = (config.worlds.world_count, processes.count());
    ensure!(
        total.is_multiple_of(count),
        "worlds.world_count = {total}: expected a multiple of {count}, the number of processes that share the worlds"
    );
    let parts = config.parts()?;
    check_memory(config, &parts, total / count)?;
    let (sampler, moving) = parts.training_sampler(config)?;
    let worlds = HandWorlds::share_of(parts.scene.clone(), parts.task, sampler, config.worlds, processes.share())?;
    let widths = (worlds.action_width(), worlds.world_count());
    let learner = PpoLearner::in_group(&config.ppo, worlds.schema(), widths, parts.seeds, device, processes.group())?;
    Ok((parts, worlds, learner, moving))
}

/// Lets what was built start as a policy, if there is one.
fn start((parts, worlds, learner, _): &mut Built, from: Option<&WarmStart>) -> Result<()> {
    from.map_or(Ok(()), |from| from.give(learner, parts.scene.robot(), &worlds.action_schema()))
}

/// Refuses what there is not the memory for, before any of it is taken.
fn check_memory(config: &RunConfig, parts: &Parts, world_count: usize) -> Result<()> {
    let robot = parts.scene.robot();
    let parameters = parts.sampler(&config.randomization, &NONE, parts.seeds).parameters();
    let schema = ObservationSchema::new(parts.task.observation(robot), robot, parameters)?;
    let (actor, critic) = (schema.actor_width(), schema.critic_width());
    let widths = Widths { actor, critic, actions: robot.actuated_joints().len() };
    let needed = Needed::by(&config.ppo, widths, world_count);
    needed.check(Present::here())?;
    if let Some(warning) = needed.warning() {
        tracing::warn!("{warning}");
    }
    Ok(())
}
