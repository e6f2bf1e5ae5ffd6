//! A random network that meddles: the "random network adversary" of OpenAI's Rubik's cube (2019, appendix B).
//!
//! At every control step a small network with random weights, new in each episode, looks at the hand and the object, asks
//! for a target of its own for every joint, and pushes the object. What it wants depends on the state, as wind and jitter do
//! not: that makes it a dynamics that nobody imagined, rather than one more noise. OpenAI found such networks at least as
//! good as adversaries that are trained.
//!
//! It costs about 49,000 multiplications per control step for a hand of 16 joints (fewer, since what a layer switched off is
//! skipped), and 50 KB per world: weights are kept in steps of a 127th, in a quarter of the memory. OpenAI's 265 units a layer
//! would cost six times as much, for a function that is no more random.

use crate::noise;
use crate::parameters::WorldParameters;
use giraffe_robots::{Limits, ObjectPose, RobotModel};
use nalgebra::Vector3;

/// Units of each hidden layer.
const HIDDEN_WIDTH: usize = 64;
/// Hidden layers, as in the paper.
const HIDDEN_COUNT: usize = 3;
/// Choices per output, as in the paper.
const BIN_COUNT: usize = 31;
/// Distance of the object from its place that counts as 1, m; farther than `FARTHEST` of these makes no difference.
const PLACE_SCALE_M: f32 = 0.05;
const FARTHEST: f32 = 3.0;
/// Of the object: position, and the three columns of its rotation matrix.
const OBJECT_INPUT_COUNT: usize = 12;
/// Directions in which the object is pushed.
const PUSH_COUNT: usize = 3;

/// The adversary of one episode.
#[derive(Debug, Clone)]
pub(crate) struct Adversary {
    shares: Vec<f32>,
    limits: Vec<Limits>,
    push_m_per_sec2: f32,
    home_m: Vector3<f32>,
    layers: Vec<Layer>,
    /// Scratch: what goes into a layer, and what comes out.
    input: Vec<f32>,
    output: Vec<f32>,
}

/// One layer of the network: output = weights^T input + bias.
#[derive(Debug, Clone)]
struct Layer {
    output_width: usize,
    /// One row per input, in steps of `weight_step`.
    weights: Vec<i8>,
    weight_step: f32,
    bias: Vec<f32>,
}

impl Adversary {
    /// `None` where it may do nothing.
    pub fn new(robot: &RobotModel, parameters: &WorldParameters, noise_seed: u64) -> Option<Self> {
        let shares: Vec<f32> = parameters.joints.iter().map(|joint| joint.adversary_share).collect();
        let push_m_per_sec2 = parameters.adversary.push_m_per_sec2;
        if push_m_per_sec2 <= 0.0 && shares.iter().all(|share| *share <= 0.0) {
            return None;
        }
        let input_width = 2 * robot.joint_count() + OBJECT_INPUT_COUNT;
        let output_width = BIN_COUNT * (robot.joint_count() + PUSH_COUNT);
        let mut widths = vec![input_width];
        widths.extend([HIDDEN_WIDTH; HIDDEN_COUNT]);
        widths.push(output_width);
        let mut rng = noise::of_effect("network adversary", noise_seed);
        Some(Self {
            shares,
            limits: robot.joints.iter().map(|joint| joint.position_limits_rad).collect(),
            push_m_per_sec2,
            home_m: robot.palm_from_object_home.translation.vector,
            layers: widths.windows(2).map(|pair| Layer::random(pair[0], pair[1], &mut rng)).collect(),
            input: Vec::with_capacity(output_width),
            output: Vec::with_capacity(output_width),
        })
    }

    /// Other shares and another push from now on, of the same network.
    pub fn apply(&mut self, parameters: &WorldParameters) {
        self.shares.iter_mut().zip(&parameters.joints).for_each(|(share, joint)| *share = joint.adversary_share);
        self.push_m_per_sec2 = parameters.adversary.push_m_per_sec2;
    }

    /// Whether it may do anything.
    pub fn acts(&self) -> bool {
        self.push_m_per_sec2 > 0.0 || self.shares.iter().any(|share| *share > 0.0)
    }

