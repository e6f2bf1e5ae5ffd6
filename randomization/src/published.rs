//! Ranges that others published, as far as they map onto the table of parameters.
//!
//! Each entry says what was published, and what stands for it here where the two differ. Formulas of translation:
//!
//! - Normal noise of deviation s that is new at every step is drawn uniformly here: plus or minus sqrt(3) s has the same
//!   deviation.
//! - A normal vector, deviation s along each of three axes, has a length of mean 1.596 s and deviation 0.673 s (Maxwell);
//!   along two axes 1.253 s and 0.655 s (Rayleigh). Where a parameter is such a length it is drawn from the normal with
//!   these two, cut at zero.
//! - A turn by a normal angle of deviation s about a random axis is here a rotation vector with elements that are uniform
//!   in plus or minus s: its length has the same mean square.

use crate::distribution::Distribution;

/// Ranges that somebody published.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// Whose, and where from.
    pub doc: &'static str,
    /// What maps.
    pub ranges: &'static [PublishedRange],
    /// What does not, in words.
    pub unmapped: &'static [&'static str],
}

/// One published range.
#[derive(Debug, Clone, Copy)]
pub struct PublishedRange {
    /// Name of the row.
    pub parameter: &'static str,
    /// How it is drawn here.
    pub range: Distribution,
    /// What was published.
    pub published: &'static str,
}

const fn entry(parameter: &'static str, range: Distribution, published: &'static str) -> PublishedRange {
    PublishedRange { parameter, range, published }
}

const fn fixed(value: f32) -> Distribution {
    Distribution::Fixed(value)
}

const fn uniform(min: f32, max: f32) -> Distribution {
    Distribution::Uniform { min, max }
}

const fn log_uniform(min: f32, max: f32) -> Distribution {
    Distribution::LogUniform { min, max }
}

const fn normal(mean: f32, deviation: f32) -> Distribution {
    Distribution::Normal { mean, deviation }
}

/// OpenAI, "Learning Dexterous In-Hand Manipulation" (2018, arXiv 1808.00177): tables 1 and 3, appendix C.2.
pub static DACTYL: Published = Published {
    doc: "OpenAI Dactyl 2018, arXiv 1808.00177, tables 1 and 3 and appendix C.2, as far as it maps",
    ranges: &[
        entry("object.mass", uniform(0.5, 1.5), "x U(0.5, 1.5)"),
        entry("object.size", uniform(0.95, 1.05), "x U(0.95, 1.05)"),
        entry("contact.friction", uniform(0.7, 1.3), "x U(0.7, 1.3)"),
        entry("hand.link_mass", uniform(0.5, 1.5), "x U(0.5, 1.5), each link for itself; here one factor for all"),
        entry("joint.stiffness", log_uniform(0.75, 1.5), "gain x logU(0.75, 1.5)"),
        entry("joint.damping", log_uniform(0.3, 3.0), "x logU(0.3, 3)"),
        entry("joint.limit_lower", normal(0.0, 0.15), "joint limits + N(0, 0.15) rad"),
        entry("joint.limit_upper", normal(0.0, 0.15), "joint limits + N(0, 0.15) rad"),
        entry("gravity.magnitude", normal(1.0, 0.040_8), "+ N(0, 0.4) m/s2 along each axis: this is the vertical one"),
        entry("gravity.tilt", normal(0.051_1, 0.026_7), "+ N(0, 0.4) m/s2 along each axis: these are the other two"),
        entry(
            "actuation.delay",
            uniform(0.0, 0.08),
            "each actuator late by one step of 80 ms with a chance of 0.5; here one delay for all, of the same mean",
        ),
        entry("actuation.gain_noise", fixed(0.026), "action x (1 + N(0, 1.5 %)) at every step"),
        entry(
            "physics.step_jitter",
            log_uniform(0.021_7, 0.173),
            "8 ms plus an exponential time of 0.1 to 0.8 ms in the mean; here as uneven, but the mean stays",
        ),
        entry("force.object_acceleration", fixed(1.0), "forces N(0, 1 m/s2) times the mass along each axis"),
        entry(
            "force.object_rate",
            log_uniform(0.012_5, 1.25),
            "a new force with a chance of logU(0.1 %, 10 %) per 80 ms",
        ),
        entry("force.object_half_life", fixed(5.517), "forces fade by 0.99 per 80 ms"),
        entry("tracking.position_noise", fixed(0.001_73), "N(0, 1 mm) at every step"),
        entry("tracking.position_bias", normal(0.007_98, 0.003_37), "N(0, 5 mm) along each axis, once per episode"),
        entry("tracking.rotation_noise", fixed(0.1), "N(0, 0.1 rad) at every step"),
        entry("tracking.rotation_bias", normal(0.0, 0.1), "N(0, 0.1 rad), once per episode; the sign is the axis's"),
    ],
    unmapped: &[
        "noise, dropouts and marker placement of motion-captured fingertips: a policy here reads joint angles",
        "backlash: a slack of N(calibrated, 0.1) in units of its own model, which is not an angle",
        "action noise as a sum: 5 % of the range of actions, new at every step, and 1.5 % once per episode; their range of \
         actions is another than here",
    ],
};

