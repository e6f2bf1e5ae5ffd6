//! The object's pose as a tracker (cameras, markers) reports it: seldom, late, a little wrong, sometimes not at all.

use crate::noise;
use crate::parameters::TrackingParameters;
use giraffe_robots::{ObjectPose, StreamRng};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use rand::RngExt;
use std::collections::VecDeque;

/// A pose and how old it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TrackedPose {
    pub pose: ObjectPose,
    /// Since the picture it was found in, s.
    pub age_secs: f64,
}

/// Finds the object's pose in pictures.
///
/// Pictures are taken at whole multiples of the refresh period from the start of the episode on (without one: always, so
/// that each reading has a picture of its own). A picture is known to the reader when the delay has passed. The pose in it
/// is that of its own instant, between physics steps too; its error is drawn with the picture, so it stays until the next.
#[derive(Debug, Clone)]
pub(crate) struct ObjectTracker {
    parameters: TrackingParameters,
    noise_rng: StreamRng,
    loss_rng: StreamRng,
    injection_rng: StreamRng,
    /// Where the object started: poses that are none of its lie around it.
    start_m: Vector3<f32>,
    substep_secs: f64,
    /// Number of physics steps since the start.
    now: u64,
    /// True poses after each physics step, newest last.
    past: VecDeque<ObjectPose>,
    kept: usize,
    /// The picture that was looked at last, and the last one in which the object was found.
    seen: Option<i64>,
    found: Option<Found>,
}

/// How far poses that are none of the object's lie from its start along each axis at most, m: over the palm still.
const INJECTED_REACH_M: f32 = 0.05;

#[derive(Debug, Clone, Copy)]
struct Found {
    /// When the picture was taken, in physics steps from the start.
    at: f64,
    pose: ObjectPose,
}

impl ObjectTracker {
    /// A tracker of an object that has always been at `pose`.
    pub fn new(parameters: TrackingParameters, substep_secs: f32, noise_seed: u64, pose: ObjectPose) -> Self {
        Self {
            parameters,
            noise_rng: noise::of_effect("tracker noise", noise_seed),
            loss_rng: noise::of_effect("tracker loss", noise_seed),
            injection_rng: noise::of_effect("tracker injection", noise_seed),
            start_m: pose.position_m,
            substep_secs: f64::from(substep_secs),
            now: 0,
            past: VecDeque::from([pose]),
            kept: kept(&parameters, substep_secs),
            seen: None,
            found: None,
        }
    }

    /// Other parameters from the next picture on. What was found stays known, and no older picture takes its place; poses
    /// that were not kept are gone.
    pub fn apply(&mut self, parameters: TrackingParameters) {
        if parameters.refresh_secs.to_bits() != self.parameters.refresh_secs.to_bits() {
            // Pictures have other numbers now.
            self.seen = None;
        }
        self.parameters = parameters;
        self.kept = kept(&parameters, self.substep_secs as f32);
        self.past.drain(..self.past.len().saturating_sub(self.kept));
    }

    /// Takes note of the true pose after a physics step.
    pub fn record(&mut self, pose: ObjectPose) {
        if self.past.len() >= self.kept {
            self.past.pop_front();
        }
        self.past.push_back(pose);
        self.now += 1;
    }

    /// The pose as known now. Once per control step: noise and losses are drawn at each call, so that neither the refresh
    /// period nor the delay shifts the numbers of later ones. The first pose is never lost.
    pub fn read(&mut self) -> TrackedPose {
        let error = self.draw_error();
        let lost = self.parameters.dropout > 0.0 && self.loss_rng.random::<f32>() < self.parameters.dropout;
        let injected = self.draw_injection();
        let (picture, at) = self.newest_picture();
        let is_new = match (picture, self.found) {
            (None, found) => found.is_none_or(|found| at >= found.at),
            // Where the delay grows, or pictures get other times, the newest may be older than what is known.
            (_, found) => picture != self.seen && found.is_none_or(|found| at > found.at),
        };
        self.seen = picture;
        let found = match self.found {
            Some(found) if lost || !is_new => found,
            _ => Found { at, pose: injected.unwrap_or_else(|| self.with_error(self.pose_at(at), error)) },
        };
        self.found = Some(found);
        TrackedPose { pose: found.pose, age_secs: (self.now as f64 - found.at) * self.substep_secs }
    }

