//! What came while something was waited for, and why it did not count: so that who waits in vain is told more than that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// So many different reasons are kept.
const REASONS: usize = 4;

/// Messages of one socket.
#[derive(Debug, Default)]
struct Socket {
    /// All that came.
    count: u64,
    /// Of these, which did not count, by reason.
    passed_over: BTreeMap<String, u64>,
}

impl Socket {
    fn pass_over(&mut self, why: String) {
        if self.passed_over.len() < REASONS || self.passed_over.contains_key(&why) {
            *self.passed_over.entry(why).or_default() += 1;
        }
    }

    fn words(&self, name: &str, text: &mut String) {
        let _ = write!(text, "{} {name}{} came", self.count, if self.count == 1 { "" } else { "s" });
        for (at, (why, count)) in self.passed_over.iter().enumerate() {
            let _ = write!(text, "{} {count} did not count: {why}", if at == 0 { "," } else { ";" });
        }
    }
}

/// What came since a wait began.
#[derive(Debug, Default)]
pub(super) struct Heard {
    replies: Socket,
    states: Socket,
    poses: Socket,
}

impl Heard {
    /// A wait begins.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// A reply came that answers something else, or nothing.
    pub(super) fn reply(&mut self, why: impl Into<String>) {
        self.replies.count += 1;
        self.replies.pass_over(why.into());
    }

    /// A state came; why it does not count, if it does not.
    pub(super) fn state(&mut self, passed_over: Option<String>) {
        self.states.count += 1;
        passed_over.into_iter().for_each(|why| self.states.pass_over(why));
    }

    /// A pose came; why it does not count, if it does not.
    pub(super) fn pose(&mut self, passed_over: Option<String>) {
        self.poses.count += 1;
        passed_over.into_iter().for_each(|why| self.poses.pass_over(why));
    }

    /// What came, in words. `poses`: whether poses are waited for, too.
    pub(super) fn words(&self, poses: bool) -> String {
        let mut text = String::from("meanwhile ");
        if self.replies.count > 0 {
            self.replies.words("other reply", &mut text);
            text = text.replace("other replys", "other replies");
            text.push_str(", and ");
        }
        self.states.words("state", &mut text);
        if poses || self.poses.count > 0 {
            text.push_str(", and ");
            self.poses.words("pose", &mut text);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Heard;

    #[test]
    fn what_came_in_vain_is_counted_by_reason_and_reasons_do_not_pile_up() {
        let mut heard = Heard::default();
        assert_eq!(heard.words(false), "meanwhile 0 states came");
        heard.state(None);
        (0..2).for_each(|_| heard.state(Some("q[1] is not a finite number".to_owned())));
        let said = "meanwhile 3 states came, 2 did not count: q[1] is not a finite number, and 0 poses came";
        assert_eq!(heard.words(true), said);
        (0..1000).for_each(|number| heard.pose(Some(format!("of tick {number}"))));
        assert!(heard.words(true).len() < 400, "{}", heard.words(true));
        heard.begin();
        heard.reply("to request 3");
        assert_eq!(
            heard.words(false),
            "meanwhile 1 other reply came, 1 did not count: to request 3, and 0 states came"
        );
    }
}
