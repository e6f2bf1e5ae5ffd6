//! A run's worlds stay what they were when it began, whatever becomes of the table of parameters and its presets.

use crate::support::{TINY_ITERATION_STEPS, TinyPolicy, run_in, train};
use giraffe::run::config::RunConfig;
use giraffe_randomization::{Distribution, Preset, RangeConfig};
use std::path::Path;

/// The numbers behind every range, bit for bit.
fn bits(ranges: &RangeConfig) -> Vec<(&'static str, [u32; 2])> {
    let numbers = |range| match range {
        Distribution::Fixed(value) => [value, value],
        Distribution::Uniform { min, max } | Distribution::LogUniform { min, max } => [min, max],
        Distribution::Normal { mean, deviation } => [mean, deviation],
    };
    ranges.rows().map(|(row, range)| (row.name, numbers(range).map(f32::to_bits))).collect()
}

fn config(run: &Path, settings: &[&str]) -> RunConfig {
    let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    RunConfig::read(Some(&run.join("config.toml")), &settings).unwrap()
}

/// Rewrites the configuration in a run's folder.
fn rewrite(run: &Path, change: impl Fn(&mut toml::Table)) {
    let path = run.join("config.toml");
    let mut table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    change(table["randomization"].as_table_mut().unwrap());
    std::fs::write(path, table.to_string()).unwrap();
}

#[test]
fn a_run_writes_down_the_ranges_that_its_preset_means() {
    let folder = tempfile::tempdir().unwrap();
    for preset in [Preset::Narrow, Preset::Dactyl] {
        let asked = format!("randomization.preset={}", preset.name());
        let exception = "randomization.ranges.object.mass={ uniform = { min = 0.30000004, max = 1.1 } }";
        let run = train(folder.path(), preset.name(), 1, &["--set", &asked, "--set", exception]);
        let text = std::fs::read_to_string(run.join("config.toml")).unwrap();
        assert!(text.contains("[randomization.preset_ranges"), "{text}");
        let kept = config(&run, &[]).randomization;
        assert_eq!(kept.preset, preset);
        assert_eq!(bits(kept.preset_ranges.as_ref().unwrap()), bits(&preset.ranges()));
        let mut resolved = preset.ranges();
        resolved.set("object.mass", Distribution::Uniform { min: 0.300_000_04, max: 1.1 }).unwrap();
        assert_eq!(bits(&kept.resolved()), bits(&resolved));
    }
}

#[test]
fn another_preset_takes_the_place_of_what_a_run_wrote_down() {
    let tiny = TinyPolicy::shared();
    let run = tiny.run();
    assert_eq!(bits(&config(&run, &[]).randomization.resolved()), bits(&Preset::Wide.ranges()));
    let narrow = config(&run, &["randomization.preset=narrow"]).randomization;
    assert_eq!(bits(&narrow.resolved()), bits(&Preset::Narrow.ranges()));
    let nominal = ["randomization.preset=none", "randomization.ranges.object.mass=1.5"];
    let ranges = config(&run, &nominal).randomization.resolved();
    assert_eq!(
        ranges.rows().map(|(row, range)| (row.name, range)).collect::<Vec<_>>(),
        [("object.mass", Distribution::Fixed(1.5))]
    );
}

#[test]
fn a_policy_is_evaluated_in_the_worlds_of_its_own_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "run", 2, &[]);
    let score = |settings: &[&str]| {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        run_in(folder.path(), &[&["evaluate", "run", "--episodes", "3", "--json"], &settings[..]].concat()).json()
    };
    let before = score(&[]);
    assert_eq!(score(&["randomization.preset=wide"]), before, "today both mean the same");
    // As if the run had begun when the preset meant something else: heavy objects on a steep palm.
    rewrite(&run, |randomization| {
        let ranges = randomization["preset_ranges"].as_table_mut().unwrap();
        ranges.insert("object.mass".to_owned(), toml::Value::Float(3.0));
        ranges.insert("gravity.tilt".to_owned(), toml::Value::Float(0.5));
    });
    assert_ne!(score(&[]), before, "its own ranges hold");
    assert_eq!(score(&["randomization.preset=wide"]), before, "and today's when they are asked for");
    let steps = (4 * TINY_ITERATION_STEPS).to_string();
    let resumed = run_in(folder.path(), &["train", "--resume", "run", "--steps", &steps]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    assert_eq!(config(&run, &[]).randomization.resolved().get("object.mass"), Some(Distribution::Fixed(3.0)));
    // A run from before ranges were written down.
    rewrite(&run, |randomization| assert!(randomization.remove("preset_ranges").is_some()));
    assert_eq!(bits(&config(&run, &[]).randomization.resolved()), bits(&Preset::Wide.ranges()));
}

#[test]
fn a_range_that_a_run_wrote_down_and_this_program_does_not_know_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "run", 1, &[]);
    rewrite(&run, |randomization| {
        let ranges = randomization["preset_ranges"].as_table_mut().unwrap();
        ranges.insert("object.weight".to_owned(), toml::Value::Float(1.0));
    });
    let refused = run_in(folder.path(), &["evaluate", "run", "--episodes", "1"]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("object.weight") && refused.stderr.contains("list parameters"), "{refused:#?}");
}

#[test]
fn ranges_learned_for_another_table_are_refused_in_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "run", 1, &["--set", "randomization.adr.enabled=true"]);
    for (change, part) in [("widen", "range or bounds of object.mass have changed"), ("leave", "grouped otherwise")] {
        let before = std::fs::read(run.join("config.toml")).unwrap();
        rewrite(&run, |randomization| {
            match change {
                "widen" => {
                    let range: toml::Table = "uniform = { min = 0.2, max = 1.5 }".parse().unwrap();
                    let ranges = randomization["preset_ranges"].as_table_mut().unwrap();
                    ranges.insert("object.mass".to_owned(), toml::Value::Table(range));
                }
                _ => {
                    _ = randomization["adr"]
                        .as_table_mut()
                        .unwrap()
                        .insert("groups".to_owned(), toml::Value::Array(vec![]))
                }
            };
        });
        let refused = run_in(folder.path(), &["train", "--resume", "run", "--steps", "1000"]);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        let messages: Vec<&str> = refused.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert_eq!(messages.len(), 1, "{refused:#?}");
        for part in [part, "another table of parameters", "begin a new run"] {
            assert!(messages[0].contains(part), "`{part}` is not in {}", messages[0]);
        }
        std::fs::write(run.join("config.toml"), before).unwrap();
    }
}

#[test]
fn thresholds_of_growing_ranges_in_the_folders_of_old_runs_still_say_what_they_said() {
    let tiny = TinyPolicy::shared();
    let old = ["randomization.adr.grow_above_rad_per_sec=0.25", "randomization.adr.shrink_below_rad_per_sec=0.125"];
    let adr = config(&tiny.run(), &old).randomization.adr;
    assert_eq!((adr.grow_above, adr.shrink_below), (Some(0.25), Some(0.125)));
    let adr = config(&tiny.run(), &["randomization.adr.grow_above=0.5"]).randomization.adr;
    assert_eq!((adr.grow_above, adr.shrink_below), (Some(0.5), None));
}
