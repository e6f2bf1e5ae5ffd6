//! A folder of its own for a hand that somebody else described: turned palm up, with a resting pose and a place for the
//! object that were searched for, and every liberty written down.

use super::hold::{HoldShare, hold_share};
use super::search::{Found, Merit, Search, Start, search, starts};
use super::stance::{LEVEL_DEGREES, Stance, moved};
use crate::run::config::{Parts, RunConfig};
use crate::run::statistics::Estimate;
use anyhow::{Context, Result, bail, ensure};
use giraffe_physics::SceneModel;
use giraffe_robots::{
    ImportReport, MeshShapes, OBJECTS, ObjectModel, ROBOTS, RobotModel, StrictFolder, find_object, put_in_place,
    read_robot_file_with, strict_folder,
};
use nalgebra::{Isometry3, UnitQuaternion};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Share of episodes in which a hand at rest should keep its object; below, others are tried.
pub const ENOUGH_SHARE: f64 = 0.8;
/// Objects rest at least so high in the palm frame, m, so that one that falls past the hand is seen to fall.
const LEAST_HEIGHT_M: f32 = 0.01;
/// Where a palm frame is moved, they rest so high, m, as in the hands of the catalogue.
const USUAL_HEIGHT_M: f32 = 0.03;
/// A palm tilted by less than this, degrees, need not be turned even to try it.
const UPRIGHT_DEGREES: f32 = 3.0;

/// What is adopted, and how.
#[derive(Debug, Clone)]
pub struct AdoptOptions {
    /// The folder that is made.
    pub out: PathBuf,
    /// The only object that is tried; without it others are, where `config`'s cannot be held.
    pub object: Option<String>,
    /// Starts that are let settle for each object.
    pub starts: usize,
    /// Episodes before and after, each.
    pub episodes: usize,
    /// Whether the hand stays as it stands.
    pub keep_standing: bool,
    /// What stands for meshes.
    pub mesh_shapes: MeshShapes,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct AdoptReport {
    /// The folder.
    pub folder: PathBuf,
    /// The file that was read.
    pub source: String,
    /// The object that it holds best, or the only one asked for.
    pub object: String,
    /// How the hand stood.
    pub stance: Option<Stance>,
    /// Roll, pitch, yaw by which it was turned, rad; none where it stands as it did.
    pub turned_rpy_rad: Option<[f32; 3]>,
    /// How far the palm frame's origin was lowered, m.
    pub lowered_m: f32,
    /// Where an object starts now, palm frame, m.
    pub object_home_m: [f32; 3],
    /// The resting pose.
    pub home: Vec<JointHome>,
    /// What the search says of it.
    pub merit: Merit,
    /// As it was, with the object of the configuration.
    pub before: HoldShare,
    /// As it is in the folder.
    pub after: HoldShare,
    /// Liberties that were taken with the file.
    pub liberties: usize,
    /// Of these, what should be looked at first.
    pub warnings: Vec<String>,
}

/// Where one joint rests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JointHome {
    /// Its name.
    pub joint: String,
    /// Now, rad.
    pub home_rad: f32,
    /// As the file was read, rad.
    pub before_rad: f32,
}

/// Whoever is told which round it is, and how much of it is done.
pub type Progress<'p> = dyn Fn(&str, usize, usize) + Sync + 'p;

/// Refuses a folder that holds something, or cannot be made.
///
/// # Errors
/// When it is one.
pub fn check_out(out: &Path) -> Result<()> {
    ensure!(
        !out.exists() || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()),
        "{} is not empty; choose another folder with --out, or remove it first",
        out.display()
    );
    ensure!(out.file_name().is_some(), "--out {}: expected the name of a folder", out.display());
    ensure!(
        ROBOTS.iter().all(|entry| Path::new(entry.name) != out),
        "--out {}: a built-in hand has this name, and would be meant by it; choose another",
        out.display()
    );
    let parent = parent_of(out);
    ensure!(parent.is_dir(), "--out {}: there is no folder {}", out.display(), parent.display());
    Ok(())
}