    /// Takes its share of the targets (rad, true frame), and says how it pushes the object, N per kg in the palm frame.
    ///
    /// Each joint goes to (1 - share) of what was asked for + share of what the adversary asks for, out of 31 angles
    /// evenly spread from limit to limit.
    pub fn act(&mut self, angles_rad: &[f32], targets_rad: &mut [f32], object: &ObjectPose) -> [f32; 3] {
        self.look(angles_rad, targets_rad, object);
        self.think();
        let mut choices = self.output.chunks_exact(BIN_COUNT).map(choice);
        for ((target, share), limits) in targets_rad.iter_mut().zip(&self.shares).zip(&self.limits) {
            let middle_rad = 0.5 * (limits.lower + limits.upper);
            let half_rad = 0.5 * (limits.upper - limits.lower);
            let wanted_rad = middle_rad + half_rad * choices.next().unwrap_or(0.0);
            if *share > 0.0 {
                *target = limits.clamp(*target + share * (wanted_rad - *target));
            }
        }
        [(); PUSH_COUNT].map(|()| self.push_m_per_sec2 * choices.next().unwrap_or(0.0))
    }

    /// What the network sees, all of it of the order of 1.
    fn look(&mut self, angles_rad: &[f32], targets_rad: &[f32], object: &ObjectPose) {
        self.input.clear();
        for joints_rad in [angles_rad, targets_rad] {
            let place = |(angle, limits): (&f32, &Limits)| {
                let width = (limits.upper - limits.lower).max(f32::MIN_POSITIVE);
                (2.0 * (angle - limits.lower) / width - 1.0).clamp(-FARTHEST, FARTHEST)
            };
            self.input.extend(joints_rad.iter().zip(&self.limits).map(place));
        }
        let away = (object.position_m - self.home_m) / PLACE_SCALE_M;
        self.input.extend(away.iter().map(|axis| axis.clamp(-FARTHEST, FARTHEST)));
        self.input.extend(object.palm_from_object.to_rotation_matrix().matrix().iter());
    }

    /// Runs the network from `input` to `output`.
    fn think(&mut self) {
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            layer.run(&self.input, &mut self.output);
            if index < last {
                self.output.iter_mut().for_each(|unit| *unit = unit.max(0.0));
                std::mem::swap(&mut self.input, &mut self.output);
            }
        }
    }
}

impl Layer {
    /// Uniform weights of variance 2 / width (He et al. 2015), under which the size of signals neither grows nor fades
    /// from layer to layer, and biases of a tenth of that.
    fn random(input_width: usize, output_width: usize, rng: &mut giraffe_robots::StreamRng) -> Self {
        let reach = (6.0 / input_width as f32).sqrt();
        let steps = f32::from(i8::MAX);
        let weights = (0..input_width * output_width).map(|_| (steps * noise::symmetric(rng)).round() as i8).collect();
        let bias = (0..output_width).map(|_| 0.1 * reach * noise::symmetric(rng)).collect();
        Self { output_width, weights, weight_step: reach / steps, bias }
    }

    fn run(&self, input: &[f32], output: &mut Vec<f32>) {
        output.clear();
        output.extend(&self.bias);
        for (value, row) in input.iter().zip(self.weights.chunks_exact(self.output_width)) {
            // Half of what a layer puts out is zero.
            if value.abs() > 0.0 {
                let scaled = value * self.weight_step;
                output.iter_mut().zip(row).for_each(|(sum, weight)| *sum += scaled * f32::from(*weight));
            }
        }
    }
}

