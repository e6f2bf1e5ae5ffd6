//! Everything in the tables works with everything else in them.

use giraffe::cli::serve::drivers;
use giraffe::run::config::RunConfig;
use giraffe_physics::{HandWorlds, WorldsSettings};
use giraffe_randomization::{NONE, PARAMETERS, Preset, RandomizationConfig, SCENARIOS};
use giraffe_robots::{OBJECTS, ROBOTS, StepBatch, TASKS, WorldBatch};
use std::sync::atomic::AtomicBool;

/// Every robot with every task and every object.
fn combinations() -> impl Iterator<Item = RunConfig> {
    ROBOTS.iter().flat_map(|robot| {
        TASKS.iter().flat_map(move |task| {
            OBJECTS.iter().map(move |object| RunConfig {
                robot: robot.name.to_owned(),
                task: task.name().to_owned(),
                object: object.name.to_owned(),
                ..RunConfig::default()
            })
        })
    })
}

#[test]
fn every_robot_turns_every_object_in_every_task_with_finite_observations_and_rewards() {
    for config in combinations() {
        for preset in Preset::ALL {
            let parts = config.parts().unwrap();
            let randomization = RandomizationConfig { preset, ..RandomizationConfig::default() };
            let sampler = parts.sampler(&randomization, &NONE, parts.seeds);
            let settings = WorldsSettings { world_count: 2, thread_count: 1, staggered: false };
            let mut worlds = HandWorlds::new(parts.scene.clone(), parts.task, Box::new(sampler), settings).unwrap();
            let mut batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
            worlds.reset_all(&mut batch);
            for step in 0..5 {
                let what = format!("{} {} {} {preset:?} step {step}", config.robot, config.task, config.object);
                assert!(batch.observations.iter().all(|number| number.is_finite()), "{what}");
                assert!(batch.rewards.iter().all(|number| number.is_finite()), "{what}");
                let sign = if step % 2 == 0 { 1.0 } else { -1.0 };
                worlds.step(&vec![sign; 2 * worlds.action_width()], &mut batch);
            }
            let [first, second] =
                [0, 1].map(|world| &batch.observations[world * worlds.schema().critic_width()..][..8]);
            assert!(preset == Preset::None || first != second, "two worlds are the same");
        }
    }
}

#[test]
fn what_a_policy_reads_is_printed_with_every_signal_and_where_the_actor_ends() {
    for config in combinations() {
        let description = giraffe::meet::describe::describe(&config, 0, &AtomicBool::new(false)).unwrap().unwrap();
        for part in ["actor", "critic", "fingerprint", config.robot.as_str(), config.task.as_str()] {
            assert!(description.text.contains(part), "{part} is not in\n{}", description.text);
        }
        let observation = &description.json["observation"];
        let columns = observation["columns"].as_array().unwrap();
        assert_eq!(observation["critic_width"].as_u64().unwrap(), columns.len() as u64);
        assert!(observation["actor_width"].as_u64().unwrap() < columns.len() as u64);
    }
}

#[test]
fn every_row_of_every_table_is_documented_and_has_a_name_of_its_own() {
    let sentence = |name: &str, doc: &str| {
        assert!(doc.split(' ').count() >= 2, "{name}: `{doc}` tells nobody anything");
        name.to_owned()
    };
    let tables: Vec<Vec<String>> = vec![
        ROBOTS.iter().map(|row| sentence(row.name, row.doc)).collect(),
        TASKS.iter().map(|row| sentence(row.name(), row.doc())).collect(),
        OBJECTS.iter().map(|row| sentence(row.name, row.doc)).collect(),
        PARAMETERS.iter().map(|row| sentence(row.name, row.doc)).collect(),
        SCENARIOS.iter().map(|row| sentence(row.name, row.doc)).collect(),
        drivers().into_iter().map(|(name, doc)| sentence(name, doc)).collect(),
    ];
    for names in tables {
        assert!(!names.is_empty());
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} is there twice");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
            assert!(name.chars().all(is_plain), "{name} is hard to type");
        }
    }
    for row in PARAMETERS {
        assert!(!row.unit.is_empty() && !row.source.is_empty(), "{}: no unit, or nobody knows where from", row.name);
    }
}
