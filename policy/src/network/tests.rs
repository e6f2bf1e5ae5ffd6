//! The operations on the processor, and their hand-written gradients, against a version composed of tensor
//! operations and differentiated by the tensor library.

use super::*;
use crate::head::ActionHead;
use burn::backend::{Dispatch, Flex};
use giraffe_robots::{SeedTree, Stream};
use gru::GruBackend;
use lstm::{LstmBackend, Past, composed_forward, composed_layer_backward, composed_layer_forward, lstm_sequence};

const STEPS: usize = 7;
const ROWS: usize = 140;
const CORE: usize = 5;

struct Problem {
    x: Vec<f32>,
    weight: Vec<f32>,
    h0: Vec<f32>,
    c0: Vec<f32>,
    keep: Vec<f32>,
    /// What the sum of hidden states is weighted with, so that every gradient differs.
    goal: Vec<f32>,
}

fn problem() -> Problem {
    let mut rng = SeedTree::new(5).stream(Stream::Toy, 0, 0);
    let mut draw = |count: usize| {
        let mut values = vec![0.0; count];
        crate::gaussian::fill_standard_normal(&mut rng, &mut values);
        values
    };
    Problem {
        x: draw(STEPS * ROWS * 4 * CORE),
        weight: draw(CORE * 4 * CORE),
        h0: draw(ROWS * CORE),
        c0: draw(ROWS * CORE),
        keep: draw(STEPS * ROWS).into_iter().map(|z| if z > -0.5 { 1.0 } else { 0.0 }).collect(),
        goal: draw(STEPS * ROWS * CORE),
    }
}

fn three(values: &[f32], width: usize, device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values.to_vec(), [STEPS, ROWS, width]), device)
}

fn greatest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max)
}

/// Runs `sequence` on a device and returns hidden states and the gradients of x and weight.
fn run(device: Device, sequence: impl Fn([Tensor<2>; 4], Tensor<3>) -> Tensor<3>) -> [Vec<f32>; 3] {
    let device = device.autodiff();
    let p = problem();
    let x = three(&p.x, 4 * CORE, &device).require_grad();
    let weight = upload(p.weight, CORE, 4 * CORE, &device).require_grad();
    let others = [(p.h0, ROWS, CORE), (p.c0, ROWS, CORE), (p.keep, STEPS, ROWS)];
    let [h0, c0, keep] = others.map(|(values, rows, columns)| upload(values, rows, columns, &device));
    let hidden = sequence([weight.clone(), h0, c0, keep], x.clone());
    let gradients = (hidden.clone() * three(&p.goal, CORE, &device)).sum().backward();
    let gradient = |found: Option<Vec<f32>>| found.expect("a gradient");
    [host(hidden.inner()), gradient(x.grad(&gradients).map(host)), gradient(weight.grad(&gradients).map(host))]
}

#[test]
fn states_and_gradients_agree_with_the_composed_version() {
    let by_hand = run(Device::flex(), |[weight, h0, c0, keep], x| lstm_sequence(x, weight, h0, c0, keep));
    let composed = run(Device::flex(), |[weight, h0, c0, keep], x| composed_by_library(x, weight, h0, c0, keep));
    for (what, (a, b)) in ["hidden", "x gradient", "weight gradient"].iter().zip(by_hand.iter().zip(&composed)) {
        let difference = greatest_difference(a, b);
        assert!(difference < 2e-5, "{what}: {difference}");
        assert!(b.iter().any(|value| value.abs() > 0.1), "{what} is all but zero");
    }
}

/// The composed forward pass, differentiated step by step by the library.
fn composed_by_library(x: Tensor<3>, weight: Tensor<2>, h0: Tensor<2>, c0: Tensor<2>, keep: Tensor<2>) -> Tensor<3> {
    let (hidden, _, _) = composed_forward::<Dispatch>(
        x.into_dispatch(),
        weight.into_dispatch(),
        h0.into_dispatch(),
        c0.into_dispatch(),
        keep.into_dispatch(),
    );
    Tensor::from_dispatch(hidden)
}