/// NVIDIA, "DeXtreme" (2022, arXiv 2210.13702): the manual ranges of the released configuration
/// (`AllegroHandDextremeManualDR.yaml` of IsaacGymEnvs). Its automatic ranges depend on the policy, as those of
/// [`crate::AdrRanges`] do.
pub static DEXTREME: Published = Published {
    doc: "NVIDIA DeXtreme 2022, arXiv 2210.13702, the released manual ranges, as far as they map",
    ranges: &[
        entry("object.mass", uniform(0.5, 1.5), "x U(0.5, 1.5)"),
        entry("object.size", uniform(0.95, 1.05), "x U(0.95, 1.05)"),
        entry("contact.friction", uniform(0.2, 1.2), "x U(0.2, 1.2), hand and object each; here the pair"),
        entry("contact.restitution", uniform(0.0, 0.4), "+ U(0, 0.4)"),
        entry("hand.link_mass", uniform(0.5, 2.0), "x U(0.5, 2), each link for itself; here one factor for all"),
        entry("joint.stiffness", log_uniform(0.75, 1.5), "x logU(0.75, 1.5)"),
        entry("joint.damping", log_uniform(0.3, 3.0), "x logU(0.3, 3)"),
        entry("joint.limit_lower", normal(0.0, 0.01), "joint limits + N(0, 0.01) rad"),
        entry("joint.limit_upper", normal(0.0, 0.01), "joint limits + N(0, 0.01) rad"),
        entry("gravity.magnitude", normal(1.0, 0.051), "+ N(0, 0.5) m/s2 along each axis: this is the vertical one"),
        entry("gravity.tilt", normal(0.063_9, 0.033_4), "+ N(0, 0.5) m/s2 along each axis: these are the other two"),
        entry(
            "sensing.position_noise",
            fixed(0.008_66),
            "N(0, 0.005) at every step, in half of the worlds; here in all, as rad",
        ),
        entry(
            "sensing.position_bias",
            normal(0.0, 0.01),
            "N(0, 0.01), once per episode, in half of the worlds; here in all, as rad",
        ),
        entry("tracking.refresh", uniform(0.033, 0.1), "up to 2 steps of 33 ms left out"),
        entry("tracking.dropout", uniform(0.0, 0.3), "the last pose stays with a chance of up to 0.3 per step"),
        entry(
            "actuation.jitter",
            uniform(0.0, 0.02),
            "the last command stays for a step of 33 ms with a chance of up to 0.3; here as late in the mean",
        ),
        entry("force.object_acceleration", fixed(2.0), "forces N(0, 2 m/s2) times the mass along each axis"),
        entry("force.object_rate", log_uniform(0.03, 3.0), "a new force with a chance of logU(0.1 %, 10 %) per 33 ms"),
        entry("force.object_half_life", fixed(5.517), "forces fade by 0.99 per 80 ms"),
        entry(
            "adversary.action",
            uniform(0.0, 0.15),
            "a random network decides a share U(0, 1) with a chance of 0.15; here always, of the same mean",
        ),
    ],
    unmapped: &[
        "action noise: N(0, 0.05) at every step and N(0, 0.02) once per episode, of the range of actions, which is another \
         than here",
    ],
};

/// Google DeepMind, MuJoCo Playground (2025): `domain_randomize` and `default_config` of its LEAP hand's tasks.
pub static PLAYGROUND: Published = Published {
    doc: "MuJoCo Playground 2025, domain_randomize and noise of its LEAP hand's tasks, as far as they map",
    ranges: &[
        entry("object.center_of_mass_x", uniform(-0.005, 0.005), "+ U(-5 mm, 5 mm)"),
        entry("object.center_of_mass_y", uniform(-0.005, 0.005), "+ U(-5 mm, 5 mm)"),
        entry("object.center_of_mass_z", uniform(-0.005, 0.005), "+ U(-5 mm, 5 mm)"),
        entry("contact.tip_friction", uniform(0.714, 1.43), "U(0.5, 1) in place of the LEAP hand's 0.7"),
        entry("hand.link_mass", uniform(0.9, 1.1), "x U(0.9, 1.1), each link for itself; here one factor for all"),
        entry("joint.stiffness", uniform(0.8, 1.2), "x U(0.8, 1.2), each joint for itself; here +-10 % between joints"),
        entry("joint.damping", uniform(0.8, 1.2), "x U(0.8, 1.2), each joint for itself; here +-10 % between joints"),
        entry(
            "joint.friction_loss",
            uniform(0.5, 2.0),
            "x U(0.5, 2), each joint for itself; here +-20 % between joints",
        ),
        entry("joint.armature", uniform(1.0, 1.05), "x U(1, 1.05)"),
        entry("joint.zero_offset", uniform(-0.05, 0.05), "+ U(-0.05, 0.05) on the reference angles"),
        entry("sensing.position_noise", fixed(0.05), "U(-0.05, 0.05) at every step"),
        entry("tracking.position_noise", fixed(0.02), "U(-0.02, 0.02) at every step"),
        entry(
            "tracking.rotation_noise",
            fixed(0.346),
            "N(0, 0.1) on each element of the quaternion, which turns by N(0, 0.2 rad) about each axis",
        ),
    ],
    unmapped: &["pushes, as an option: changes of the object's speed by up to 3 m/s; here the scenario `push`"],
};