    /// The newest picture that is known now: its number (`None` where every reading has its own), and when it was taken, in
    /// physics steps from the start.
    fn newest_picture(&self) -> (Option<i64>, f64) {
        let known_until = self.now as f64 - f64::from(self.parameters.delay_secs) / self.substep_secs;
        let refresh = f64::from(self.parameters.refresh_secs) / self.substep_secs;
        if refresh <= 0.0 {
            return (None, known_until);
        }
        // Periods in `f32` are a little more or less than whole numbers of steps: nobody should wait a step for that.
        const ROUNDING: f64 = 1e-4;
        let picture = (known_until / refresh + ROUNDING).floor();
        (Some(picture as i64), (picture * refresh).min(known_until))
    }

    fn pose_at(&self, at: f64) -> ObjectPose {
        let back = (self.now as f64 - at).max(0.0);
        let newest = self.past.len() - 1;
        let near = self.past[newest.saturating_sub(back.floor() as usize)];
        let part = (back - back.floor()) as f32;
        if part <= 0.0 {
            return near;
        }
        let far = self.past[newest.saturating_sub(back.ceil() as usize)];
        let turned = near.palm_from_object.try_slerp(&far.palm_from_object, part, 1e-6);
        ObjectPose {
            position_m: near.position_m.lerp(&far.position_m, part),
            palm_from_object: turned.unwrap_or(near.palm_from_object),
        }
    }

    /// A shift, m, and a turn, rad, both in the palm frame.
    fn draw_error(&mut self) -> [Vector3<f32>; 2] {
        let TrackingParameters { position_noise_m, rotation_noise_rad, .. } = self.parameters;
        if position_noise_m <= 0.0 && rotation_noise_rad <= 0.0 {
            return [Vector3::zeros(); 2];
        }
        [position_noise_m, rotation_noise_rad]
            .map(|size| Vector3::from_fn(|_, _| size * noise::symmetric(&mut self.noise_rng)))
    }

    /// A pose that has nothing to do with the object's, where a picture shows something else. All numbers are drawn each
    /// time, so that those of later pictures do not depend on whether it does.
    fn draw_injection(&mut self) -> Option<ObjectPose> {
        if self.parameters.injection <= 0.0 {
            return None;
        }
        let rng = &mut self.injection_rng;
        let happens = rng.random::<f32>() < self.parameters.injection;
        let shift = Vector3::from_fn(|_, _| INJECTED_REACH_M * noise::symmetric(rng));
        let palm_from_object = any_rotation(rng);
        happens.then(|| ObjectPose { position_m: self.start_m + shift, palm_from_object })
    }

    fn with_error(&self, pose: ObjectPose, [shift, turn]: [Vector3<f32>; 2]) -> ObjectPose {
        let TrackingParameters { position_bias_m, rotation_bias_rad, .. } = self.parameters;
        let turn = turn + Vector3::from(rotation_bias_rad);
        let turned = UnitQuaternion::from_scaled_axis(turn) * pose.palm_from_object;
        ObjectPose {
            position_m: pose.position_m + shift + Vector3::from(position_bias_m),
            palm_from_object: if turn.norm_squared() > 0.0 { turned } else { pose.palm_from_object },
        }
    }
}

/// After how many physics steps poses are kept.
fn kept(parameters: &TrackingParameters, substep_secs: f32) -> usize {
    let oldest_secs = parameters.delay_secs + parameters.refresh_secs;
    (oldest_secs / substep_secs).ceil() as usize + 2
}