#[test]
fn the_portable_gradients_agree_with_those_on_the_processor() {
    const INPUT: usize = 4;
    let p = problem();
    let primitive = |values: &[f32], shape: &[usize]| {
        burn::backend::flex::FlexTensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()))
    };
    let given = || {
        [
            primitive(&p.x[..STEPS * ROWS * INPUT], &[STEPS, ROWS, INPUT]),
            primitive(&p.x[1000..][..INPUT * 4 * CORE], &[INPUT, 4 * CORE]),
            primitive(&p.goal[..4 * CORE], &[4 * CORE]),
            primitive(&p.weight, &[CORE, 4 * CORE]),
            primitive(&p.h0, &[ROWS, CORE]),
            primitive(&p.c0, &[ROWS, CORE]),
            primitive(&p.keep, &[STEPS, ROWS]),
        ]
    };
    let numbers = |tensor: burn::backend::flex::FlexTensor| tensor.into_data().try_into_vec::<f32>().unwrap();
    let gradient = primitive(&p.goal, &[STEPS, ROWS, CORE]);
    let [features, input_weight, bias, weight, h0, c0, keep] = given();
    let (hidden, gates, cells) = Flex::lstm_layer_forward(features, input_weight, bias, weight, h0, c0, keep);
    let [features, input_weight, _, weight, h0, c0, keep] = given();
    let of_hidden = gradient.clone();
    let native = Flex::lstm_layer_backward(
        of_hidden,
        hidden.clone(),
        gates,
        cells,
        features,
        input_weight,
        weight,
        h0,
        c0,
        keep,
    );
    let (portable_hidden, gates, cells) = composed_layer_forward::<Flex>(given());
    let [features, input_weight, _, weight, h0, c0, keep] = given();
    let past = Past { hidden_gradient: gradient, hidden: portable_hidden.clone(), gates, cells };
    let portable = composed_layer_backward::<Flex>(past, [features, input_weight, weight, h0, c0, keep]);
    let pairs = [
        (hidden, portable_hidden),
        (native.0, portable.0),
        (native.1, portable.1),
        (native.2, portable.2),
        (native.3, portable.3),
    ];
    for (index, (native, portable)) in pairs.into_iter().enumerate() {
        let (native, portable) = (numbers(native), numbers(portable));
        let difference = greatest_difference(&native, &portable);
        assert!(difference < 2e-5, "{index}: {difference}");
        assert!(portable.iter().any(|value| value.abs() > 0.1), "{index} is all but zero");
    }
}

#[test]
fn a_wide_layer_of_few_rows_gives_the_portable_gradients_too() {
    const STEPS: usize = 3;
    const ROWS: usize = 5;
    const INPUT: usize = 40;
    const CORE: usize = 260;
    let draw = |name: u64, shape: &[usize], scale: f32| {
        let mut values = vec![0.0; shape.iter().product()];
        crate::gaussian::fill_standard_normal(&mut SeedTree::new(name).stream(Stream::Toy, 0, 0), &mut values);
        values.iter_mut().for_each(|value| *value *= scale);
        burn::backend::flex::FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
    };
    let keep = || {
        let values: Vec<f32> = (0..STEPS * ROWS).map(|i| if i == 7 { 0.0 } else { 1.0 }).collect();
        burn::backend::flex::FlexTensor::from_data(TensorData::new(values, vec![STEPS, ROWS]))
    };
    let given = || {
        [
            draw(1, &[STEPS, ROWS, INPUT], 1.0),
            draw(2, &[INPUT, 4 * CORE], 0.2),
            draw(3, &[4 * CORE], 0.5),
            draw(4, &[CORE, 4 * CORE], 0.1),
            draw(5, &[ROWS, CORE], 0.5),
            draw(6, &[ROWS, CORE], 0.5),
            keep(),
        ]
    };
    let [features, input_weight, bias, weight, h0, c0, keep] = given();
    let (hidden, gates, cells) = Flex::lstm_layer_forward(features, input_weight, bias, weight, h0, c0, keep);
    let goal = || draw(7, &[STEPS, ROWS, CORE], 1.0);
    let [features, input_weight, _, weight, h0, c0, keep] = given();
    let native = Flex::lstm_layer_backward(goal(), hidden, gates, cells, features, input_weight, weight, h0, c0, keep);
    let (hidden, gates, cells) = composed_layer_forward::<Flex>(given());
    let [features, input_weight, _, weight, h0, c0, keep] = given();
    let past = Past { hidden_gradient: goal(), hidden, gates, cells };
    let portable = composed_layer_backward::<Flex>(past, [features, input_weight, weight, h0, c0, keep]);
    let numbers = |tensor: burn::backend::flex::FlexTensor| tensor.into_data().try_into_vec::<f32>().unwrap();
    let pairs = [(native.0, portable.0), (native.1, portable.1), (native.2, portable.2), (native.3, portable.3)];
    for (index, (native, portable)) in pairs.into_iter().enumerate() {
        let (native, portable) = (numbers(native), numbers(portable));
        let difference = greatest_difference(&native, &portable);
        assert!(difference < 5e-5, "{index}: {difference}");
        assert!(portable.iter().any(|value| value.abs() > 0.1), "{index} is all but zero");
    }
}

