//! Tests of hypotheses, by hand, each with its formula's source. All give the chance that what was seen, or something
//! stranger, happens when nothing is wrong.

#![allow(dead_code, reason = "each test binary uses some of these")]

/// Chance of a false alarm that a whole test may have. What is asked many times within a test is asked more strictly:
/// divided by how often (Bonferroni).
pub const FALSE_ALARM: f64 = 1e-3;

/// The distribution function of the standard normal: 1/2 + density * (z + z^3/3 + z^5/(3*5) + ...) (Marsaglia 2004,
/// "Evaluating the normal distribution", Journal of Statistical Software 11).
pub fn normal_cumulative(z: f64) -> f64 {
    if z.abs() > 8.0 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut odd) = (z, z, 1.0);
    while term.abs() > 1e-18 * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 + sum * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
}

/// Kolmogorov and Smirnov: `places` are the values of the claimed distribution function at what was drawn, and so uniform
/// between 0 and 1. The chance of the largest gap between them and uniform, by Kolmogorov's series with Stephens' (1970)
/// correction for short samples (Press et al., Numerical Recipes, section 14.3).
pub fn kolmogorov_smirnov(mut places: Vec<f64>) -> f64 {
    places.sort_by(f64::total_cmp);
    let n = places.len() as f64;
    let gap = |(i, place): (usize, &f64)| (place - i as f64 / n).max((i + 1) as f64 / n - place);
    let largest = places.iter().enumerate().map(gap).fold(0.0, f64::max);
    let scaled = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * largest;
    if scaled < 0.2 {
        return 1.0; // there the series converges slowly, and the chance is 1 to twelve digits
    }
    let term = |j: i32| (-2.0 * f64::from(j * j) * scaled * scaled).exp() * if j % 2 == 1 { 2.0 } else { -2.0 };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// Pearson's correlation coefficient.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    let spread = (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt();
    product(a, mean_a, b, mean_b) / spread
}

/// The chance of a correlation as strong as that of `a` and `b`, either way, when they have nothing to do with each other:
/// atanh(r) is normal with a deviation of 1/sqrt(n - 3) (Fisher 1921).
pub fn uncorrelated(a: &[f64], b: &[f64]) -> f64 {
    let z = correlation(a, b).clamp(-0.999_999, 0.999_999).atanh() * (a.len() as f64 - 3.0).sqrt();
    2.0 * normal_cumulative(-z.abs())
}

/// The chance of a count as far from `chance * n` as this, by the normal law for the binomial (de Moivre 1733).
pub fn happens_with(chance: f64, count: usize, n: usize) -> f64 {
    let n = n as f64;
    2.0 * normal_cumulative(-(count as f64 - n * chance).abs() / (n * chance * (1.0 - chance)).sqrt())
}