/// The bin with the largest value, as a number from -1 (the first) to 1 (the last).
fn choice(bins: &[f32]) -> f32 {
    let mut best = 0;
    for (bin, value) in bins.iter().enumerate() {
        if *value > bins[best] {
            best = bin;
        }
    }
    2.0 * best as f32 / (BIN_COUNT - 1) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{PhysicsSettings, SceneModel};
    use giraffe_robots::{OBJECTS, load_robot};
    use nalgebra::{Isometry3, UnitQuaternion};
    use std::sync::Arc;

    struct Bench {
        robot: Arc<RobotModel>,
        parameters: WorldParameters,
    }

    fn bench(share: f32, push_m_per_sec2: f32) -> Bench {
        let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
        let scene = SceneModel::new(Arc::clone(&robot), OBJECTS[0].clone(), PhysicsSettings::default());
        let mut parameters = WorldParameters::nominal(&scene);
        parameters.joints.iter_mut().for_each(|joint| joint.adversary_share = share);
        parameters.adversary.push_m_per_sec2 = push_m_per_sec2;
        Bench { robot, parameters }
    }

    impl Bench {
        fn adversary(&self, seed: u64) -> Option<Adversary> {
            Adversary::new(&self.robot, &self.parameters, seed)
        }

        /// Targets and push after one look at the hand at home with the object turned by `turn_rad`.
        fn acts(&self, seed: u64, turn_rad: f32) -> (Vec<f32>, [f32; 3]) {
            let mut adversary = self.adversary(seed).expect("it may act");
            let at: Isometry3<f32> = self.robot.palm_from_object_home;
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn_rad);
            let object = ObjectPose { position_m: at.translation.vector, palm_from_object: turn * at.rotation };
            let mut targets = self.robot.home_rad.clone();
            let push = adversary.act(&self.robot.home_rad, &mut targets, &object);
            (targets, push)
        }
    }

    #[test]
    fn without_a_share_and_a_push_there_is_no_adversary() {
        assert!(bench(0.0, 0.0).adversary(1).is_none());
        assert!(bench(0.1, 0.0).adversary(1).is_some() && bench(0.0, 0.1).adversary(1).is_some());
    }

    #[test]
    fn every_episode_has_an_adversary_of_its_own_which_repeats() {
        let bench = bench(0.3, 1.0);
        assert_eq!(bench.acts(1, 0.0), bench.acts(1, 0.0));
        assert_ne!(bench.acts(1, 0.0).0, bench.acts(2, 0.0).0);
        assert_ne!(bench.acts(1, 0.0).1.to_vec(), bench.acts(2, 0.0).1.to_vec());
    }

    #[test]
    fn what_it_wants_depends_on_where_the_object_is() {
        let bench = bench(0.3, 1.0);
        let wants: Vec<_> = (0..12).map(|step| bench.acts(1, 0.5 * step as f32).0).collect();
        let changes = wants.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes > 6, "{changes} of 11");
    }

    #[test]
    fn each_joint_moves_by_its_share_towards_one_of_31_angles_inside_its_limits() {
        let (whole, half, mut some) = (bench(1.0, 0.0), bench(0.5, 0.0), bench(0.0, 0.0));
        some.parameters.joints[3].adversary_share = 0.5;
        let (wanted, mixed, alone) = (whole.acts(4, 0.0).0, half.acts(4, 0.0).0, some.acts(4, 0.0).0);
        for (joint, model) in whole.robot.joints.iter().enumerate() {
            let (limits, home) = (model.position_limits_rad, whole.robot.home_rad[joint]);
            let bin = (wanted[joint] - limits.lower) / (limits.upper - limits.lower) * 30.0;
            assert!((bin - bin.round()).abs() < 1e-3 && (-0.001..30.001).contains(&bin), "{bin}");
            assert!((mixed[joint] - 0.5 * (home + wanted[joint])).abs() < 1e-5, "joint {joint}");
            let expected = if joint == 3 { mixed[joint] } else { home };
            assert_eq!(alone[joint].to_bits(), expected.to_bits(), "joint {joint}");
        }
    }

    #[test]
    fn over_many_episodes_it_uses_all_of_the_range_and_pushes_in_all_directions() {
        let bench = bench(1.0, 2.0);
        let mut seen = Vec::new();
        let mut pushed = Vec::new();
        for seed in 0..300 {
            let (targets, push) = bench.acts(seed, 0.0);
            let limits = bench.robot.joints[0].position_limits_rad;
            seen.push((targets[0] - limits.lower) / (limits.upper - limits.lower));
            pushed.extend(push);
        }
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean(&seen) - 0.5).abs() < 0.07, "{}", mean(&seen));
        assert!(seen.iter().any(|at| *at < 0.05) && seen.iter().any(|at| *at > 0.95));
        assert!(mean(&pushed).abs() < 0.16 && pushed.iter().all(|push| push.abs() <= 2.0), "{}", mean(&pushed));
        assert!(pushed.iter().any(|push| *push > 1.9) && pushed.iter().any(|push| *push < -1.9));
    }
}
