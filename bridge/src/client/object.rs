//! What is seen of the object: where it is now, or since when nobody sees it, or that nobody ever looked. Pure: poses and
//! the time come in.

use super::pose::{BelievedPose, Moment, PoseGuard, true_pose};
use crate::message::{POSE_FRAME, Pose, TrackerPose, WithHead};
use giraffe_robots::{Nanos, ObjectPose};

/// What is seen of the object.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ObjectWatch {
    /// Where it is, as far as it is seen now. What a tracker last said counts for a tenth of a second.
    pub pose: Option<ObjectPose>,
    /// For how long it has not been seen, s: since the last pose that was believed, or where there was none, since
    /// somebody first said that they do not see it. In the time of the hand where the controller itself watches, so that
    /// lock-step has the same seconds as a simulation; on this client's clock where a tracker of its own does. `None`:
    /// nobody has ever watched.
    pub unseen_secs: Option<f64>,
}

/// Everything that is known of the object.
#[derive(Debug, Default)]
pub(super) struct ObjectView {
    /// The newest pose, whatever it says.
    pub(super) pose: Option<WithHead<Pose>>,
    /// What is believed of a tracker's poses.
    guard: PoseGuard,
    /// Since when it is not seen.
    unseen_since: Option<Moment>,
    /// The episode that was begun last.
    episode: u64,
    /// The object that poses must be of.
    expected: Option<String>,
    /// Of what else, or in which other frame, a pose was, if any: said once.
    foreign: Option<String>,
}

impl ObjectView {
    /// Poses of other objects are not believed.
    pub(super) fn expect(&mut self, object: Option<String>) {
        self.expected = object;
    }

    /// Why a pose is not one of the object in the palm frame, in words; those numbers mean something else.
    fn foreign(&self, pose: &Pose) -> Option<String> {
        if pose.frame != POSE_FRAME {
            let frame = &pose.frame;
            return Some(format!(
                "poses come in the frame `{frame}`, expected `{POSE_FRAME}`: have the tracker send the object in the palm's frame"
            ));
        }
        // Of a simulator's truth as well: an episode with something else in the hand says nothing of what was asked.
        let expected = self.expected.as_ref().filter(|expected| **expected != pose.object)?;
        let object = &pose.object;
        Some(format!("poses are of `{object}`, expected `{expected}`: hold that, or name what is held with --object"))
    }

    /// An episode begins, with the first pose of it where the controller watches.
    pub(super) fn begin(&mut self, pose: Option<WithHead<Pose>>, now: Nanos) {
        // The time of the hand may begin anew with the episode.
        self.unseen_since = self.unseen_since.filter(|since| !since.is_of_the_hand());
        if let Some(pose) = pose {
            self.guard.forget();
            self.unseen_since = None;
            self.episode = pose.body.episode;
            self.take(pose, true, now);
        }
    }

    /// Takes in a pose that came `now`. `ours`: from the controller, in the time of the hand; otherwise from a tracker with
    /// a clock of its own. Why it does not count, where it does not.
    pub(super) fn take(&mut self, pose: WithHead<Pose>, ours: bool, now: Nanos) -> Option<String> {
        let body = &pose.body;
        if let Some(words) = self.foreign(body) {
            self.reject();
            if self.foreign.is_none() {
                tracing::warn!("{words}; none of them is believed");
                self.foreign = Some(words.clone());
            }
            return Some(words);
        }
        // What was under way when the episode began tells of another time of the hand.
        if ours && body.episode < self.episode {
            return Some("of an episode before".to_owned());
        }
        // What a tracker says: all of the message, or a part of it beside a simulator's truth.
        let own =
            (body.valid && !body.truth).then_some(TrackerPose { p: body.p, q_xyzw: body.q_xyzw, t_meas: body.t_meas });
        let believed = own.or(body.seen).is_some_and(|tracked| self.guard.offer(&tracked, ours, now));
        let seen = if body.truth { true_pose(body).is_some() } else { believed };
        if seen || self.unseen_since.is_none() {
            self.unseen_since = Some(Moment::of(body, ours, now));
        }
        self.pose = Some(pose);
        None
    }

