//! The result for people.

use super::cores::REFERENCE_ROBOT;
use super::opponent::fastest;
use super::{Demand, Exactness, OpponentResult, PhysicsBench};
use crate::study::bench::spread::{Spread, text_of};
use std::fmt::Write as _;

/// Least width of the first column.
const NAMES: usize = 56;

impl PhysicsBench {
    /// The result for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} with {}, {:.3} ms steps, one thread, control steps per second (median, smallest, largest)\n\n",
            self.robot,
            self.object,
            1e3 * self.step_secs
        );
        self.write_rivals(&mut text);
        text.push('\n');
        self.write_ratios(&mut text);
        self.write_cores(&mut text);
        for (name, speed) in &self.robots {
            let rate = format!("{:.0}", speed.control_steps_per_sec);
            line(&mut text, &format!("{name}, {:.2} of {REFERENCE_ROBOT}", speed.relative_to_leap_right), &rate);
        }
        text
    }

    /// Ours and every opponent, with all errors.
    fn write_rivals(&self, text: &mut String) {
        let names = self.opponents.iter().map(|opponent| opponent.label.len()).fold(NAMES, usize::max);
        let mut row = |name: &str, rates: &str, ratio: &str, errors: &str, more: &str| {
            let line = format!("{name:<names$}{rates:>27}{ratio:>8}{errors}{more}");
            let _ = writeln!(text, "{}", line.trim_end());
        };
        if !self.opponents.is_empty() {
            row("", "", "ratio", &columns(["joints", "slip", "object", "force", "dropped"]), "");
            row("", "", "", &columns(["mrad", "degrees", "mm", "N", "of 16"]), "");
        }
        let ours = self.exactness.as_ref().map_or_else(String::new, errors);
        row("giraffe, whole environment step", &rates(self.control_steps_per_sec), "", &ours, "");
        for OpponentResult { label, control_steps_per_sec, ratio, exactness, drops_per_1000_steps: drops, .. } in
            &self.opponents
        {
            let (ratio, more) = (format!("{:.2}", ratio.median), format!("  {drops:.1} drops in 1000 steps"));
            let more = if *drops > 0.0 { &more } else { "" };
            row(label, &rates(*control_steps_per_sec), &ratio, &errors(exactness), more);
        }
    }

    fn write_ratios(&self, text: &mut String) {
        for (name, demand) in [
            ("ratio to the fastest no less exact in everything", Demand::Everything),
            ("ratio to the fastest no less exact but for the force", Demand::Motion),
            ("ratio to the fastest no less exact in joints alone", Demand::Joints),
        ] {
            line(text, name, &with_spread(fastest(&self.opponents, demand).map(|of| of.ratio)));
        }
    }

    fn write_cores(&self, text: &mut String) {
        line(text, "two threads over one", &with_spread(self.cores2.map(|cores| cores.speedup)));
        if let Some(cores) = self.cores2 {
            let _ = writeln!(text, "{:<NAMES$}{}", "one of them alone", rates(cores.one_thread));
            let _ = writeln!(text, "{:<NAMES$}{}", "both together", rates(cores.two_threads));
        }
        for row in &self.by_world_count {
            let name = format!("one thread with {} worlds", row.world_count);
            let _ = writeln!(text, "{name:<NAMES$}{}", rates(row.control_steps_per_sec));
        }
        let bytes = self.bytes_per_world.map_or_else(|| "-".to_owned(), |bytes| format!("{:.0}", bytes / 1024.0));
        line(text, "memory per world, KiB", &bytes);
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<NAMES$}{value:>9}");
}

fn rates(Spread { median, min, max }: Spread) -> String {
    format!("{median:>9.0}{min:>9.0}{max:>9.0}")
}

fn with_spread(spread: Option<Spread>) -> String {
    text_of(spread, 9, 2)
}

fn errors(of: &Exactness) -> String {
    let numbers = [1e3 * of.joint_rms_rad, of.slip_rms_degrees, 1e3 * of.grip_object_m, of.grip_force_newton];
    let dropped = of.dropped.map_or_else(|| "-".to_owned(), |dropped| dropped.to_string());
    columns(numbers.map(|number| format!("{number:.2}"))) + &columns([dropped])
}

fn columns<T: std::fmt::Display, const N: usize>(cells: [T; N]) -> String {
    cells.iter().map(|cell| format!("{cell:>9}")).collect()
}