fn parent_of(out: &Path) -> &Path {
    out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the folder. It appears whole or not at all. `None` when somebody said stop.
///
/// # Errors
/// When the hand cannot be read, or the folder not be written.
pub fn adopt(
    config: &RunConfig,
    options: &AdoptOptions,
    progress: &Progress<'_>,
    stop: &AtomicBool,
) -> Result<Option<AdoptReport>> {
    check_out(&options.out)?;
    let config = match &options.object {
        Some(object) => RunConfig { object: object.clone(), ..config.clone() },
        None => config.clone(),
    };
    let parts = config.parts()?;
    let name = options.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(before) = hold_share(&parts, options.episodes, stop) else { return Ok(None) };
    let parts = with_mesh_shapes(parts, &config, options.mesh_shapes)?;
    let adopting = Adopting { config: &config, parts: &parts, options, progress, stop };
    let Some(chosen) = adopting.choose()? else { return Ok(None) };
    let robot = RobotModel { name, ..chosen.robot.clone() };
    let mut folder = strict_folder(&robot, &parts.import);
    let partial = Partial::write(&options.out, &folder)?;
    let again = RunConfig {
        robot: partial.path.to_string_lossy().into_owned(),
        object: chosen.object.name.to_owned(),
        ..config.clone()
    };
    let read_back = again.parts().context("reading back what was written")?;
    ensure!(read_back.import.is_empty(), "what was written is not in giraffe's own form: {}", read_back.import);
    let Some(after) = hold_share(&read_back, options.episodes, stop) else { return Ok(None) };
    let report = adopting.report(&robot, &chosen, before, after);
    folder.readme.push_str(&section(&report, parts.scene.robot(), options, config.seed));
    partial.finish(&options.out, &folder)?;
    Ok(Some(report))
}

/// The same with other shapes for meshes, where somebody else's file is read.
fn with_mesh_shapes(parts: Parts, config: &RunConfig, mesh_shapes: MeshShapes) -> Result<Parts> {
    let path = Path::new(&config.robot);
    if parts.import.is_empty() || !path.is_file() {
        return Ok(parts);
    }
    let (robot, import) = read_robot_file_with(path, mesh_shapes)?;
    let scene = SceneModel::new(Arc::new(robot), parts.scene.object().clone(), parts.scene.settings());
    Ok(Parts { scene: Arc::new(scene), import, ..parts })
}

/// A way up, an object, and the best start found for both.
struct Chosen {
    /// With that start as its own.
    robot: RobotModel,
    turn: Option<UnitQuaternion<f32>>,
    lowered_m: f32,
    object: &'static ObjectModel,
    merit: Merit,
}

struct Adopting<'a> {
    config: &'a RunConfig,
    parts: &'a Parts,
    options: &'a AdoptOptions,
    progress: &'a Progress<'a>,
    stop: &'a AtomicBool,
}

