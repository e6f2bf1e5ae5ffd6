//! Actions from bins: every action has its own categorical distribution over evenly spaced values in [-1, 1].
//!
//! OpenAI's hand learned with 11 bins per joint (OpenAI et al. 2018, "Learning dexterous in-hand manipulation",
//! section 5.2): a distribution that need not have one peak. Plain formulas on slices; logits are `[actions, bins]`,
//! row-major, and need not be normalised.

/// The action of bin `index` of `bin_count`: -1 for the first, 1 for the last.
pub fn action_of(index: usize, bin_count: usize) -> f32 {
    2.0 * index as f32 / (bin_count - 1) as f32 - 1.0
}

/// The bin whose action is nearest to `action`.
pub fn bin_of(action: f32, bin_count: usize) -> usize {
    let last = (bin_count - 1) as f32;
    (0.5 * (action + 1.0) * last).round().clamp(0.0, last) as usize
}

/// Logarithm of the probability of `action`, all actions together.
pub fn log_prob(action: &[f32], logits: &[f32]) -> f32 {
    let bin_count = logits.len() / action.len().max(1);
    action
        .iter()
        .zip(logits.chunks_exact(bin_count))
        .map(|(a, row)| row[bin_of(*a, bin_count)] - log_sum_exp(row))
        .sum()
}

/// Entropy of all actions together, nats.
pub fn entropy(logits: &[f32], bin_count: usize) -> f32 {
    let of_row = |row: &[f32]| {
        let total = log_sum_exp(row);
        row.iter().map(|logit| (logit - total).exp() * (total - logit)).sum::<f32>()
    };
    logits.chunks_exact(bin_count).map(of_row).sum()
}

/// Divergence of `new` from `old`, KL(old || new), all actions together, nats.
pub fn kl(old: &[f32], new: &[f32], bin_count: usize) -> f32 {
    let of_row = |(old, new): (&[f32], &[f32])| {
        let (old_total, new_total) = (log_sum_exp(old), log_sum_exp(new));
        let of_bin = |(old, new): (&f32, &f32)| (old - old_total).exp() * (old - old_total - new + new_total);
        old.iter().zip(new).map(of_bin).sum::<f32>()
    };
    old.chunks_exact(bin_count).zip(new.chunks_exact(bin_count)).map(of_row).sum()
}

/// Standard deviation of one action.
pub(crate) fn std(logits: &[f32]) -> f32 {
    let total = log_sum_exp(logits);
    let moment = |power: i32| -> f32 {
        let of_bin = |(bin, logit): (usize, &f32)| (logit - total).exp() * action_of(bin, logits.len()).powi(power);
        logits.iter().enumerate().map(of_bin).sum()
    };
    (moment(2) - moment(1).powi(2)).max(0.0).sqrt()
}

/// The bin that a number drawn evenly from [0, 1) falls into.
pub(crate) fn draw(logits: &[f32], uniform: f32) -> usize {
    let total = log_sum_exp(logits);
    let mut sum = 0.0;
    let reaches = |logit: &f32| {
        sum += (logit - total).exp();
        uniform < sum
    };
    // Rounding may leave the sum short of 1: then it is the most probable bin, not a tail nobody would have drawn.
    logits.iter().position(reaches).unwrap_or_else(|| mode(logits))
}

/// The most probable bin, the first of equals.
pub(crate) fn mode(logits: &[f32]) -> usize {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    best
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + row.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{SeedTree, Stream};
    use rand::RngExt;

    fn near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
    }

    #[test]
    fn formulas_agree_with_numbers_computed_by_hand() {
        // Probabilities 1/4, 1/4, 1/2 and 1/3 each; logits may be shifted by any number.
        let logits = [7.0, 7.0, 7.0 + 2f32.ln(), -1.0, -1.0, -1.0];
        near(log_prob(&[1.0, 0.0], &logits), (0.5f32 / 3.0).ln());
        near(entropy(&logits, 3), 1.5 * 2f32.ln() + 3f32.ln());
        // KL((1/4, 1/4, 1/2) || uniform) = ln 3 - entropy; of the second pair the other way round.
        let uniform_first = [0.0, 0.0, 0.0, 7.0, 7.0, 7.0 + 2f32.ln()];
        let backwards = (2.0 * (4f32 / 3.0).ln() + (2f32 / 3.0).ln()) / 3.0;
        near(kl(&logits, &uniform_first, 3), 3f32.ln() - 1.5 * 2f32.ln() + backwards);
        near(kl(&logits, &logits, 3), 0.0);
    }

    #[test]
    fn bins_are_evenly_spaced_from_minus_one_to_one() {
        for bin_count in [2, 3, 11] {
            near(action_of(0, bin_count), -1.0);
            near(action_of(bin_count - 1, bin_count), 1.0);
            (0..bin_count).for_each(|bin| assert_eq!(bin_of(action_of(bin, bin_count), bin_count), bin));
        }
        assert_eq!((bin_of(-9.0, 11), bin_of(9.0, 11), bin_of(0.09, 11)), (0, 10, 5));
    }

    #[test]
    fn bins_are_drawn_as_often_as_they_are_probable() {
        let logits = [0.0, 2f32.ln(), 0.0, f32::NEG_INFINITY];
        let mut rng = SeedTree::new(1).stream(Stream::Exploration, 0, 0);
        let mut counts = [0; 4];
        (0..40_000).for_each(|_| counts[draw(&logits, rng.random())] += 1);
        for (count, expected) in counts.into_iter().zip([0.25, 0.5, 0.25, 0.0]) {
            assert!((f64::from(count) / 40_000.0 - expected).abs() < 0.01, "{counts:?}");
        }
        assert_eq!(draw(&[0.0, 3.0, -9.0], 1.0), 1, "rounding must not lead out of the bins, nor into a tail");
        assert_eq!(mode(&[0.0, 3.0, -1.0, 3.0]), 1);
    }
}
