//! Where weights start.

use crate::config::CoreKind;
use crate::gaussian::fill_standard_normal;
use giraffe_robots::StreamRng;

/// A random matrix `[rows, columns]`, row-major, whose shorter side's vectors are orthogonal and `gain` long
/// (Saxe et al. 2014), by Gram and Schmidt.
pub(super) fn orthogonal(rows: usize, columns: usize, gain: f32, rng: &mut StreamRng) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    let mut noise = vec![0.0; length];
    while vectors.len() < count {
        fill_standard_normal(rng, &mut noise);
        let mut vector: Vec<f64> = noise.iter().map(|&x| f64::from(x)).collect();
        for other in &vectors {
            let along: f64 = other.iter().zip(&vector).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-3 {
            vector.iter_mut().for_each(|x| *x /= norm);
            vectors.push(vector);
        }
    }
    let at = |row: usize, column: usize| if rows < columns { vectors[row][column] } else { vectors[column][row] };
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(r, c)| at(r, c) as f32 * gain)
        .collect()
}

/// Zero, but 1 for the gates that keep: memory lasts until learned otherwise (Jozefowicz et al. 2015). The second of
/// the gates in both kinds: the LSTM's forget gate and the GRU's update gate.
pub(super) fn gate_bias(kind: CoreKind, core: usize) -> Vec<f32> {
    (0..kind.gate_count() * core).map(|column| if (core..2 * core).contains(&column) { 1.0 } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{SeedTree, Stream};

    #[test]
    fn short_sides_are_orthogonal() {
        for (rows, columns) in [(3, 5), (5, 3), (4, 4)] {
            let mut rng = SeedTree::new(2).stream(Stream::Weights, 0, 0);
            let matrix = orthogonal(rows, columns, 2.0, &mut rng);
            let side = rows.min(columns);
            for a in 0..side {
                for b in 0..side {
                    let at = |r: usize, c: usize| matrix[r * columns + c];
                    let dot: f32 = if rows < columns {
                        (0..columns).map(|c| at(a, c) * at(b, c)).sum()
                    } else {
                        (0..rows).map(|r| at(r, a) * at(r, b)).sum()
                    };
                    let expected = if a == b { 4.0 } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-5, "{rows}x{columns}: {a}.{b} = {dot}");
                }
            }
        }
    }
}
