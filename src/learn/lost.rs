//! Episodes that ended because the simulation lost its numbers: how many, what they have in common, how to see one.

use giraffe_physics::LostEpisode;
use giraffe_robots::{EpisodeReport, NamedLimits, Outcome};
use std::collections::VecDeque;
use std::path::Path;

/// How many of the latest finished episodes are looked at.
const LATEST: usize = 1024;
/// Fewer lost episodes than this say nothing about a share.
const LEAST_COUNT: usize = 10;
/// Most that are remembered with what was drawn for them.
const REMEMBERED: usize = 64;
/// Of fewer, lost or going on, nothing is said that they have in common: chance alone would find something.
const LEAST_COMPARED: usize = 8;
/// A parameter is named if a lost episode has more of it (or less) than another one in so many of all pairs.
const STANDS_OUT: f64 = 0.75;
/// Most parameters that are named.
const NAMED: usize = 3;

/// The latest episodes of this session, and which of them were lost.
#[derive(Debug, Default)]
pub struct LostEpisodes {
    latest: VecDeque<bool>,
    total: usize,
    remembered: VecDeque<LostEpisode>,
}

/// What is to be done about them.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// Nothing new.
    Well,
    /// A person should hear of it.
    Said(String),
    /// The run should stop.
    TooMany(String),
}

impl LostEpisodes {
    /// Takes note of finished episodes, `lost` those of this process that were. `world_count` episodes are going on and
    /// count as well so far: lost ones end early, so that at first they are most of what has ended.
    pub fn note(
        &mut self,
        reports: &[EpisodeReport],
        lost: Vec<LostEpisode>,
        world_count: usize,
        limit: f64,
    ) -> Verdict {
        let before = self.total;
        for report in reports {
            let is_lost = report.outcome == Outcome::Diverged;
            self.latest.push_back(is_lost);
            self.total += usize::from(is_lost);
        }
        self.latest.drain(..self.latest.len().saturating_sub(LATEST));
        self.remembered.extend(lost);
        self.remembered.drain(..self.remembered.len().saturating_sub(REMEMBERED));
        let (count, of) = (self.latest.iter().filter(|lost| **lost).count(), self.latest.len() + world_count);
        let how = self.remembered.back().map_or_else(String::new, |last| format!(" ({})", last.how));
        let text = format!("{count} of the latest {of} episodes ended because the simulation lost its numbers{how}");
        if count >= LEAST_COUNT && count as f64 > limit * of as f64 {
            return Verdict::TooMany(text);
        }
        // At the first, the tenth, the hundredth, ...
        let said = |total: usize| total.checked_ilog10();
        if said(self.total) > said(before) { Verdict::Said(text) } else { Verdict::Well }
    }

    /// The command that shows the latest of them.
    pub fn how_to_see(&self, run: &Path) -> String {
        match self.remembered.back() {
            Some(LostEpisode { world, episode, .. }) => {
                format!("see one with: giraffe replay {} --training --world {world} --episode {episode}", run.display())
            }
            None => "another process has them".to_owned(),
        }
    }

    /// The parameters that lost episodes have much or little of, against those that are going on.
    pub fn in_common<'s>(&self, parameters: &[NamedLimits], others: impl Iterator<Item = &'s [f32]>) -> String {
        let others: Vec<&[f32]> = others.collect();
        let column = |of: &[&[f32]], index: usize| of.iter().filter_map(|row| row.get(index).copied()).collect();
        let lost: Vec<&[f32]> = self.remembered.iter().map(|lost| &lost.sampled[..]).collect();
        if lost.len().min(others.len()) < LEAST_COMPARED {
            return "too few to say what they have in common".to_owned();
        }
        let mut found: Vec<(f64, String)> = Vec::new();
        for (index, NamedLimits { name, .. }) in parameters.iter().enumerate() {
            let (mut theirs, mut all): (Vec<f32>, Vec<f32>) = (column(&lost, index), column(&others, index));
            let larger = share_larger(&theirs, &all);
            if larger.max(1.0 - larger) < STANDS_OUT {
                continue;
            }
            let word = if larger > 0.5 { "large" } else { "small" };
            let (median, usual) = (median(&mut theirs), median(&mut all));
            found.push((larger.max(1.0 - larger), format!("{name} {word} ({median:.3}, otherwise {usual:.3})")));
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let named: Vec<String> = found.into_iter().take(NAMED).map(|(_, text)| text).collect();
        if named.is_empty() {
            return "nothing that varies stands out in them: it is the hand itself (masses, torque limits, damping, shapes \
                    that overlap; giraffe describe shows them)"
                .to_owned();
        }
        format!("they have in common: {}", named.join(", "))
    }
}