impl Adopting<'_> {
    /// The first object and way up that will do, or the best of all. `None` when somebody said stop.
    fn choose(&self) -> Result<Option<Chosen>> {
        let first = find_object(&self.config.object)?;
        let ways = self.ways_up();
        let mut best: Option<Chosen> = None;
        let others = OBJECTS.iter().filter(|object| object.name != first.name && self.options.object.is_none());
        for object in std::iter::once(first).chain(others) {
            for turn in &ways {
                let Some(chosen) = self.searched(*turn, object) else { return Ok(None) };
                let is_better = best.as_ref().is_none_or(|best| worth(&chosen.merit) > worth(&best.merit));
                if is_better {
                    best = Some(chosen);
                }
                if best.as_ref().is_some_and(|best| f64::from(best.merit.held) >= ENOUGH_SHARE) {
                    return Ok(best);
                }
            }
        }
        Ok(best)
    }

    /// Turns that are tried, the likeliest first: as it stands where its palm looks up, else palm up.
    fn ways_up(&self) -> Vec<Option<UnitQuaternion<f32>>> {
        let stance = Stance::of(self.parts.scene.robot()).filter(|_| !self.options.keep_standing);
        match stance {
            None => vec![None],
            Some(stance) if stance.tilt_degrees > LEVEL_DEGREES => vec![Some(stance.upturn()), None],
            Some(stance) if stance.tilt_degrees > UPRIGHT_DEGREES => vec![None, Some(stance.upturn())],
            Some(_) => vec![None],
        }
    }

    fn searched(&self, turn: Option<UnitQuaternion<f32>>, object: &'static ObjectModel) -> Option<Chosen> {
        let turned = match turn {
            Some(turn) => moved(self.parts.scene.robot(), &Isometry3::from_parts(Default::default(), turn)),
            None => RobotModel::clone(self.parts.scene.robot()),
        };
        let scene =
            |robot: RobotModel| Arc::new(SceneModel::new(Arc::new(robot), object.clone(), self.parts.scene.settings()));
        let mut found = starts(&scene(turned.clone()), self.options.starts);
        let lowered_m = lowering_m(&found);
        found.iter_mut().for_each(|start| start.object_m[2] += lowered_m);
        let robot = moved(&turned, &Isometry3::translation(0.0, 0.0, lowered_m));
        let told = |round: &str, done: usize, total: usize| {
            (self.progress)(&format!("{}: {round}", object.name), done, total);
        };
        let Found { start, merit } = search(&Search {
            scene: &scene(robot.clone()),
            task: self.parts.task,
            seed: self.config.seed,
            starts: found,
            progress: &told,
            stop: self.stop,
        })?;
        Some(Chosen { robot: start.applied(&robot), turn, lowered_m, object, merit })
    }

    fn report(&self, robot: &RobotModel, chosen: &Chosen, before: HoldShare, after: HoldShare) -> AdoptReport {
        let import = &self.parts.import;
        let rpy = |turn: UnitQuaternion<f32>| {
            let (roll, pitch, yaw) = turn.euler_angles();
            [roll, pitch, yaw]
        };
        let before_rad = &self.parts.scene.robot().home_rad;
        let homes = robot.joints.iter().zip(&robot.home_rad).zip(before_rad).map(|((joint, home_rad), before_rad)| {
            JointHome { joint: joint.name.clone(), home_rad: *home_rad, before_rad: *before_rad }
        });
        AdoptReport {
            folder: self.options.out.clone(),
            source: source_of(import, &self.config.robot),
            object: chosen.object.name.to_owned(),
            stance: Stance::of(self.parts.scene.robot()),
            turned_rpy_rad: chosen.turn.map(rpy),
            lowered_m: chosen.lowered_m,
            object_home_m: robot.palm_from_object_home.translation.vector.into(),
            home: homes.collect(),
            merit: chosen.merit,
            before,
            after,
            liberties: import.entries.len(),
            warnings: import.warnings().map(|entry| format!("{}: {}", entry.found, entry.done)).collect(),
        }
    }
}

fn worth(merit: &Merit) -> f32 {
    merit.held + 0.1 * merit.pushed
}

fn source_of(import: &ImportReport, robot: &str) -> String {
    let name = Path::new(robot).file_name().map(|name| name.to_string_lossy().into_owned());
    import.source.clone().or(name).unwrap_or_else(|| robot.to_owned())
}

/// How far the palm frame has to go down so that objects rest as high in it as in other hands, m; zero where they do.
fn lowering_m(starts: &[Start]) -> f32 {
    let mut heights: Vec<f32> = starts.iter().map(|start| start.object_m[2]).collect();
    heights.sort_by(f32::total_cmp);
    match heights.get(heights.len() / 4) {
        Some(low) if *low < LEAST_HEIGHT_M => ((USUAL_HEIGHT_M - low) * 1e3).round() / 1e3,
        _ => 0.0,
    }
}

