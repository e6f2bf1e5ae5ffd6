//! The losses and three steps of learning against PyTorch's numbers (`tests/golden/make.py`).

use crate::categorical::action_of;
use crate::config::{CoreKind, HeadKind, PpoConfig};
use crate::group::{Alone, Lane};
use crate::head::ActionHead;
use crate::network::golden::Golden;
use crate::network::{Network, NetworkShape, Sequence, host};
use crate::objective::{Clipped, Loss, Outputs, Samples};
use crate::rollout::RecurrentState;
use crate::trainee::{Step, Trainee};
use crate::update::value_loss;
use burn::tensor::{Device, Tensor, TensorData};

const BOUND: f32 = 1e-5;

fn numbers<const D: usize>(golden: &Golden, key: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(golden.numbers(key), shape), device)
}

fn near(found: Tensor<1>, expected: f64) {
    let found = f64::from(found.inner().into_scalar::<f32>());
    assert!((found - expected).abs() < 1e-5, "a loss of {found} instead of {expected}");
}

fn objective(golden: &Golden, head: HeadKind, bin_count: usize) -> Clipped {
    let number = |key| golden.number(key) as f32;
    Clipped::new(&PpoConfig {
        head,
        bin_count,
        clip_ratio: number("clip"),
        entropy_coefficient: number("entropy_coefficient"),
        action_bound_coefficient: number("bound_coefficient"),
        ..PpoConfig::default()
    })
}

fn samples(golden: &Golden, actions: Vec<f32>, device: &Device) -> Samples {
    let count = golden.numbers("advantage").len();
    let column = |key| numbers(golden, key, [count, 1], device);
    Samples { actions, log_probs: column("old_log_prob"), advantages: column("advantage") }
}

#[test]
fn the_clipped_surrogate_of_means_is_that_of_pytorch() {
    let golden = Golden::read(include_str!("../../tests/golden/surrogate_gaussian.json"));
    let (device, width) = (Device::flex(), golden.count("actions"));
    let training = device.clone().autodiff();
    let mean = numbers(&golden, "mean", [golden.numbers("advantage").len(), width], &training).require_grad();
    let log_std = numbers(&golden, "log_std", [width], &training).require_grad();
    let samples = samples(&golden, golden.numbers("action"), &device);
    let outputs = Outputs { values: mean.clone(), log_std: Some(log_std.clone()) };
    let loss = objective(&golden, HeadKind::Gaussian, 2).surrogate(outputs, samples, &device).loss;
    near(loss.clone(), golden.number("loss"));
    let gradients = loss.backward();
    golden.agrees("mean_gradient", &host(mean.grad(&gradients).expect("a gradient")), BOUND);
    golden.agrees("log_std_gradient", &host(log_std.grad(&gradients).expect("a gradient")), BOUND);
}

#[test]
fn the_clipped_surrogate_of_bins_is_that_of_pytorch() {
    let golden = Golden::read(include_str!("../../tests/golden/surrogate_categorical.json"));
    let (device, bin_count) = (Device::flex(), golden.count("bins"));
    let dims = [golden.numbers("advantage").len(), golden.count("actions") * bin_count];
    let logits = numbers(&golden, "logits", dims, &device.clone().autodiff()).require_grad();
    let actions = golden.numbers("bin").into_iter().map(|bin| action_of(bin as usize, bin_count)).collect();
    let samples = samples(&golden, actions, &device);
    let outputs = Outputs { values: logits.clone(), log_std: None };
    let loss = objective(&golden, HeadKind::Categorical, bin_count).surrogate(outputs, samples, &device).loss;
    near(loss.clone(), golden.number("loss"));
    golden.agrees("logits_gradient", &host(logits.grad(&loss.backward()).expect("a gradient")), BOUND);
}

#[test]
fn the_critics_loss_is_that_of_pytorch_with_and_without_a_clip() {
    let golden = Golden::read(include_str!("../../tests/golden/value.json"));
    let device = Device::flex();
    let dims = [golden.numbers("values").len(), 1];
    let column = |key| numbers(&golden, key, dims, &device);
    for (loss_key, gradient_key, before, clip) in [
        ("plain", "plain_gradient", None, 0.0),
        ("loss", "gradient", Some(column("before")), golden.number("clip") as f32),
    ] {
        let values = numbers(&golden, "values", dims, &device.clone().autodiff()).require_grad();
        let loss = value_loss(values.clone(), column("returns"), before, clip);
        near(loss.clone(), golden.number(loss_key));
        golden.agrees(gradient_key, &host(values.grad(&loss.backward()).expect("a gradient")), BOUND);
    }
}

/// Forward, gradient, clipping and Adam of a whole network, three times.
fn descends_like_pytorch(kind: CoreKind, golden: &Golden) {
    let device = Device::flex();
    let [steps, rows, core, outputs] = ["steps", "rows", "core", "outputs"].map(|key| golden.count(key));
    let [input, encoder, layers] = ["columns", "encoder", "layers"].map(|key| golden.count(key));
    let shape = NetworkShape { input, encoder, core, output: outputs, kind, layers, head: ActionHead::default() };
    let parts: Vec<Vec<f32>> = golden.numbers("starts").chunks_exact(rows * core).map(<[f32]>::to_vec).collect();
    let sequence = Sequence {
        observations: golden.numbers("observations"),
        state: RecurrentState::from_parts(&parts, core, 0..rows),
        keep: golden.numbers("keep"),
    };
    let goal = numbers(golden, "goal", [steps * rows, outputs], &device);
    let network = Network::with_parameters(shape, &golden.numbers("before"), None, &device.clone().autodiff());
    let mut trainee = Trainee::new(network);
    assert_eq!(trainee.network.parameters(), golden.numbers("before"));
    let [rate, max_norm] = ["rate", "longest"].map(|key| golden.number(key) as f32);
    let (mut losses, mut norms, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..golden.numbers("losses").len() {
        let loss = (trainee.network.forward(sequence.clone(), &device) - goal.clone()).square().mean();
        let (next, descent) =
            trainee.descend(&loss, Step { rate, max_norm, group: &Alone, lane: Lane::Critic }).unwrap();
        losses.push(descent.loss);
        norms.push(descent.gradient_norm);
        after.extend(next.network.parameters());
        trainee = next;
    }
    golden.agrees("losses", &losses, BOUND);
    golden.agrees("norms", &norms, BOUND);
    golden.agrees("after", &after, BOUND);
}

#[test]
fn networks_learn_what_they_learn_in_pytorch() {
    let lstm = Golden::read(include_str!("../../tests/golden/descent_lstm.json"));
    descends_like_pytorch(CoreKind::Lstm, &lstm);
    let two_layers = Golden::read(include_str!("../../tests/golden/descent_gru.json"));
    descends_like_pytorch(CoreKind::Gru, &two_layers);
}