    /// A pose came that could not even be read.
    pub(super) fn reject(&mut self) {
        self.guard.reject();
    }

    /// Poses not believed so far.
    pub(super) fn rejected(&self) -> u64 {
        self.guard.rejected()
    }

    /// What a policy may be told: of a tracker's poses the last one believed, never a simulator's truth. How old it may be
    /// is up to what the policy reads.
    pub(super) fn last(&self, hand_now: Nanos, now: Nanos) -> Option<BelievedPose> {
        self.guard.last(hand_now, now)
    }

    /// The same, if it says that the object is seen now.
    pub(super) fn believed(&self, hand_now: Nanos, now: Nanos) -> Option<BelievedPose> {
        self.guard.believed(hand_now, now)
    }

    /// What is seen at `hand_now` (time of the hand) and `now` (our clock).
    pub(super) fn watch(&self, hand_now: Nanos, now: Nanos) -> ObjectWatch {
        let pose = self.pose.as_ref().and_then(|newest| {
            if newest.body.truth { true_pose(&newest.body) } else { self.believed(hand_now, now).map(|seen| seen.pose) }
        });
        ObjectWatch { pose, unseen_secs: self.unseen_since.map(|since| since.age_secs(hand_now, now)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Head;

    /// A pose of the controller at `secs` in the time of the hand, or of a tracker that knows no such time.
    fn pose(secs: f64, valid: bool) -> WithHead<Pose> {
        let head = Head { v: 1, t: "pose".to_owned(), sid: 0, seq: 1, ts: 0 };
        let (object, frame) = ("cube".to_owned(), "palm".to_owned());
        let (p, q_xyzw) = ([0.01, 0.0, 0.1], [0.0, 0.0, 0.0, 1.0]);
        let t_meas = at(secs).0;
        WithHead {
            head,
            body: Pose { episode: 1, tick: 0, t_meas, object, frame, p, q_xyzw, valid, truth: false, seen: None },
        }
    }

    /// The same as a simulator's truth.
    fn truth(secs: f64, valid: bool) -> WithHead<Pose> {
        let WithHead { head, body } = pose(secs, valid);
        WithHead { head, body: Pose { truth: true, ..body } }
    }

    fn at(secs: f64) -> Nanos {
        Nanos::from_secs(secs)
    }

    /// Whether it is seen, and for how many milliseconds it has not been.
    fn seen(view: &ObjectView, hand_secs: f64, secs: f64) -> (bool, Option<i64>) {
        let ObjectWatch { pose, unseen_secs } = view.watch(at(hand_secs), at(secs));
        (pose.is_some(), unseen_secs.map(|secs| (secs * 1e3).round() as i64))
    }

    #[test]
    fn where_nobody_ever_speaks_nobody_watches() {
        let mut view = ObjectView::default();
        assert_eq!(seen(&view, 900.0, 900.0), (false, None));
        view.reject();
        view.begin(None, at(901.0));
        assert_eq!(seen(&view, 950.0, 950.0), (false, None));
    }

    #[test]
    fn a_tracker_that_loses_the_object_and_finds_it_again_says_for_how_long() {
        let mut view = ObjectView::default();
        view.take(pose(0.0, true), false, at(10.0));
        assert_eq!(seen(&view, 0.0, 10.04), (true, Some(40)));
        // It goes on speaking, or falls silent: lost is lost.
        view.take(pose(0.0, false), false, at(10.2));
        assert_eq!(seen(&view, 0.0, 10.5), (false, Some(500)));
        assert_eq!(seen(&view, 0.0, 13.5), (false, Some(3500)));
        view.take(pose(0.0, true), false, at(14.0));
        assert_eq!(seen(&view, 0.0, 14.01), (true, Some(10)));
    }

    #[test]
    fn a_tracker_that_looks_and_never_sees_it_is_not_nobody() {
        let mut view = ObjectView::default();
        view.take(pose(0.0, false), false, at(3.0));
        view.take(pose(0.0, false), false, at(4.0));
        assert_eq!(seen(&view, 0.0, 5.0), (false, Some(2000)));
        // What is not believed is not seen either.
        let mut odd = pose(0.0, true);
        odd.body.p[0] = f32::NAN;
        view.take(odd, false, at(5.5));
        assert_eq!((seen(&view, 0.0, 6.0), view.rejected()), ((false, Some(3000)), 1));
    }

    #[test]
    fn a_pose_in_another_frame_or_a_trackers_of_another_object_is_not_believed() {
        let of = |frame: &str, object: &str, truth| {
            let WithHead { head, body } = pose(0.0, true);
            let (frame, object) = (frame.to_owned(), object.to_owned());
            WithHead { head, body: Pose { frame, object, truth, ..body } }
        };
        for (odd, ours, said) in [
            (of("camera", "cube", false), false, "`camera`"),
            (of("camera", "cube", false), true, "`camera`"),
            (of("camera", "cube", true), true, "`camera`"),
            (of("palm", "teapot", false), false, "`teapot`"),
            (of("palm", "teapot", false), true, "`teapot`"),
            (of("palm", "teapot", true), true, "`teapot`"),
        ] {
            let mut view = ObjectView::default();
            view.expect(Some("cube".to_owned()));
            view.take(odd, ours, at(1.0));
            assert_eq!((seen(&view, 0.0, 1.0), view.rejected()), ((false, None), 1));
            assert!(view.foreign.as_ref().is_some_and(|words| words.contains(said)), "{:?}", view.foreign);
            view.take(pose(0.0, true), ours, at(1.0));
            assert!(seen(&view, 0.0, 1.0).0, "the right one is");
        }
        // Where nobody said what to expect, anything will do.
        for truth in [true, false] {
            let mut view = ObjectView::default();
            view.expect(None);
            view.take(of("palm", "teapot", truth), truth, at(1.0));
            assert!(seen(&view, 0.0, 1.0).0);
        }
    }

    #[test]
    fn what_a_controller_sees_is_lost_in_the_time_of_its_hand() {
        for told in [truth, pose] {
            let mut view = ObjectView::default();
            view.begin(Some(told(0.0, true)), at(100.0));
            assert_eq!(seen(&view, 0.0, 100.0), (true, Some(0)));
            view.take(told(0.05, true), true, at(100.0));
            for period in 2..=30 {
                view.take(told(0.05 * f64::from(period), false), true, at(100.0));
            }
            // A second and a half of control periods, in no time at all.
            assert_eq!(seen(&view, 1.5, 100.0), (false, Some(1450)));
            view.take(told(1.55, true), true, at(100.0));
            assert_eq!(seen(&view, 1.55, 100.0), (true, Some(0)));
        }
    }

    #[test]
    fn an_episode_that_begins_forgets_what_the_controller_saw_but_not_what_a_tracker_did() {
        let mut view = ObjectView::default();
        view.take(truth(50.0, true), true, at(0.0));
        view.begin(Some(truth(0.0, false)), at(1.0));
        assert_eq!(seen(&view, 0.2, 1.0), (false, Some(200)));
        let mut late = truth(50.0, true);
        late.body.episode = 0;
        view.take(late, true, at(1.0));
        assert_eq!(seen(&view, 0.2, 1.0), (false, Some(200)), "it was under way when the episode began");
        view.begin(None, at(2.0));
        assert_eq!(seen(&view, 0.2, 2.0), (false, None), "nobody has said anything of this episode");
        view.take(pose(0.0, true), false, at(3.0));
        view.begin(None, at(4.0));
        assert_eq!(seen(&view, 0.0, 4.0), (false, Some(1000)));
    }
}
