//! Adam (Kingma, Ba 2015) in one pass over a parameter.
//!
//! The tensor library's own takes thirteen, which for wide networks and few samples was a tenth of an update. The
//! arithmetic and what is kept between steps are the library's, so the bits and the checkpoints are, too.

use crate::activation::vectorized;
use burn::optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor, TensorData};

/// Those of Kingma and Ba, and the library's epsilon, which is a thousand times theirs.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-5;

/// A new optimizer.
pub(crate) fn adam() -> ModuleOptimizer {
    ModuleOptimizer::from(OnePass::new())
}

#[derive(Clone)]
struct OnePass {
    /// For other devices than the processor.
    library: Adam,
}

impl OnePass {
    fn new() -> Self {
        let config = AdamConfig::new().with_beta_1(BETA_1).with_beta_2(BETA_2).with_epsilon(EPSILON);
        Self { library: config.build() }
    }
}

impl Optimizer for OnePass {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let device = parameter.device();
        if device != Device::flex() {
            return self.library.step(rate, parameter, gradient, state);
        }
        let (time, moments) = match state {
            Some(AdamState { momentum }) => {
                (momentum.time + 1, [momentum.moment_1, momentum.moment_2].map(Tensor::into_data))
            }
            // Minus zero: whatever is added to it stays itself.
            None => (1, [(); 2].map(|()| TensorData::full(gradient.shape(), -0.0f32))),
        };
        let ([mut first, mut second], mut parameter) = (moments, parameter.into_data());
        let numbers = "the networks compute in f32";
        pass(
            gradient.into_data().as_slice().expect(numbers),
            first.as_mut_slice().expect(numbers),
            second.as_mut_slice().expect(numbers),
            parameter.as_mut_slice().expect(numbers),
            Correction::new(time),
            rate as f32,
        );
        let [first, second, parameter] = [first, second, parameter].map(|data| Tensor::from_data(data, &device));
        (parameter, Some(AdamState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        Adam::to_device(state, device)
    }
}

/// What makes up for moments that began as zero.
#[derive(Clone, Copy)]
struct Correction {
    factor: f32,
    epsilon: f32,
}

impl Correction {
    fn new(time: usize) -> Self {
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        let root = (1.0 - BETA_2.powi(time)).sqrt();
        Self { factor: root / (1.0 - BETA_1.powi(time)), epsilon: EPSILON * root }
    }
}

vectorized! {
    /// Advances the moments and the parameter.
    fn pass(
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
        parameter: &mut [f32],
        correction: Correction,
        rate: f32,
    ) {
        for (((gradient, first), second), parameter) in gradient.iter().zip(first).zip(second).zip(parameter) {
            *first = *first * BETA_1 + gradient * (1.0 - BETA_1);
            *second = *second * BETA_2 + gradient * gradient * (1.0 - BETA_2);
            let direction = *first * correction.factor / (second.sqrt() + correction.epsilon);
            *parameter -= direction * rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::host;

    #[test]
    fn one_pass_gives_the_bits_of_the_librarys_thirteen() {
        let device = Device::flex();
        let numbers = |seed: usize| {
            let values: Vec<f32> =
                (0..3 * 37).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 331.0 - 1.5).collect();
            Tensor::<2>::from_data(TensorData::new(values, [3, 37]), &device)
        };
        let ours = OnePass::new();
        let (mut ours_now, mut library_now) = ((numbers(0), None), (numbers(0), None));
        for step in 1..=20 {
            // Some gradients are zero, of both signs.
            let gradient = numbers(step) * numbers(step + 100).clamp_min(0.0) * 1e-3;
            ours_now = ours.step(3e-4, ours_now.0, gradient.clone(), ours_now.1);
            library_now = ours.library.step(3e-4, library_now.0, gradient, library_now.1);
            let bits = |(parameter, state): &(Tensor<2>, Option<AdamState<2>>)| {
                let AdaptiveMomentumState { time, moment_1, moment_2, .. } = state.clone().expect("a state").momentum;
                let tensors = [parameter.clone(), moment_1, moment_2];
                let bits = tensors.map(|tensor| host(tensor).into_iter().map(f32::to_bits).collect::<Vec<u32>>());
                (time, bits)
            };
            assert!(bits(&ours_now) == bits(&library_now), "step {step}");
        }
        let moved = (ours_now.0 - numbers(0)).abs().sum().into_scalar::<f32>();
        assert!(moved > 0.1, "moved by {moved}");
    }
}