/// A linear layer's outputs, and the gradients of x, weight and bias.
fn run_layer(shape: [usize; 3], layer: impl Fn(Tensor<2>, &Linear) -> Tensor<2>) -> [Vec<f32>; 4] {
    let [rows, input, output] = shape;
    let device = Device::flex().autodiff();
    let mut rng = SeedTree::new(8).stream(Stream::Toy, 0, 0);
    let mut draw = |count: usize| {
        let mut values = vec![0.0; count];
        crate::gaussian::fill_standard_normal(&mut rng, &mut values);
        values
    };
    let x = upload(draw(rows * input), rows, input, &device).require_grad();
    let layer_of = linear(draw(input * output), draw(output), input, output, &device);
    let y = layer(x.clone(), &layer_of);
    let gradients = (y.clone() * upload(draw(rows * output), rows, output, &device)).sum().backward();
    let bias = layer_of.bias.as_ref().expect("a bias").val();
    let of_parameters = [layer_of.weight.val().grad(&gradients).map(host), bias.grad(&gradients).map(host)];
    let [weight, bias] = of_parameters.map(|gradient| gradient.expect("a gradient"));
    [host(y.inner()), x.grad(&gradients).map(host).expect("a gradient"), weight, bias]
}

#[test]
fn linear_layers_rectified_or_not_agree_with_those_of_the_library() {
    let library = |x: Tensor<2>, layer: &Linear| layer.forward(x);
    for shape in [[300, 9, 40], [130, 40, 33], [70, 6, 16], [5, 3, 1], [2100, 4, 32]] {
        let pairs = [
            (run_layer(shape, |x, layer| affine(layer, x)), run_layer(shape, library)),
            (
                run_layer(shape, |x, layer| rectified_affine(layer, x)),
                run_layer(shape, |x, layer| burn::tensor::activation::relu(library(x, layer))),
            ),
        ];
        for (ours, theirs) in pairs {
            for (what, (a, b)) in ["y", "x", "weight", "bias"].iter().zip(ours.iter().zip(&theirs)) {
                let difference = greatest_difference(a, b);
                assert!(difference < 5e-5, "{shape:?}, {what}: {difference}");
                assert!(b.iter().any(|value| value.abs() > 0.1), "{shape:?}, {what} is all but zero");
            }
        }
    }
}

#[test]
fn a_rectified_layer_hides_no_number_that_is_none() {
    let device = Device::flex();
    let layer = linear(vec![1.0; 40], vec![0.0; 40], 1, 40, &device);
    let found = host(rectified_affine(&layer, upload(vec![f32::NAN, -1.0, 2.0], 3, 1, &device)));
    assert!(found[..40].iter().all(|y| y.is_nan()));
    assert!(found[40..80].iter().all(|y| y.to_bits() == 0) && found[80..].iter().all(|y| (y - 2.0).abs() < 1e-6));
}

fn network(kind: CoreKind, layers: usize, rng: &mut StreamRng, device: &Device) -> Network {
    let shape = NetworkShape { input: 9, encoder: 33, core: 20, output: 3, kind, layers, head: ActionHead::default() };
    Network::new(shape, 1.0, None, rng, device)
}

