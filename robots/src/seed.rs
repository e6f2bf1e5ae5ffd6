//! Randomness by named stream from one seed.
//!
//! Every draw belongs to a stream that says what it is for, in which world and which episode. Two purposes
//! never share a generator, so adding a draw in one place cannot shift the numbers of another, and any
//! episode of any run can be regenerated from `(seed, stream, world, episode)` alone.

use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// The generator behind every stream: small, fast, and its state can be saved.
pub type StreamRng = rand_pcg::Pcg64Mcg;

/// What a stream of random numbers is for. The discriminant is part of the seed: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u64)]
pub enum Stream {
    /// Physics parameters of an episode.
    Parameters = 1,
    /// Start pose of hand and object.
    Start = 2,
    /// Per-step sensor noise.
    Sensing = 3,
    /// Per-step actuation effects.
    Actuation = 4,
    /// Timed disturbances.
    Disturbance = 5,
    /// Exploration noise of the policy.
    Exploration = 6,
    /// Order of minibatches.
    Minibatch = 7,
    /// Initial weights of networks.
    Weights = 8,
    /// Hidden parameters of a simulated controller.
    Hidden = 9,
    /// Bootstrap resampling in reports.
    Bootstrap = 10,
    /// Environments that exist for tests and examples.
    Toy = 11,
}

/// What a user's seed is used for. Trees of different purposes have no generator in common, whatever their seeds. The
/// discriminant is part of the seed: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[repr(u64)]
pub enum Purpose {
    /// Worlds, exploration and weights of a training run; and what follows from a plan's own seed.
    #[default]
    Training = 0,
    /// Worlds in which policies are measured.
    Evaluation = 1,
    /// Parameters of a simulated controller that nobody is told.
    Hidden = 2,
    /// Resampling in reports.
    Bootstrap = 3,
    /// Goals given to a hand that is not simulated here.
    Deployment = 4,
}

/// The root of all randomness of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedTree {
    root: u64,
    #[serde(default)]
    purpose: Purpose,
}

impl SeedTree {
    /// The tree of training grown from `root`, the seed a user gives.
    pub fn new(root: u64) -> Self {
        Self::for_purpose(Purpose::Training, root)
    }

    /// The tree of one purpose, grown from the seed a user gives.
    pub fn for_purpose(purpose: Purpose, root: u64) -> Self {
        Self { root, purpose }
    }

    /// The seed this tree was grown from.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The tree of one named part, such as one parameter among many: independent of this tree and of the trees of all
    /// other names.
    #[must_use]
    pub fn branch(&self, name: &str) -> SeedTree {
        let state = mix(self.root ^ 0x6272_616e_6368_6573);
        let root = name.bytes().fold(state, |state, byte| mix(state.wrapping_add(u64::from(byte) + 1)));
        SeedTree { root, purpose: self.purpose }
    }

    /// An independent generator for one kind of draw, world and episode.
    pub fn stream(&self, stream: Stream, world: u64, episode: u64) -> StreamRng {
        let mut state = self.root ^ 0x6769_7261_6666_6521;
        for word in [stream as u64, world, episode] {
            state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mix(word.wrapping_add(0xd1b5_4a32_d192_ed03)));
        }
        // Two seeds with the same low half come from the same state, since `mix` is one to one: their high halves then
        // differ wherever their purposes do. That of training is zero.
        let lane = (self.purpose as u64).wrapping_mul(0x9e6c_63d0_876a_68e9);
        let high = mix(state ^ 0xa076_1d64_78bd_642f ^ lane);
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&mix(state).to_le_bytes());
        seed[8..].copy_from_slice(&high.to_le_bytes());
        StreamRng::from_seed(seed)
    }
}