/// An orientation, each as likely (Shoemake, Graphics Gems III, 1992).
fn any_rotation(rng: &mut StreamRng) -> UnitQuaternion<f32> {
    let share: f32 = rng.random();
    let [first, second] = [(); 2].map(|()| std::f32::consts::TAU * rng.random::<f32>());
    let (low, high) = ((1.0 - share).sqrt(), share.sqrt());
    let quaternion = Quaternion::new(high * second.cos(), low * first.sin(), low * first.cos(), high * second.sin());
    UnitQuaternion::from_quaternion(quaternion)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSTEP_SECS: f32 = 0.025;

    /// An object that moves at 1 m/s along x and turns at 1 rad/s about z, so that its pose tells the time.
    fn at(secs: f32) -> ObjectPose {
        ObjectPose {
            position_m: Vector3::new(secs, 0.0, 0.0),
            palm_from_object: UnitQuaternion::from_axis_angle(&Vector3::z_axis(), secs),
        }
    }

    /// Poses as known at the end of each control step of 50 ms, from the start on.
    fn track(parameters: TrackingParameters, step_count: usize) -> Vec<TrackedPose> {
        let mut tracker = ObjectTracker::new(parameters, SUBSTEP_SECS, 2, at(0.0));
        let mut tracked = vec![tracker.read()];
        for step in 0..step_count {
            tracker.record(at((2 * step + 1) as f32 * SUBSTEP_SECS));
            tracker.record(at((2 * step + 2) as f32 * SUBSTEP_SECS));
            tracked.push(tracker.read());
        }
        tracked
    }

    fn now(step: usize) -> f32 {
        step as f32 * 0.05
    }

    #[track_caller]
    fn assert_near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }

    #[test]
    fn a_perfect_tracker_reports_the_truth_at_once() {
        for (step, tracked) in track(TrackingParameters::default(), 50).iter().enumerate() {
            assert_near(tracked.age_secs as f32, 0.0);
            assert_eq!(tracked.pose, at(2.0 * step as f32 * SUBSTEP_SECS));
        }
    }

    #[test]
    fn a_pose_is_refreshed_every_third_step_and_is_as_old_as_it_says() {
        let parameters = TrackingParameters { refresh_secs: 0.15, ..TrackingParameters::default() };
        let tracked = track(parameters, 600);
        for (step, tracked) in tracked.iter().enumerate() {
            assert_near(tracked.age_secs as f32, now(step % 3));
            assert_near(tracked.pose.position_m.x, now(step) - now(step % 3));
        }
    }

    #[test]
    fn a_late_pose_is_that_of_its_own_instant_between_physics_steps_too() {
        for (delay_secs, refresh_secs) in [(0.06, 0.0), (0.06, 0.1), (0.1, 0.07)] {
            let parameters = TrackingParameters { delay_secs, refresh_secs, ..TrackingParameters::default() };
            for (step, tracked) in track(parameters, 100).iter().enumerate().skip(5) {
                let age_secs = tracked.age_secs as f32;
                assert!(age_secs > delay_secs - 1e-5 && age_secs < delay_secs + refresh_secs + 1e-5, "{age_secs}");
                assert_near(tracked.pose.position_m.x, now(step) - age_secs);
                let turned = tracked.pose.palm_from_object.angle_to(&at(now(step) - age_secs).palm_from_object);
                assert!(turned < 1e-3, "{turned}");
            }
        }
    }

    #[test]
    fn before_anything_arrives_the_object_is_where_it_starts() {
        let parameters = TrackingParameters { delay_secs: 0.2, refresh_secs: 0.1, ..TrackingParameters::default() };
        for tracked in &track(parameters, 10)[..4] {
            assert_near(tracked.pose.position_m.x, 0.0);
        }
    }

    #[test]
    fn a_lost_picture_leaves_the_last_pose_which_grows_old() {
        let parameters = TrackingParameters { refresh_secs: 0.1, dropout: 0.4, ..TrackingParameters::default() };
        let tracked = track(parameters, 2000);
        for (step, tracked) in tracked.iter().enumerate() {
            assert_near(tracked.pose.position_m.x, now(step) - tracked.age_secs as f32);
        }
        let found = tracked.iter().step_by(2).filter(|tracked| tracked.age_secs < 0.01).count();
        assert!((found as f32 / 1001.0 - 0.6).abs() < 0.05, "{found} of 1001 pictures");
        assert!(tracked.iter().any(|tracked| tracked.age_secs > 0.3), "several in a row");
    }

    #[test]
    fn noise_stays_within_its_size_and_is_drawn_anew_with_each_picture() {
        let parameters = TrackingParameters {
            refresh_secs: 0.1,
            position_noise_m: 0.005,
            rotation_noise_rad: 0.1,
            ..TrackingParameters::default()
        };
        let tracked = track(parameters, 1000);
        let errors: Vec<[Vector3<f32>; 2]> = tracked
            .iter()
            .enumerate()
            .map(|(step, tracked)| {
                let truth = at(now(step) - tracked.age_secs as f32);
                let turn = tracked.pose.palm_from_object * truth.palm_from_object.inverse();
                [tracked.pose.position_m - truth.position_m, turn.scaled_axis()]
            })
            .collect();
        for [shift, turn] in &errors {
            assert!(shift.amax() < 0.005 + 2e-4 && turn.amax() < 0.1 + 2e-3, "{shift} {turn}");
        }
        let largest = errors.iter().map(|[shift, turn]| (shift.amax(), turn.amax()));
        assert!(largest.clone().any(|(shift, _)| shift > 0.0045) && largest.clone().any(|(_, turn)| turn > 0.09));
        for pair in tracked.chunks_exact(2) {
            assert_eq!(pair[0].pose, pair[1].pose, "nothing new in between");
        }
        assert!(tracked[0].pose != tracked[2].pose);
    }

    #[test]
    fn a_bias_shifts_and_turns_every_pose_alike() {
        let parameters = TrackingParameters {
            position_bias_m: [0.0, 0.01, 0.0],
            rotation_bias_rad: [0.0, 0.0, 0.2],
            ..TrackingParameters::default()
        };
        for (step, tracked) in track(parameters, 40).iter().enumerate() {
            assert!((tracked.pose.position_m - Vector3::new(now(step), 0.01, 0.0)).norm() < 1e-5);
            assert_near(tracked.pose.palm_from_object.angle_to(&at(now(step) + 0.2).palm_from_object), 0.0);
        }
    }

    #[test]
    fn what_is_lost_and_what_is_wrong_do_not_change_each_other() {
        let with = |position_noise_m, dropout| {
            track(TrackingParameters { position_noise_m, dropout, ..TrackingParameters::default() }, 200)
        };
        let (both, noise, loss) = (with(0.01, 0.3), with(0.01, 0.0), with(0.0, 0.3));
        for step in 0..200 {
            assert!((both[step].age_secs - loss[step].age_secs).abs() < 1e-9);
            if both[step].age_secs < 1e-9 {
                assert_eq!(both[step].pose, noise[step].pose);
            }
        }
    }

    #[test]
    fn now_and_then_something_else_is_taken_for_the_object() {
        let parameters = TrackingParameters { refresh_secs: 0.1, injection: 0.25, ..TrackingParameters::default() };
        let tracked = track(parameters, 4000);
        let mut others = Vec::new();
        for (step, tracked) in tracked.iter().enumerate().step_by(2) {
            assert_near(tracked.age_secs as f32, 0.0);
            if tracked.pose != at(2.0 * step as f32 * SUBSTEP_SECS) {
                others.push(tracked.pose);
            }
        }
        assert!((others.len() as f32 / 2001.0 - 0.25).abs() < 0.03, "{} of 2001 pictures", others.len());
        let count = others.len() as f32;
        assert!(others.iter().all(|pose| pose.position_m.amax() <= INJECTED_REACH_M), "around the start");
        let mean = others.iter().map(|pose| pose.position_m).sum::<Vector3<f32>>() / count;
        assert!(mean.amax() < 0.005, "{mean}");
        // The mean angle of a uniform rotation is pi / 2 + 2 / pi; its axis points anywhere.
        let angle = others.iter().map(|pose| pose.palm_from_object.angle()).sum::<f32>() / count;
        assert!((angle - 2.207).abs() < 0.1, "{angle}");
        let turned = others.iter().map(|pose| pose.palm_from_object * Vector3::x()).sum::<Vector3<f32>>() / count;
        assert!(turned.amax() < 0.1, "{turned}");
        for pair in tracked.chunks_exact(2) {
            assert_eq!(pair[0].pose, pair[1].pose, "nothing new in between");
        }
    }

    #[test]
    fn what_is_taken_for_the_object_leaves_all_other_pictures_as_they_were() {
        let with = |injection| {
            let parameters =
                TrackingParameters { position_noise_m: 0.01, dropout: 0.3, injection, ..TrackingParameters::default() };
            track(parameters, 200)
        };
        let (none, some) = (with(0.0), with(0.2));
        let same = none.iter().zip(&some).filter(|(none, some)| none.pose == some.pose).count();
        assert!((130..185).contains(&same), "{same} of 201");
        assert!(none.iter().zip(&some).all(|(none, some)| (none.age_secs - some.age_secs).abs() < 1e-9));
    }

    /// As [`track`], where the parameters change before some control steps.
    fn track_under_changes(changes: &[(usize, TrackingParameters)], step_count: usize) -> Vec<TrackedPose> {
        let mut tracker = ObjectTracker::new(TrackingParameters::default(), SUBSTEP_SECS, 2, at(0.0));
        let see = |step: usize| {
            for (_, parameters) in changes.iter().filter(|(at, _)| *at == step) {
                tracker.apply(*parameters);
            }
            tracker.record(at((2 * step + 1) as f32 * SUBSTEP_SECS));
            tracker.record(at((2 * step + 2) as f32 * SUBSTEP_SECS));
            tracker.read()
        };
        (0..step_count).map(see).collect()
    }

    #[test]
    fn where_a_tracker_changes_no_picture_is_older_than_the_one_before() {
        let of = |refresh_secs, delay_secs| TrackingParameters {
            refresh_secs,
            delay_secs,
            position_bias_m: [0.0; 3],
            ..TrackingParameters::default()
        };
        let changes = [
            (10, of(0.0, 0.3)),
            (25, of(0.35, 0.1)),
            (40, of(0.1, 0.0)),
            (50, of(0.0, 0.1)),
            (60, of(0.4, 0.4)),
            (80, of(0.0, 0.0)),
        ];
        let tracked = track_under_changes(&changes, 90);
        let taken: Vec<f32> = tracked.iter().enumerate().map(|(s, t)| now(s + 1) - t.age_secs as f32).collect();
        assert!(taken.windows(2).all(|pair| pair[1] >= pair[0] - 1e-5), "{taken:?}");
        for (step, tracked) in tracked.iter().enumerate() {
            assert_near(tracked.pose.position_m.x, taken[step]);
            let parameters = changes.iter().rev().find(|(at, _)| *at <= step).map_or(of(0.0, 0.0), |(_, then)| *then);
            let settled = changes.iter().all(|(at, _)| step < *at || step > at + 8);
            let most = parameters.delay_secs + parameters.refresh_secs + 1e-4;
            let age_secs = tracked.age_secs as f32;
            assert!(!settled || (parameters.delay_secs - 1e-4..most).contains(&age_secs), "{age_secs} at step {step}");
        }
    }

    #[test]
    fn a_bias_that_begins_shows_with_the_next_picture() {
        let seldom = TrackingParameters { refresh_secs: 0.2, ..TrackingParameters::default() };
        let biased = TrackingParameters { position_bias_m: [0.0, 0.01, 0.0], ..seldom };
        let tracked = track_under_changes(&[(0, seldom), (5, biased)], 10);
        for (step, tracked) in tracked.iter().enumerate() {
            // Pictures at 0.2 s, 0.4 s (the end of step 7) and so on.
            let expected = if step < 7 { 0.0 } else { 0.01 };
            assert_near(tracked.pose.position_m.y, expected);
        }
    }
}
