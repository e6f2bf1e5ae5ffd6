//! What a run is: one value, whose defaults are its documentation, saved whole with every run.
//!
//! Layers, later ones win: defaults, the file given with `--config`, every `--set key=value`.

use super::folder::CONFIG_FILE;
use super::hand::{self, HAND_FILE};
use super::setting::{self, PRESET_RANGES};
use anyhow::{Context, Result, bail};
use giraffe_physics::{EpisodeSampler, PhysicsSettings, SceneModel, WorldsSettings};
use giraffe_policy::PpoConfig;
use giraffe_randomization::{
    AdrMonitor, AdrRanges, CurriculumConfig, CurriculumMonitor, CurriculumRanges, DosedScenario, FixedRanges, NONE,
    Preset, RandomizationConfig, RangeConfig, Subject,
};
use giraffe_robots::{
    ImportReport, ROBOTS, RobotModel, SeedTree, Task, did_you_mean, find_object, find_task_with, load_robot_with_report,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Everything that decides a run, but for how long it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Name of a built-in hand, or path to a folder with `hand.xml` and `robot.toml`, or to an MJCF or URDF file.
    pub robot: String,
    /// Name of the object.
    pub object: String,
    /// Name of the task.
    pub task: String,
    /// Numbers of the task that are not as usual; `giraffe list tasks` names them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dials: BTreeMap<String, f32>,
    /// The seed of all randomness.
    pub seed: u64,
    /// Wall-clock seconds between checkpoints.
    pub checkpoint_secs: f64,
    /// Training stops when more than this share of the latest episodes ended because the simulation lost its numbers.
    pub largest_lost_share: f64,
    /// How many worlds, on how many threads.
    pub worlds: WorldsSettings,
    /// How finely time is cut.
    pub physics: PhysicsSettings,
    /// What varies between worlds.
    pub randomization: RandomizationConfig,
    /// One number of the task or of what varies that begins easier than it is said here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curriculum: Option<CurriculumConfig>,
    /// How to learn.
    pub ppo: PpoConfig,
    /// The hand that the run was made with, where the configuration is that of a run. It stands in a file of its own, and is
    /// used in place of `robot`.
    #[serde(skip)]
    pub own_hand: Option<Arc<RobotModel>>,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            robot: "leap-right".to_owned(),
            object: "cube-70mm".to_owned(),
            task: "rotate-z".to_owned(),
            dials: BTreeMap::new(),
            seed: 1,
            checkpoint_secs: 60.0,
            largest_lost_share: 0.05,
            worlds: WorldsSettings::default(),
            physics: PhysicsSettings::default(),
            randomization: RandomizationConfig::default(),
            curriculum: None,
            ppo: PpoConfig::default(),
            own_hand: None,
        }
    }
}

/// What moves in a run as the policy gets better.
#[derive(Debug, Clone)]
pub enum Moving {
    /// Ranges that grow.
    Ranges(AdrMonitor),
    /// One number.
    Curriculum(CurriculumMonitor),
}

/// The parts a run is built from.
pub struct Parts {
    /// Hand and object.
    pub scene: Arc<SceneModel>,
    /// The task.
    pub task: &'static dyn Task,
    /// All randomness.
    pub seeds: SeedTree,
    /// What was not understood of somebody else's hand.
    pub import: ImportReport,
}

