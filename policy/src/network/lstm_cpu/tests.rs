//! What only many rows reach, against the same in double precision, row by row.

use super::*;
use crate::gaussian::fill_standard_normal;
use giraffe_robots::{SeedTree, Stream};

/// More groups than have their shares kept at once.
const ROWS: usize = GROUPS_AT_ONCE * GROUP_ROWS + 70;
/// Those of the input, the bias's and those of the memory: four gates of one unit each.
const WEIGHTS: [[f32; 4]; 3] = [[0.4, -0.3, 0.7, 0.5], [0.1, 0.2, -0.1, 0.3], [-0.6, 0.5, 0.2, -0.4]];

struct Numbers {
    features: Vec<f32>,
    h0: Vec<f32>,
    c0: Vec<f32>,
    keep: Vec<f32>,
    goal: Vec<f32>,
}

fn numbers() -> Numbers {
    let drawn = |name: u64| {
        let mut values = vec![0.0; ROWS];
        fill_standard_normal(&mut SeedTree::new(name).stream(Stream::Toy, 0, 0), &mut values);
        values
    };
    // The last rows weigh so much that a sum without them is another one.
    let goal = drawn(4).iter().enumerate().map(|(row, x)| x.abs() * if row < ROWS - 70 { 1.0 } else { 50.0 }).collect();
    let keep = (0..ROWS).map(|row| if row % 5 == 0 { 0.0 } else { 1.0 }).collect();
    Numbers { features: drawn(1), h0: drawn(2), c0: drawn(3), keep, goal }
}

/// What a row's gates are the functions of has these gradients.
fn slopes([x, h0, c0, keep, goal]: [f64; 5]) -> [f64; 4] {
    let z: [f64; 4] = std::array::from_fn(|gate| {
        let [input, bias, memory] = WEIGHTS.map(|weights| f64::from(weights[gate]));
        x * input + bias + keep * h0 * memory
    });
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let (i, f, g, o) = (sigmoid(z[0]), sigmoid(z[1]), z[2].tanh(), sigmoid(z[3]));
    let tanh_c = (f * keep * c0 + i * g).tanh();
    let dc = goal * o * (1.0 - tanh_c * tanh_c);
    [dc * g * i * (1.0 - i), dc * keep * c0 * f * (1.0 - f), dc * i * (1.0 - g * g), goal * tanh_c * o * (1.0 - o)]
}

#[test]
fn more_groups_than_are_kept_at_once_all_count() {
    let given = numbers();
    let of = |values: &[f32]| tensor(values.to_vec(), [ROWS, 1]);
    let sequence = |values: &[f32]| tensor(values.to_vec(), [1, ROWS, 1]);
    let [input_weight, bias, weight] = WEIGHTS.map(|weights| tensor(weights.to_vec(), [1, 4]));
    let bias = tensor(view(&bias).to_vec(), [4]);
    let start = || [of(&given.h0), of(&given.c0), tensor(given.keep.clone(), [1, ROWS])];
    let [h0, c0, keep] = start();
    let features = sequence(&given.features);
    let (hidden, gates, cells) =
        Flex::lstm_layer_forward(features.clone(), input_weight.clone(), bias, weight.clone(), h0, c0, keep);
    let [h0, c0, keep] = start();
    let goal = sequence(&given.goal);
    let found = Flex::lstm_layer_backward(goal, hidden, gates, cells, features, input_weight, weight, h0, c0, keep);
    let mut sums = [[0.0; 4]; 3];
    for row in 0..ROWS {
        let read = [&given.features, &given.h0, &given.c0, &given.keep, &given.goal].map(|all| f64::from(all[row]));
        let slopes = slopes(read);
        for (sums, factor) in sums.iter_mut().zip([read[0], 1.0, read[3] * read[1]]) {
            sums.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += factor * slope);
        }
        let expected: f64 = slopes.iter().zip(WEIGHTS[0]).map(|(slope, weight)| slope * f64::from(weight)).sum();
        let found = f64::from(view(&found.0)[row]);
        assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "row {row}: {found}, not {expected}");
    }
    for (found, expected) in [&found.1, &found.2, &found.3].map(view).into_iter().zip(sums) {
        for (found, expected) in found.iter().zip(expected) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(difference < 1e-4 * (1.0 + expected.abs()), "{found}, not {expected}");
        }
    }
}