#[test]
fn rows_do_not_see_each_other_nor_how_many_there_are() {
    let device = Device::flex();
    for (kind, layers) in [(CoreKind::Lstm, 1), (CoreKind::Lstm, 2), (CoreKind::Gru, 2)] {
        let mut rng = SeedTree::new(5).stream(Stream::Weights, 0, 0);
        let network = network(kind, layers, &mut rng, &device);
        let mut observations = vec![0.0; 3 * 150 * 9];
        crate::gaussian::fill_standard_normal(&mut rng, &mut observations);
        let run = |worlds: std::ops::Range<usize>| {
            let worlds: Vec<usize> = worlds.collect();
            let cut = crate::rollout::Cut { world_count: 150, chunk_length: 3 };
            let observations = cut.gather(&observations, 9, 9, &worlds);
            let keep = vec![1.0; 3 * worlds.len()];
            let state = RecurrentState::zero(worlds.len(), layers * 20 * kind.state_count());
            (network.infer(Sequence { observations, state, keep }, &device).output, worlds.len())
        };
        let (all, _) = run(0..150);
        let (some, count) = run(40..107);
        for step in 0..3 {
            let expected = &all[(step * 150 + 40) * 3..][..count * 3];
            let difference = greatest_difference(&some[step * count * 3..][..count * 3], expected);
            assert!(difference < 1e-6, "{kind:?}: {difference}");
        }
    }
}

#[test]
fn a_sequence_in_pieces_is_a_sequence_at_once() {
    let device = Device::flex();
    for (kind, layers) in [(CoreKind::Lstm, 1), (CoreKind::Gru, 1), (CoreKind::Lstm, 3), (CoreKind::Gru, 2)] {
        let mut rng = SeedTree::new(6).stream(Stream::Weights, 0, 0);
        let network = network(kind, layers, &mut rng, &device);
        let mut observations = vec![0.0; 6 * 4 * 9];
        crate::gaussian::fill_standard_normal(&mut rng, &mut observations);
        // An episode ends in the middle of each piece, and where they meet.
        let keep: Vec<f32> = (0..24).map(|i| if [5, 12, 17].contains(&i) { 0.0 } else { 1.0 }).collect();
        let run = |steps: std::ops::Range<usize>, state: RecurrentState| {
            let observations = observations[steps.start * 36..steps.end * 36].to_vec();
            let keep = keep[steps.start * 4..steps.end * 4].to_vec();
            network.infer(Sequence { observations, state, keep }, &device)
        };
        let start = RecurrentState::zero(4, layers * 20 * kind.state_count());
        let whole = run(0..6, start.clone());
        let first = run(0..3, start);
        let second = run(3..6, first.state(8..12));
        let pieces = [first.output.clone(), second.output.clone()].concat();
        assert_eq!(whole.output, pieces, "{kind:?}");
        assert_eq!(whole.state(20..24), second.state(8..12), "{kind:?}");
        assert_ne!(whole.state(20..24), run(3..6, first.state(0..4)).state(8..12), "{kind:?}: the past must matter");
    }
}

/// Runs a GRU's `sequence` on a device and returns hidden states and the gradients of x, weight and bias.
fn run_gru(device: Device, sequence: impl Fn([Tensor<2>; 3], Tensor<1>, Tensor<3>) -> Tensor<3>) -> [Vec<f32>; 4] {
    let device = device.autodiff();
    let p = problem();
    let x = three(&p.x[..STEPS * ROWS * 3 * CORE], 3 * CORE, &device).require_grad();
    let weight = upload(p.weight[..CORE * 3 * CORE].to_vec(), CORE, 3 * CORE, &device).require_grad();
    let bias = Tensor::<1>::from_data(TensorData::new(p.c0[..CORE].to_vec(), [CORE]), &device).require_grad();
    let [h0, keep] = [(p.h0, ROWS, CORE), (p.keep, STEPS, ROWS)]
        .map(|(values, rows, columns)| upload(values, rows, columns, &device));
    let hidden = sequence([weight.clone(), h0, keep], bias.clone(), x.clone());
    let gradients = (hidden.clone() * three(&p.goal, CORE, &device)).sum().backward();
    let gradient = |found: Option<Vec<f32>>| found.expect("a gradient");
    [
        host(hidden.inner()),
        gradient(x.grad(&gradients).map(host)),
        gradient(weight.grad(&gradients).map(host)),
        gradient(bias.grad(&gradients).map(host)),
    ]
}