impl RunConfig {
    /// Reads the layers. If the file is that of a run, the run's own hand comes with it, unless a setting names another.
    ///
    /// # Errors
    /// When a file cannot be read, a key is unknown or a value cannot be.
    pub fn read(file: Option<&Path>, settings: &[String]) -> Result<Self> {
        let Some(path) = file else { return Self::of_table(toml::Table::new(), settings) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading the configuration {}", path.display()))?;
        let origin = path.display().to_string();
        if path.ends_with(CONFIG_FILE) {
            return Self::of_run(&text, &origin, settings, || hand::read(&path.with_file_name(HAND_FILE)));
        }
        Self::of_table(parse(&text, &origin)?, settings)
    }

    /// The same of the text of a run's configuration, from `origin`. Its hand is that which `read_hand` finds, unless a setting
    /// names another.
    ///
    /// # Errors
    /// As [`RunConfig::read`].
    pub fn of_run(
        text: &str,
        origin: &str,
        settings: &[String],
        read_hand: impl FnOnce() -> Result<Option<RobotModel>>,
    ) -> Result<Self> {
        let mut config = Self::of_table(parse(text, origin)?, settings)?;
        if !setting::names(settings, "robot") {
            config.own_hand = read_hand()?.map(Arc::new);
        }
        Ok(config)
    }

    /// The layers above the defaults: a table as in a file, then settings.
    ///
    /// # Errors
    /// When a key is unknown or a value cannot be.
    pub fn of_table(mut table: toml::Table, settings: &[String]) -> Result<Self> {
        if let Some(toml::Value::Array(several)) = table.get("curriculum") {
            bail!("there are {} sections [[curriculum]]: one at a time, as [curriculum]", several.len());
        }
        setting::join_names(&mut table);
        let known = known_keys()?;
        for setting in settings {
            setting::apply(&mut table, setting, &known)?;
        }
        check_keys(&table, &known, "")?;
        let config: Self = toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
            // One line: the parser puts the place of a mistake on a line of its own.
            anyhow::anyhow!("the configuration: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        })?;
        config.check_counts()?;
        config.check_lost_share()?;
        config.ppo.validate(config.worlds.world_count)?;
        config.randomization.adr.validate().context("the configuration")?;
        Ok(config)
    }

    /// As it stands in a run's folder: everything, one range a line.
    ///
    /// # Errors
    /// When it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        let mut plain = self.clone();
        let ranges = std::mem::take(&mut plain.randomization.ranges);
        let preset_ranges = plain.randomization.preset_ranges.as_mut().map(std::mem::take);
        let mut text = toml::to_string_pretty(&plain).context("writing down the configuration")?;
        for (section, ranges) in [("ranges", Some(ranges)), (PRESET_RANGES, preset_ranges)] {
            let lines =
                ranges.iter().flat_map(RangeConfig::rows).map(|(row, range)| format!("\"{}\" = {range}\n", row.name));
            let header = format!("[randomization.{section}]\n");
            text = text.replacen(&header, &(header.clone() + &lines.collect::<String>()), 1);
        }
        Ok(text)
    }

    fn check_counts(&self) -> Result<()> {
        for (name, count) in [
            ("physics.substep_count", self.physics.substep_count as usize),
            ("physics.solver_iteration_count", self.physics.solver_iteration_count as usize),
            ("physics.inner_iteration_count", self.physics.inner_iteration_count as usize),
            ("worlds.world_count", self.worlds.world_count),
        ] {
            if count == 0 {
                bail!("{name} = 0: expected at least 1");
            }
        }
        if self.checkpoint_secs.is_nan() {
            bail!("checkpoint_secs = nan: expected a number of seconds; 0 saves after every iteration");
        }
        check_threads("worlds.thread_count", self.worlds.thread_count)?;
        check_threads("ppo.thread_count", self.ppo.thread_count)
    }

    /// The run's own hand, or that which `robot` names, with what was not understood of it.
    ///
    /// # Errors
    /// When there is no such hand, or it cannot be read.
    pub fn hand(&self) -> Result<(Arc<RobotModel>, ImportReport)> {
        if let Some(own) = &self.own_hand {
            return Ok((Arc::clone(own), ImportReport::default()));
        }
        let (robot, import) = load_robot_with_report(&self.robot)?;
        Ok((Arc::new(robot), import))
    }

    /// What `robot` names is another hand by now than the run's own, which is used: in which fields. Nothing where both are
    /// the same, and where there is no such file any more.
    pub fn changed_hand(&self) -> Option<String> {
        let own = self.own_hand.as_ref()?;
        let is_there = ROBOTS.iter().any(|entry| entry.name == self.robot) || Path::new(&self.robot).exists();
        if !is_there {
            return None;
        }
        let what = match load_robot_with_report(&self.robot) {
            Ok((now, _)) => {
                let found = hand::differences(own, &now);
                if found.is_empty() {
                    return None;
                }
                format!("has changed since the run began: {}", hand::in_words(&found))
            }
            Err(error) => format!("cannot be read any more: {error}"),
        };
        Some(format!("{} {what}. The run goes on with its own hand, {HAND_FILE} in its folder", self.robot))
    }

    fn check_lost_share(&self) -> Result<()> {
        let share = self.largest_lost_share;
        if !(0.0..=1.0).contains(&share) {
            bail!("largest_lost_share = {share}: expected a share, from 0 to 1 (1: never stop)");
        }
        Ok(())
    }

    /// Loads hand, object and task.
    ///
    /// # Errors
    /// When one of them does not exist or cannot be read.
    pub fn parts(&self) -> Result<Parts> {
        let (robot, import) = self.hand()?;
        let object = find_object(&self.object)?.clone();
        Ok(Parts {
            scene: Arc::new(SceneModel::new(robot, object, self.physics)),
            task: find_task_with(&self.task, &self.dials)?,
            seeds: SeedTree::new(self.seed),
            import,
        })
    }
}

impl Parts {
    /// Draws the episodes of a training run: from fixed ranges, in a curriculum, or from ranges that grow; the latter two can
    /// then be watched.
    ///
    /// # Errors
    /// When ranges shall grow and there is nothing to widen, or a number shall move that there is not, or both shall.
    pub fn training_sampler(&self, config: &RunConfig) -> Result<(Box<dyn EpisodeSampler>, Option<Moving>)> {
        let randomization = &config.randomization;
        if config.curriculum.is_some() {
            if randomization.adr.enabled {
                bail!(
                    "there are two curricula, [curriculum] and randomization.adr.enabled = true: one at a time, since both \
                     would move by the same results and nobody could tell which of them was too much; switch one off"
                );
            }
            let sampler = self.curriculum(config)?;
            let monitor = sampler.monitor();
            return Ok((Box::new(sampler), Some(Moving::Curriculum(monitor))));
        }
        if !randomization.adr.enabled {
            return Ok((Box::new(self.sampler(randomization, &NONE, self.seeds)), None));
        }
        let (ranges, world_count) = (randomization.resolved(), config.worlds.world_count);
        let scene = Arc::clone(&self.scene);
        let sampler = AdrRanges::new(self.seeds, scene, self.task, &ranges, &randomization.adr, world_count)?;
        let monitor = sampler.monitor();
        Ok((Box::new(sampler), Some(Moving::Ranges(monitor))))
    }