/// Two independent numbers of mean 0 and deviation 1 (Box and Muller 1958). Always two uniform draws, so that what comes
/// after does not depend on how many are used.
pub fn standard_normal_pair(rng: &mut StreamRng) -> [f32; 2] {
    // 1 - u is never zero, where the logarithm would be infinite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let angle = std::f64::consts::TAU * rng.random::<f64>();
    [(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_and_differs_from_every_neighbour() {
        let first = |s: u64, stream, w, e| -> u64 { SeedTree::new(s).stream(stream, w, e).random() };
        let base = first(7, Stream::Start, 3, 5);
        assert_eq!(base, first(7, Stream::Start, 3, 5));
        for other in [
            first(8, Stream::Start, 3, 5),
            first(7, Stream::Sensing, 3, 5),
            first(7, Stream::Start, 5, 3),
            first(7, Stream::Start, 3, 6),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn normal_numbers_have_zero_mean_unit_variance_normal_tails_and_nothing_in_common() {
        let mut rng = SeedTree::new(1).stream(Stream::Exploration, 0, 0);
        let pairs: Vec<[f64; 2]> = (0..50_000).map(|_| standard_normal_pair(&mut rng).map(f64::from)).collect();
        let mean = |of: &dyn Fn(&[f64; 2]) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        for place in 0..2 {
            let (first, second) = (mean(&|pair| pair[place]), mean(&|pair| pair[place].powi(2)));
            assert!(first.abs() < 0.015 && (second - 1.0).abs() < 0.02, "{first} {second}");
            let beyond_two = mean(&|pair| if pair[place].abs() > 2.0 { 1.0 } else { 0.0 });
            assert!((beyond_two - 0.0455).abs() < 0.004, "{beyond_two}");
        }
        assert!(mean(&|pair| pair[0] * pair[1]).abs() < 0.015);
    }

    const PURPOSES: [Purpose; 5] =
        [Purpose::Training, Purpose::Evaluation, Purpose::Hidden, Purpose::Bootstrap, Purpose::Deployment];

    #[test]
    fn training_draws_what_it_always_drew() {
        let mut rng = SeedTree::new(7).stream(Stream::Start, 3, 5);
        assert_eq!(rng.random::<u64>(), 0x0c0b_bc49_f823_ba28);
        let mut rng = SeedTree::new(7).branch("object.mass").stream(Stream::Parameters, 3, 5);
        assert_eq!(rng.random::<u64>(), 0x3178_fb4a_7d18_8f22);
    }

    #[test]
    fn trees_of_different_purposes_never_meet_whatever_their_seeds() {
        // Small seeds, huge ones, those that were once added to keep evaluation apart, and roots of branches.
        let seeds = [0, 1, 2, 7, 1_000_000_007, 1_000_000_008, u64::MAX - 1, u64::MAX, 1 << 63];
        let branch_roots = seeds.map(|seed| SeedTree::new(seed).branch("evaluation").root());
        let mut seen = std::collections::BTreeMap::new();
        for purpose in PURPOSES {
            for seed in seeds.into_iter().chain(branch_roots) {
                let tree = SeedTree::for_purpose(purpose, seed);
                for (tree, world) in [(tree, 0), (tree, 1), (tree.branch("evaluation"), 0)] {
                    let drawn: u128 = tree.stream(Stream::Parameters, world, 0).random();
                    if let Some(other) = seen.insert(drawn, purpose) {
                        assert_eq!(other, purpose, "seed {seed}");
                    }
                }
            }
        }
        assert!(seen.len() > 200, "{}", seen.len());
    }

    #[test]
    fn the_same_root_gives_other_generators_for_every_purpose() {
        let first = |purpose| -> u64 { SeedTree::for_purpose(purpose, 3).stream(Stream::Start, 0, 0).random() };
        let drawn: std::collections::BTreeSet<u64> = PURPOSES.into_iter().map(first).collect();
        assert_eq!(drawn.len(), PURPOSES.len());
    }

    #[test]
    fn a_branch_repeats_and_differs_from_its_tree_and_its_neighbours() {
        let first = |tree: SeedTree| -> u64 { tree.stream(Stream::Parameters, 3, 5).random() };
        let tree = SeedTree::new(7);
        let base = first(tree.branch("object.mass"));
        assert_eq!(base, first(tree.branch("object.mass")));
        for other in
            [tree, tree.branch("object.mas"), tree.branch("object.size"), SeedTree::new(8).branch("object.mass")]
        {
            assert_ne!(base, first(other));
        }
    }
}