#[test]
fn a_grus_states_and_gradients_agree_with_the_composed_version() {
    let by_hand = run_gru(Device::flex(), |[weight, h0, keep], bias, x| gru_sequence(x, weight, bias, h0, keep));
    let composed = run_gru(Device::flex(), |[weight, h0, keep], bias, x| {
        let (hidden, _, _) = gru::composed_forward::<Dispatch>(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            h0.into_dispatch(),
            keep.into_dispatch(),
        );
        Tensor::from_dispatch(hidden)
    });
    let names = ["hidden", "x gradient", "weight gradient", "bias gradient"];
    for (what, (a, b)) in names.iter().zip(by_hand.iter().zip(&composed)) {
        let difference = greatest_difference(a, b);
        assert!(difference < 2e-5, "{what}: {difference}");
        assert!(b.iter().any(|value| value.abs() > 0.1), "{what} is all but zero");
    }
}

#[test]
fn a_grus_portable_gradients_agree_with_those_on_the_processor() {
    let p = problem();
    let primitive = |values: &[f32], shape: &[usize]| {
        burn::backend::flex::FlexTensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()))
    };
    let x = || primitive(&p.x[..STEPS * ROWS * 3 * CORE], &[STEPS, ROWS, 3 * CORE]);
    let weight = || primitive(&p.weight[..CORE * 3 * CORE], &[CORE, 3 * CORE]);
    let start = || (primitive(&p.h0, &[ROWS, CORE]), primitive(&p.keep, &[STEPS, ROWS]));
    let goal = || primitive(&p.goal, &[STEPS, ROWS, CORE]);
    let (h0, keep) = start();
    let (hidden, gates, products) = Flex::gru_forward(x(), weight(), primitive(&p.c0[..CORE], &[CORE]), h0, keep);
    let numbers = |tensor: burn::backend::flex::FlexTensor| tensor.into_data().try_into_vec::<f32>().unwrap();
    let (h0, keep) = start();
    let native = Flex::gru_backward(goal(), hidden.clone(), gates.clone(), products.clone(), weight(), h0, keep);
    let (h0, keep) = start();
    let portable = gru::composed_backward::<Flex>(goal(), hidden, gates, products, weight(), h0, keep);
    let pairs = [(native.0, portable.0), (native.1, portable.1), (native.2, portable.2)];
    for (native, portable) in pairs {
        let difference = greatest_difference(&numbers(native), &numbers(portable));
        assert!(difference < 2e-5, "{difference}");
    }
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs a CUDA device"]
fn states_and_gradients_on_a_graphics_processor_agree_with_those_on_the_processor() {
    let device = crate::DeviceChoice::Cuda(0).open().unwrap();
    let there = run(device, |[weight, h0, c0, keep], x| lstm_sequence(x, weight, h0, c0, keep));
    let here = run(Device::flex(), |[weight, h0, c0, keep], x| lstm_sequence(x, weight, h0, c0, keep));
    for (there, here) in there.iter().zip(&here) {
        let difference = greatest_difference(there, here);
        assert!(difference < 1e-3, "{difference}");
    }
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs a CUDA device"]
fn a_grus_states_and_gradients_on_a_graphics_processor_agree_with_those_on_the_processor() {
    let device = crate::DeviceChoice::Cuda(0).open().unwrap();
    let there = run_gru(device, |[weight, h0, keep], bias, x| gru_sequence(x, weight, bias, h0, keep));
    let here = run_gru(Device::flex(), |[weight, h0, keep], bias, x| gru_sequence(x, weight, bias, h0, keep));
    for (there, here) in there.iter().zip(&here) {
        let difference = greatest_difference(there, here);
        assert!(difference < 1e-3, "{difference}");
    }
}