    /// Draws the episodes of a run with a curriculum.
    ///
    /// # Errors
    /// When it has none, or one that cannot be.
    pub fn curriculum(&self, config: &RunConfig) -> Result<CurriculumRanges> {
        let curriculum = config.curriculum.as_ref().context("this run has no curriculum")?;
        let ranges = &config.randomization.resolved();
        let subject = Subject { task: &config.task, dials: &config.dials, ranges };
        Ok(CurriculumRanges::new(self.seeds, &self.scene, subject, curriculum)?)
    }

    /// Draws nominal episodes, as the task starts them, from `seeds`.
    pub fn nominal_sampler(&self, seeds: SeedTree) -> FixedRanges {
        let nothing = RandomizationConfig { preset: Preset::None, ..RandomizationConfig::default() };
        self.sampler(&nothing, &NONE, seeds)
    }

    /// Draws episodes as `randomization` asks, from `seeds`, with what `scenario` lets happen during each.
    pub fn sampler(
        &self,
        randomization: &RandomizationConfig,
        scenario: impl Into<DosedScenario>,
        seeds: SeedTree,
    ) -> FixedRanges {
        FixedRanges::new(seeds, Arc::clone(&self.scene), self.task, &randomization.resolved()).with_scenario(scenario)
    }
}

fn parse(text: &str, origin: &str) -> Result<toml::Table> {
    text.parse().with_context(|| format!("the configuration {origin}"))
}

/// More threads than this no machine has use for. What a run wrote down on a larger machine still starts on a small one.
const MAX_THREADS: usize = 1024;

/// Refuses numbers of threads that make no sense.
///
/// # Errors
/// Says what would.
pub fn check_threads(name: &str, count: usize) -> Result<()> {
    if count > MAX_THREADS {
        bail!(
            "{name} = {count}: expected at most {MAX_THREADS}, or 0 for one thread per core; it never changes a result"
        );
    }
    Ok(())
}

/// Every key there is: those of the default, and those that have no value unless somebody gives one.
fn known_keys() -> Result<toml::Table> {
    let mut every = RunConfig::default();
    (every.randomization.adr.grow_above, every.randomization.adr.shrink_below) = (Some(0.0), Some(0.0));
    every.ppo.frozen_actor_updates = Some(0);
    let (measure, promote_above, demote_below) = (Some(String::new()), Some(0.0), Some(0.0));
    every.curriculum = Some(CurriculumConfig { measure, promote_above, demote_below, ..CurriculumConfig::of("", 0.0) });
    toml::Table::try_from(every).context("writing down the default configuration")
}

/// Names that settings once had, in the folders of old runs.
const FORMER_KEYS: [&str; 2] =
    ["randomization.adr.grow_above_rad_per_sec", "randomization.adr.shrink_below_rad_per_sec"];

/// Refuses keys that no setting has, suggesting the nearest. Randomized parameters are checked by their own table.
fn check_keys(table: &toml::Table, known: &toml::Table, prefix: &str) -> Result<()> {
    for (key, value) in table {
        // Which there are, the task knows.
        if prefix.is_empty() && key == "dials" {
            continue;
        }
        let ranges = prefix == "randomization." && [PRESET_RANGES, "ranges"].contains(&key.as_str());
        if ranges || FORMER_KEYS.contains(&format!("{prefix}{key}").as_str()) {
            continue;
        }
        let Some(known_value) = known.get(key) else {
            let full: Vec<String> = known.keys().map(|known| format!("{prefix}{known}")).collect();
            let meant = did_you_mean(&format!("{prefix}{key}"), full.iter().map(String::as_str));
            bail!("unknown setting {prefix}{key}{meant} (known here: {})", full.join(", "));
        };
        if let (toml::Value::Table(inner), toml::Value::Table(known)) = (value, known_value) {
            check_keys(inner, known, &format!("{prefix}{key}."))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_curricula_are_refused_however_they_are_written() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("two.toml");
        let one = "[[curriculum]]\nscalar = \"dials.tolerance_rad\"\neasy = 1.0\n";
        std::fs::write(&path, one.repeat(2)).expect("written");
        let said = RunConfig::read(Some(&path), &[]).expect_err("two").to_string();
        assert!(said.contains("2 sections [[curriculum]]: one at a time"), "{said}");
        let settings = [
            "task=reorient",
            "curriculum.scalar=dials.tolerance_rad",
            "curriculum.easy=1",
            "randomization.adr.enabled=true",
        ];
        let config = RunConfig::read(None, &settings.map(str::to_owned)).expect("each of them may be");
        let built = config.parts().expect("hand and task").training_sampler(&config).map(|_| ());
        let said = built.expect_err("ranges that grow are one, too").to_string();
        assert!(said.contains("[curriculum] and randomization.adr.enabled = true: one at a time"), "{said}");
    }

    #[test]
    fn a_curriculum_reads_back_as_it_was_written() {
        let settings =
            ["task=reorient", "curriculum={ scalar = 'dials.tolerance_rad', easy = 1.2, episode_count = 7 }"];
        let config = RunConfig::read(None, &settings.map(str::to_owned)).expect("a curriculum");
        let curriculum = config.curriculum.clone().expect("a curriculum");
        assert_eq!(
            curriculum,
            CurriculumConfig { episode_count: 7, ..CurriculumConfig::of("dials.tolerance_rad", 1.2) }
        );
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("one.toml");
        std::fs::write(&path, config.to_toml().expect("it can be written")).expect("written");
        assert_eq!(RunConfig::read(Some(&path), &[]).expect("its own"), config);
        let slip = ["curriculum.scalar=x".to_owned(), "curriculum.easyy=1".to_owned()];
        let said = RunConfig::read(None, &slip).expect_err("no such setting").to_string();
        assert!(said.contains("did you mean `curriculum.easy`?"), "{said}");
    }

    #[test]
    fn counts_of_threads_are_bounded_by_sense() {
        for count in [0, 1, 128, MAX_THREADS] {
            check_threads("worlds.thread_count", count).expect("it may be");
        }
        for name in ["worlds.thread_count", "ppo.thread_count"] {
            let setting = format!("{name}=100000");
            let error = RunConfig::read(None, &[setting]).expect_err("too many").to_string();
            assert!(error.contains(&format!("{name} = 100000: expected at most 1024")), "{error}");
        }
    }
}
