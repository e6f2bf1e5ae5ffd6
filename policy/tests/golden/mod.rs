//! The formulas anyone may call, against PyTorch's numbers and the definition of generalized advantages: see `make.py`.

mod file;

use file::Golden;
use giraffe_policy::{Experience, categorical, entropy, generalized_advantages, kl, log_prob};
use giraffe_robots::EpisodeEnd;

const BOUND: f32 = 5e-6;

#[test]
fn advantages_are_sums_of_residuals_up_to_the_end_of_the_episode() {
    let golden = Golden::read(include_str!("advantages.json"));
    let kinds = [EpisodeEnd::Running, EpisodeEnd::Terminated, EpisodeEnd::TimedOut];
    let ends: Vec<EpisodeEnd> = golden.numbers("ends").into_iter().map(|kind| kinds[kind as usize]).collect();
    let experience = Experience {
        rewards: &golden.numbers("rewards"),
        values: &golden.numbers("values"),
        ends: &ends,
        timeout_values: &golden.numbers("timeout_values"),
        bootstrap_values: &golden.numbers("bootstrap_values"),
    };
    let mut found = vec![0.0; ends.len()];
    generalized_advantages(experience, golden.number("discount") as f32, golden.number("trace") as f32, &mut found);
    golden.agrees("advantages", &found, BOUND);
}

#[test]
fn normal_distributions_are_those_of_pytorch() {
    let golden = Golden::read(include_str!("gaussian.json"));
    let width = golden.count("actions");
    let [mean, log_std, old_mean, old_log_std, action] =
        ["mean", "log_std", "old_mean", "old_log_std", "action"].map(|key| golden.numbers(key));
    let rows = || mean.chunks_exact(width);
    let log_probs: Vec<f32> = rows().zip(action.chunks_exact(width)).map(|(m, a)| log_prob(a, m, &log_std)).collect();
    golden.agrees("log_prob", &log_probs, BOUND);
    let divergence = |(new, old)| kl((old, &old_log_std), (new, &log_std));
    let divergences: Vec<f32> = rows().zip(old_mean.chunks_exact(width)).map(divergence).collect();
    golden.agrees("kl", &divergences, BOUND);
    let difference = f64::from(entropy(&log_std)) - golden.number("entropy");
    assert!(difference.abs() < 1e-5, "the entropy is {difference} off");
}

#[test]
fn distributions_over_bins_are_those_of_pytorch() {
    let golden = Golden::read(include_str!("categorical.json"));
    let (actions, bins) = (golden.count("actions"), golden.count("bins"));
    let [logits, old_logits] = ["logits", "old_logits"].map(|key| golden.numbers(key));
    let action: Vec<f32> =
        golden.numbers("bin").into_iter().map(|bin| categorical::action_of(bin as usize, bins)).collect();
    let rows = || logits.chunks_exact(actions * bins);
    let log_probs: Vec<f32> =
        rows().zip(action.chunks_exact(actions)).map(|(row, action)| categorical::log_prob(action, row)).collect();
    golden.agrees("log_prob", &log_probs, BOUND);
    let entropies: Vec<f32> = rows().map(|row| categorical::entropy(row, bins)).collect();
    golden.agrees("entropy", &entropies, BOUND);
    let old_rows = old_logits.chunks_exact(actions * bins);
    let divergences: Vec<f32> = rows().zip(old_rows).map(|(new, old)| categorical::kl(old, new, bins)).collect();
    golden.agrees("kl", &divergences, BOUND);
}
