//! Everything in the tables can be found, built and used together.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{
    ActionSchema, GeomShape, Limits, NamedLimits, OBJECTS, ObservationSchema, ROBOTS, SeedTree, Stream, TASKS,
    find_object, find_task, load_robot,
};

#[test]
fn every_task_can_be_set_to_every_robot() {
    let parameter = NamedLimits { name: "object.mass".to_owned(), limits: Limits { lower: 0.05, upper: 0.2 } };
    for entry in ROBOTS {
        let robot = load_robot(entry.name).unwrap();
        for task in TASKS {
            let terms = task.observation(&robot);
            let schema = ObservationSchema::new(terms, &robot, vec![parameter.clone()])
                .unwrap_or_else(|error| panic!("{} on {}: {error}", task.name(), entry.name));
            assert!(schema.actor_width() > 0 && schema.critic_width() > schema.actor_width());
            let action: ActionSchema = task.action(&robot);
            assert_eq!(action.width(), robot.actuated_joints().len());
            assert!(task.episode_step_count() > 0);
        }
    }
}

#[test]
fn every_task_starts_every_robot_within_its_limits_and_repeats_by_seed() {
    for entry in ROBOTS {
        let robot = load_robot(entry.name).unwrap();
        for task in TASKS {
            for episode in 0..50 {
                let start = || task.start(&robot, &mut SeedTree::new(1).stream(Stream::Start, 0, episode));
                assert_eq!(start(), start());
                for (joint, angle) in robot.joints.iter().zip(start().joint_positions_rad) {
                    assert!(joint.position_limits_rad.contains(angle), "{}: {angle}", joint.name);
                }
            }
        }
    }
}

#[test]
fn a_policy_stays_within_the_robots_own_safety_envelope() {
    for entry in ROBOTS {
        let robot = load_robot(entry.name).unwrap();
        for task in TASKS {
            let action = task.action(&robot);
            let speed = action.max_rad_per_step / robot.control.period_secs;
            assert!(speed <= robot.safety.target_velocity_rad_per_sec, "{} on {}", task.name(), entry.name);
            let reversal = 2.0 * speed / robot.control.period_secs;
            assert!(reversal <= robot.safety.target_acceleration_rad_per_sec2, "{} on {}", task.name(), entry.name);
            assert!(action.tracking_band_rad <= robot.safety.tracking_band_rad, "{} on {}", task.name(), entry.name);
        }
    }
}

#[test]
fn every_robot_can_be_driven_and_compared() {
    for entry in ROBOTS {
        let robot = load_robot(entry.name).unwrap();
        assert_eq!(robot.name, entry.name);
        assert!(!entry.doc.is_empty() && !robot.fingertips.is_empty());
        let (pose_rad, fingertips_m) = robot.test_vector();
        assert_eq!((pose_rad.len(), fingertips_m.len()), (robot.joint_count(), robot.fingertips.len()));
        assert!(fingertips_m.iter().all(|point| point.coords.iter().all(|number| number.is_finite())));
    }
}

#[test]
fn names_are_unique_and_find_their_row() {
    for (index, task) in TASKS.iter().enumerate() {
        assert!(TASKS[..index].iter().all(|other| other.name() != task.name()));
        assert_eq!(find_task(task.name()).unwrap().name(), task.name());
    }
    for object in OBJECTS {
        assert_eq!(find_object(object.name).unwrap(), object);
        assert!(object.mass_kg > 0.0 && object.friction >= 0.0);
        assert!(!matches!(object.shape, GeomShape::Sphere { radius_m } if radius_m <= 0.0));
    }
    assert_eq!(find_task("rotate_z").err().unwrap().nearest.as_deref(), Some("rotate-z"));
    assert_eq!(find_object("cube-70").unwrap_err().nearest.as_deref(), Some("cube-70mm"));
}
