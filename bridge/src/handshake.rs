//! What both sides check before a hand moves. PROTOCOL.md section 4.

use crate::envelope::{EnvelopeSpec, check_limits};
use crate::kinematics::{compare, compare_poses, compare_tips, describe, explain, tips_at, tips_of_pose};
use crate::message::{ByName, Hello, JointLimits, PolicyIdentity, RobotDescription, Role, TestVector, Welcome};
use giraffe_robots::RobotModel;

/// Rates may differ by this share.
const RATE_TOLERANCE: f64 = 0.01;

/// A refusal: code and words.
#[derive(Debug, Clone, PartialEq)]
pub struct Objection {
    /// Code of the protocol.
    pub code: String,
    /// In words.
    pub detail: String,
}

impl Objection {
    pub(crate) fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

/// What a controller grants.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Limits in force, canonical order of the controller's hand.
    pub limits: Vec<JointLimits>,
    /// Fingertips of the hello's test pose, by the controller's own kinematics.
    pub test_vector: TestVector,
    /// The same for the hello's test poses, if it had any.
    pub test_poses: Option<ByName<TestVector>>,
    /// Warnings.
    pub notes: Vec<String>,
}

/// The hello of a commander.
pub fn hello(
    robot: &RobotModel,
    policy: PolicyIdentity,
    software: String,
    policy_hz: f64,
    watchdog_ms: u64,
    wants: Vec<String>,
) -> Hello {
    let spec = EnvelopeSpec::of(robot);
    Hello {
        role: Role::Commander,
        software,
        policy,
        robot: describe(robot),
        test_vector: crate::kinematics::test_vector(robot),
        limits: spec.names.into_iter().zip(spec.limits).collect(),
        policy_hz,
        watchdog_ms,
        wants,
        test_poses: Some(crate::kinematics::test_poses(robot)),
        object: None,
    }
}

/// Adds to a difference which joint's zero or sign would explain it.
fn explained(difference: String, robot: &RobotModel, test_poses: Option<&ByName<TestVector>>) -> Objection {
    let detail = match test_poses.and_then(|poses| explain(robot, poses)) {
        Some(explanation) => format!("{difference}; {explanation}"),
        None => difference,
    };
    Objection::new("ROBOT_MISMATCH", detail)
}

/// Refuses a policy for another object than the one that is held, where both sides say which. `held` is the controller's.
///
/// # Errors
/// `OBJECT_MISMATCH`, in words that name both.
pub fn check_object(wanted: Option<&str>, held: Option<&str>) -> Result<(), Objection> {
    let said = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(str::to_owned);
    match (said(wanted), said(held)) {
        (Some(wanted), Some(held)) if wanted != held => {
            let detail = format!(
                "the policy is for the object `{wanted}`, the controller holds `{held}`; start the controller with \
                 `{wanted}`, or say what is held with --object {held}"
            );
            Err(Objection::new("OBJECT_MISMATCH", detail))
        }
        _ => Ok(()),
    }
}

/// What the controller makes of a commander's hello.
///
/// # Errors
/// The first thing that does not fit: `ROBOT_MISMATCH`, `RATE` or `LIMITS`, in words that name it.
pub fn check_hello(
    hello: &Hello,
    robot: &RobotModel,
    own: &RobotDescription,
    spec: &EnvelopeSpec,
) -> Result<Terms, Objection> {
    let mismatch = |detail: String| explained(detail, robot, hello.test_poses.as_ref());
    compare(own, &hello.robot).map_err(mismatch)?;
    let tips = tips_at(robot, &hello.test_vector.q)
        .ok_or_else(|| mismatch("test_vector: `q` does not name every joint".to_owned()))?;
    compare_tips(&tips, &hello.test_vector.tips).map_err(mismatch)?;
    if let Some(poses) = &hello.test_poses {
        compare_poses(robot, poses).map_err(mismatch)?;
    }
    let own_hz = 1.0 / f64::from(spec.period_secs);
    if (hello.policy_hz / own_hz - 1.0).abs() > RATE_TOLERANCE {
        let detail = format!("policy_hz is {}, this controller is set up for {own_hz:.3}", hello.policy_hz);
        return Err(Objection::new("RATE", detail));
    }
    let limits = intersect(spec, &hello.limits)?;
    let mut notes = Vec::new();
    if hello.robot.desc_hash != own.desc_hash {
        notes.push("descriptions agree within tolerance, but their hashes differ".to_owned());
    }
    let both = !hello.robot.dynamics_hash.is_empty() && !own.dynamics_hash.is_empty();
    if both && hello.robot.dynamics_hash != own.dynamics_hash {
        notes.push("masses, gains or friction differ from those the policy was made for".to_owned());
    }
    let test_poses = hello.test_poses.as_ref().map(|poses| {
        let known = poses.iter().filter(|(name, _)| own.joints.contains_key(*name));
        let own = known.map(|(name, pose)| {
            let tips = tips_of_pose(robot, &pose.q).unwrap_or_default();
            (name.clone(), TestVector { q: pose.q.clone(), tips })
        });
        own.collect()
    });
    Ok(Terms { limits, test_vector: TestVector { q: hello.test_vector.q.clone(), tips }, test_poses, notes })
}

fn intersect(spec: &EnvelopeSpec, wanted: &ByName<JointLimits>) -> Result<Vec<JointLimits>, Objection> {
    let both = spec.names.iter().zip(&spec.limits).map(|(name, own)| {
        let theirs =
            wanted.get(name).ok_or_else(|| Objection::new("LIMITS", format!("limits: joint `{name}` is missing")))?;
        let limits = own.and(*theirs);
        // A NaN would be passed over, so both sides are checked: theirs for sense, the result for being there.
        check_limits(name, theirs)
            .and_then(|()| check_limits(name, &limits))
            .map_err(|error| Objection::new("LIMITS", error.to_string()))?;
        Ok(limits)
    });
    both.collect()
}

/// What the policy makes of a welcome. Returns, for each joint of `robot`, its place in the arrays of the wire.
///
/// # Errors
/// In words: a joint or fingertip that differs, an order that is none, a feature that is missing.
pub fn check_welcome(welcome: &Welcome, robot: &RobotModel, needs: &[String]) -> Result<Vec<usize>, Objection> {
    let mismatch = |detail: String| explained(detail, robot, welcome.test_poses.as_ref());
    compare(&describe(robot), &welcome.robot).map_err(mismatch)?;
    let own = crate::kinematics::test_vector(robot);
    compare_tips(&own.tips, &welcome.test_vector.tips).map_err(mismatch)?;
    // A controller that knows of no test poses is believed on its description and the one test vector.
    if let Some(poses) = &welcome.test_poses {
        compare_poses(robot, poses).map_err(mismatch)?;
    }
    if let Some(missing) = needs.iter().find(|need| !welcome.grants.contains(need)) {
        let detail = format!("the controller does not grant `{missing}`, only {:?}", welcome.grants);
        return Err(Objection::new("UNSUPPORTED", detail));
    }
    places(robot, &welcome.joints).map_err(mismatch)
}

fn places(robot: &RobotModel, order: &[String]) -> Result<Vec<usize>, String> {
    if order.len() != robot.joint_count() {
        return Err(format!("`joints` names {} joints, the hand has {}", order.len(), robot.joint_count()));
    }
    let place = |name: &String| order.iter().position(|other| other == name);
    let found = robot
        .joints
        .iter()
        .map(|joint| place(&joint.name).ok_or_else(|| format!("`joints` lacks joint `{}`", joint.name)));
    found.collect()
}