/// A folder that is not there yet, under a name that begins with a dot beside it. It is removed if it is not finished.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn write(out: &Path, folder: &StrictFolder) -> Result<Self> {
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = parent_of(out).join(format!(".{name}.partial"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).with_context(|| format!("making the folder {}", out.display()))?;
        let partial = Self { path };
        partial.fill(folder)?;
        Ok(partial)
    }

    fn fill(&self, folder: &StrictFolder) -> Result<()> {
        for (name, text) in folder.files() {
            let path = self.path.join(name);
            let write = || fs::write(&path, text).and_then(|()| fs::File::open(&path)?.sync_all());
            write().with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    fn finish(self, out: &Path, folder: &StrictFolder) -> Result<()> {
        self.fill(folder)?;
        // An empty folder may be there; one that was filled meanwhile is left alone.
        if out.is_dir() && fs::remove_dir(out).is_err() {
            bail!("{} was filled meanwhile; choose another folder with --out", out.display());
        }
        put_in_place(&self.path, out).with_context(|| format!("making the folder {}", out.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn percent(share: &HoldShare) -> String {
    let HoldShare { episodes, held, share, .. } = share;
    match share {
        Some(Estimate { ci95: Some([low, high]), .. }) => {
            format!("{held} of {episodes} ({:.0} to {:.0} %)", 100.0 * low, 100.0 * high)
        }
        _ => format!("{held} of {episodes}"),
    }
}

/// What adopting did, for the README.
fn section(report: &AdoptReport, before: &RobotModel, options: &AdoptOptions, seed: u64) -> String {
    let mut text = String::from("\n## What `giraffe adopt` chose\n\n");
    let mut say = |sentence: String| {
        let _ = writeln!(text, "- {sentence}");
    };
    if let Some([roll, pitch, yaw]) = report.turned_rpy_rad {
        let tilt = report.stance.map_or(0.0, |stance| stance.tilt_degrees);
        say(format!(
            "The hand was turned by rpy {roll:.3} {pitch:.3} {yaw:.3} rad, so that its palm looks up: it was tilted by \
             {tilt:.0} degrees. With --keep-standing it stays as it stands."
        ));
    }
    if report.lowered_m > 0.0 {
        say(format!(
            "The origin of the palm frame lies {:.3} m lower than in the file, so that an object that falls past the hand is \
             seen to fall. A tracker's poses are in this frame.",
            report.lowered_m
        ));
    }
    let [x, y, z] = report.object_home_m;
    let [was_x, was_y, was_z] = <[f32; 3]>::from(before.palm_from_object_home.translation.vector);
    say(format!(
        "Of {} starts, seed {seed}, the steadiest with {}: the object starts at {x:.4} {y:.4} {z:.4} m in the palm frame (it \
         was {was_x:.4} {was_y:.4} {was_z:.4} in that of the file).",
        options.starts, report.object
    ));
    say(format!(
        "A hand that does nothing keeps its object in {} whole nominal episodes; before, in {}.",
        percent(&report.after),
        percent(&report.before)
    ));
    say(format!(
        "Pushed by 0.2 m/s it keeps it in {:.0} % of its trials; {:.0} % of its fingertips can reach it where it starts.",
        100.0 * report.merit.pushed,
        100.0 * report.merit.reached
    ));
    text.push_str("\n| joint | home, rad | before, rad |\n| --- | --- | --- |\n");
    for JointHome { joint, home_rad, before_rad } in &report.home {
        let _ = writeln!(text, "| {joint} | {home_rad:.3} | {before_rad:.3} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_finished_is_gone_and_one_that_was_filled_meanwhile_is_left_alone() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let out = home.path().join("hand");
        let robot = giraffe_robots::load_robot("leap-right").expect("a built-in hand");
        let folder = strict_folder(&robot, &ImportReport::default());
        drop(Partial::write(&out, &folder).expect("written"));
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 0, "nobody finished it");
        let partial = Partial::write(&out, &folder).expect("written");
        fs::create_dir(&out).expect("made");
        fs::write(out.join("mine.txt"), "mine").expect("written");
        assert!(partial.finish(&out, &folder).is_err());
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 1, "the partial folder is gone");
        assert!(out.join("mine.txt").is_file());
    }
}