/// Of all pairs of one of these and one of those, the share in which this is the larger; ties count half.
fn share_larger(these: &[f32], those: &[f32]) -> f64 {
    let pairs = these.len() * those.len();
    if pairs == 0 {
        return 0.5;
    }
    let twice = |this: &f32, that: &f32| match this.total_cmp(that) {
        std::cmp::Ordering::Greater => 2,
        std::cmp::Ordering::Equal => 1,
        std::cmp::Ordering::Less => 0,
    };
    let sum: usize = these.iter().map(|this| those.iter().map(|that| twice(this, that)).sum::<usize>()).sum();
    sum as f64 / (2 * pairs) as f64
}

fn median(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f32::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::Limits;

    fn reports(outcomes: &[Outcome]) -> Vec<EpisodeReport> {
        let report = |outcome: &Outcome| EpisodeReport {
            world: 0,
            episode: 0,
            step_count: 1,
            reward: 0.0,
            outcome: *outcome,
            measures: Vec::new(),
            intended_secs: 1.0,
        };
        outcomes.iter().map(report).collect()
    }

    fn lost(world: u64, sampled: &[f32]) -> LostEpisode {
        LostEpisode { world, episode: 4, how: "joint `a` at 9 rad".to_owned(), sampled: sampled.to_vec() }
    }

    #[test]
    fn a_few_are_said_and_many_stop_the_run() {
        let mut all = LostEpisodes::default();
        assert_eq!(all.note(&reports(&[Outcome::Failed; 50]), Vec::new(), 100, 0.05), Verdict::Well);
        let first = all.note(&reports(&[Outcome::Diverged]), vec![lost(7, &[])], 100, 0.05);
        assert!(
            matches!(&first, Verdict::Said(text) if text.contains("1 of the latest 151") && text.contains("9 rad"))
        );
        assert_eq!(all.note(&reports(&[Outcome::Diverged; 5]), Vec::new(), 100, 0.05), Verdict::Well);
        let many = all.note(&reports(&[Outcome::Diverged; 5]), Vec::new(), 100, 0.05);
        assert!(matches!(&many, Verdict::TooMany(text) if text.contains("11 of the latest 161")), "{many:?}");
        let see = all.how_to_see(Path::new("runs/mine"));
        assert!(see.ends_with("giraffe replay runs/mine --training --world 7 --episode 4"), "{see}");
    }

    #[test]
    fn in_a_young_run_the_episodes_that_go_on_count_as_well() {
        let mut all = LostEpisodes::default();
        let verdict = all.note(&reports(&[Outcome::Diverged; 10]), Vec::new(), 512, 0.05);
        assert!(matches!(verdict, Verdict::Said(_)), "10 of 522: {verdict:?}");
    }

    #[test]
    fn what_they_have_in_common_is_named_and_what_they_do_not_is_not() {
        let named = |name: &str| NamedLimits { name: name.to_owned(), limits: Limits { lower: 0.0, upper: 1.0 } };
        let parameters = [named("hand.tip_size"), named("object.mass"), named("joint.damping")];
        let others: Vec<Vec<f32>> = (0..20_u8).map(|n| vec![f32::from(n), f32::from(n), f32::from(n)]).collect();
        let mut all = LostEpisodes::default();
        let eight = (0..8_u8).map(|n| lost(0, &[15.0 + f32::from(n), 3.0 + 2.0 * f32::from(n), 0.5]));
        all.note(&[], eight.collect(), 20, 0.05);
        let said = all.in_common(&parameters, others.iter().map(|row| &row[..]));
        assert!(said.contains("hand.tip_size large (19.000, otherwise 10.000)"), "{said}");
        assert!(said.contains("joint.damping small") && !said.contains("object.mass"), "{said}");
        let mut even = LostEpisodes::default();
        even.note(&[], (0..8_u8).map(|n| lost(0, &[1.0 + 2.5 * f32::from(n); 3])).collect(), 20, 0.05);
        let nothing = even.in_common(&parameters, others.iter().map(|row| &row[..]));
        assert!(nothing.contains("the hand itself"), "{nothing}");
        let few = LostEpisodes::default().in_common(&parameters, others.iter().map(|row| &row[..]));
        assert!(few.contains("too few"), "{few}");
    }
}
