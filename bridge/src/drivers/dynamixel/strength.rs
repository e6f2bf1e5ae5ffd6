//! Torques and stiffness of the description as currents and gains of the servos, and back: by one torque constant.
//!
//! In current-based position control the position loop's output is taken for a current in the unit of Goal Current, which
//! caps it: P / 128 of it for each tick of error. That is how ROBOTIS draws it; nobody has measured it on this hand.

use super::registers::{CURRENT_UNIT_A, TICKS_PER_TURN};
use super::settings::{DynamixelSettings, Gains};
use crate::driver::{DriverError, ServoIdentity};
use giraffe_robots::{JointModel, Limits, RobotModel, USUAL_STIFFNESS_SHARE, USUAL_TORQUE_SHARE};
use std::f64::consts::TAU;

/// Position P Gain of one unit of current per tick.
const P_OF_ONE: f64 = 128.0;
/// Highest gain the servos know.
const MAX_GAIN: u16 = 16383;
/// D per P: 200 to 600, as in LEAP's own client. The description's damping is that of the joint itself.
const D_PER_P: f64 = 200.0 / 600.0;
/// Currents and gains are whole numbers.
const ROUNDING: f32 = 2e-3;

/// What one servo is set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strength {
    /// Largest current at full effort, mA.
    pub current_ma: u16,
    pub gains: Gains,
}

fn wrong(reason: String) -> DriverError {
    DriverError::new("reckoning currents and gains of the servos", reason)
}

/// Stiffness by P of one, N m/rad, for a torque constant in N m/A.
fn stiffness_of_one(constant: f64) -> f64 {
    TICKS_PER_TURN / TAU * f64::from(CURRENT_UNIT_A) * constant / P_OF_ONE
}

/// What the servo of every joint is set to: as the description asks, or as the settings say.
///
/// # Errors
/// When the description does not say what it takes, or asks for what the servos do not have.
pub(super) fn strengths(robot: &RobotModel, settings: &DynamixelSettings) -> Result<Vec<Strength>, DriverError> {
    let most_ma = (robot.safety.servos.peak_current_a / CURRENT_UNIT_A).round().clamp(0.0, f32::from(u16::MAX)) as u16;
    if let Some(asked_ma) = settings.current_ma.filter(|asked_ma| *asked_ma == 0 || *asked_ma > most_ma) {
        return Err(wrong(format!(
            "the largest current is {asked_ma} mA; expected 1 to {most_ma}, what the servos bear for a moment \
             (peak_current_a of [safety.servos] in robot.toml)"
        )));
    }
    if let Some(p) = settings.gain_p.filter(|p| *p == 0 || *p > MAX_GAIN) {
        return Err(wrong(format!("the gain P is {p}; expected 1 to {MAX_GAIN}")));
    }
    let constant = robot.servos.as_ref().map(|servos| f64::from(servos.torque_constant_newton_m_per_a));
    let described = |what: &str, option: &str| {
        constant.ok_or_else(|| {
            wrong(format!(
                "the description of {} does not say what torque a current is: {what} cannot be reckoned. Add [servos] with \
                 torque_constant_newton_m_per_a to its robot.toml, as leap-right has it, or say {option}",
                robot.name
            ))
        })
    };
    let strength = |joint: &JointModel| {
        let current_ma = match settings.current_ma {
            Some(current_ma) => current_ma,
            None => current_of(joint, described("the currents of its servos", "--current-ma")?, most_ma)?,
        };
        let p = match settings.gain_p {
            Some(p) => p,
            None => p_of(joint, described("the gains of its servos", "--gain-p")?)?,
        };
        let d = (D_PER_P * f64::from(p)).round() as u16;
        Ok(Strength { current_ma, gains: Gains { p, i: 0, d } })
    };
    robot.joints.iter().map(strength).collect()
}

/// The current of a joint's torque, no more than its servo bears.
fn current_of(joint: &JointModel, constant: f64, most_ma: u16) -> Result<u16, DriverError> {
    let wanted_ma = f64::from(joint.effort_limit_newton_m) / constant / f64::from(CURRENT_UNIT_A);
    // Before it is capped: what is no number would become the cap.
    if !(0.5..f64::INFINITY).contains(&wanted_ma) {
        return Err(wrong(format!(
            "joint `{}` has at most {} N m, which is {wanted_ma} mA; expected 1 or more",
            joint.name, joint.effort_limit_newton_m
        )));
    }
    Ok(wanted_ma.round().min(f64::from(most_ma)) as u16)
}

/// The gain of a joint's stiffness.
fn p_of(joint: &JointModel, constant: f64) -> Result<u16, DriverError> {
    let p = (f64::from(joint.stiffness_newton_m_per_rad) / stiffness_of_one(constant)).round();
    if !(1.0..=f64::from(MAX_GAIN)).contains(&p) {
        return Err(wrong(format!(
            "joint `{}` has {} N m/rad, which is a gain P of {p}; expected 1 to {MAX_GAIN}. Say --gain-p",
            joint.name, joint.stiffness_newton_m_per_rad
        )));
    }
    Ok(p as u16)
}

/// What is not as policies are usually trained, in words.
pub(super) fn objections(robot: &RobotModel, strengths: &[Strength], found: &[ServoIdentity]) -> Vec<String> {
    let Some(servos) = &robot.servos else {
        return vec![format!(
            "nobody can say how strong and how stiff the servos are: the description of {} has no torque constant",
            robot.name
        )];
    };
    let constant = f64::from(servos.torque_constant_newton_m_per_a);
    let torque = |joint: &JointModel, strength: &Strength| {
        let newton_m = f32::from(strength.current_ma) * CURRENT_UNIT_A * constant as f32;
        newton_m / joint.effort_limit_newton_m
    };
    let stiffness = |joint: &JointModel, strength: &Strength| {
        (f64::from(strength.gains.p) * stiffness_of_one(constant)) as f32 / joint.stiffness_newton_m_per_rad
    };
    let mut said = Vec::new();
    said.extend(outside("torque", robot, strengths, torque, USUAL_TORQUE_SHARE));
    said.extend(outside("stiffness", robot, strengths, stiffness, USUAL_STIFFNESS_SHARE));
    if let Some(other) = found.iter().find(|servo| servo.model != servos.model) {
        said.push(format!(
            "servo {} is an {}, and the torque constant of the description is that of {}: torques and stiffness are others \
             than they are said to be",
            other.id, other.model, servos.model
        ));
    }
    said
}

/// Which joints lie outside the shares that policies are usually trained with; `None` if none does.
fn outside(
    what: &str,
    robot: &RobotModel,
    strengths: &[Strength],
    share_of: impl Fn(&JointModel, &Strength) -> f32,
    usual: Limits,
) -> Option<String> {
    let shares = robot.joints.iter().zip(strengths).map(|(joint, strength)| (joint, share_of(joint, strength)));
    let fits = |share: f32| share >= usual.lower - ROUNDING && share <= usual.upper + ROUNDING;
    let odd: Vec<(&JointModel, f32)> = shares.filter(|(_, share)| !fits(*share)).collect();
    let (joint, share) = odd.first()?;
    Some(format!(
        "joint `{}`{} {:.0} % of the {what} that it is described with; policies are usually trained with {:.0} to {:.0} %",
        joint.name,
        if odd.len() > 1 { format!(" and {} more have", odd.len() - 1) } else { " has".to_owned() },
        100.0 * share,
        100.0 * usual.lower,
        100.0 * usual.upper
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
mod tests {
    use super::*;
    use giraffe_robots::{ServoKind, load_robot};

    fn leap() -> RobotModel {
        load_robot("leap-right").unwrap()
    }

    fn settings(current_ma: Option<u16>, gain_p: Option<u16>) -> DynamixelSettings {
        DynamixelSettings { current_ma, gain_p, ..DynamixelSettings::new("nowhere") }
    }

    fn said(robot: &RobotModel, current_ma: Option<u16>, gain_p: Option<u16>) -> Vec<String> {
        objections(robot, &strengths(robot, &settings(current_ma, gain_p)).unwrap(), &[])
    }

    #[test]
    fn currents_and_gains_of_a_leap_are_those_of_its_torques_and_stiffness_by_hand() {
        let leap = leap();
        for strength in strengths(&leap, &settings(None, None)).unwrap() {
            // 0.2196 N m / 0.366 N m/A; 3 N m/rad x 128 / (651.9 ticks/rad x 0.366 mN m per mA).
            assert_eq!(strength.current_ma, 600);
            assert_eq!((strength.gains.p, strength.gains.i, strength.gains.d), (1609, 0, 536));
        }
        assert_eq!(said(&leap, None, None), Vec::<String>::new());
    }

    #[test]
    fn servos_weaker_or_softer_than_policies_are_trained_with_are_named_with_numbers() {
        let leap = leap();
        // 350 of 600 mA; P 600 of 1609.
        let weak = said(&leap, Some(350), None);
        assert!(weak.len() == 1 && weak[0].contains("58 % of the torque") && weak[0].contains("80 to 120"), "{weak:?}");
        let soft = said(&leap, None, Some(600));
        assert!(soft.len() == 1 && soft[0].contains("37 % of the stiffness"), "{soft:?}");
        assert!(soft[0].contains("`index_mcp_side` and 15 more"), "{soft:?}");
        assert_eq!(said(&leap, Some(480), Some(1000)), Vec::<String>::new(), "80 % and 62 % will do");
    }

    #[test]
    fn a_servo_gets_no_more_than_it_bears_and_that_is_said() {
        let mut strong = leap();
        strong.joints[3].effort_limit_newton_m = 0.6;
        let found = strengths(&strong, &settings(None, None)).unwrap();
        assert_eq!((found[2].current_ma, found[3].current_ma), (600, 700));
        let told = said(&strong, None, None);
        assert!(told.len() == 1 && told[0].contains("`index_dip` has 43 %"), "{told:?}");
        for (current_ma, gain_p) in [(Some(0), None), (Some(701), None), (None, Some(0)), (None, Some(20_000))] {
            assert!(strengths(&leap(), &settings(current_ma, gain_p)).is_err(), "{current_ma:?} {gain_p:?}");
        }
        strong.joints[3].stiffness_newton_m_per_rad = 100.0;
        let error = strengths(&strong, &settings(None, None)).unwrap_err().to_string();
        assert!(error.contains("`index_dip`") && error.contains("16383"), "{error}");
        strong.joints[3].effort_limit_newton_m = f32::NAN;
        assert!(strengths(&strong, &settings(None, Some(600))).is_err(), "no number is no current");
    }

    #[test]
    fn without_a_torque_constant_nothing_is_made_up() {
        let unknown = RobotModel { servos: None, ..leap() };
        let error = strengths(&unknown, &settings(None, None)).unwrap_err().to_string();
        assert!(error.contains("[servos]") && error.contains("--current-ma"), "{error}");
        let error = strengths(&unknown, &settings(Some(350), None)).unwrap_err().to_string();
        assert!(error.contains("--gain-p"), "{error}");
        assert!(said(&unknown, Some(350), Some(600))[0].contains("no torque constant"));
    }

    #[test]
    fn servos_of_another_model_than_the_constants_are_told() {
        let leap = leap();
        let strengths = strengths(&leap, &settings(None, None)).unwrap();
        let light = ServoIdentity { id: 7, model: "XL330-M288".to_owned(), firmware: 52 };
        let told = objections(&leap, &strengths, std::slice::from_ref(&light));
        assert!(told.len() == 1 && told[0].contains("servo 7") && told[0].contains("XL330-M288"), "{told:?}");
        let kind = ServoKind { model: light.model.clone(), torque_constant_newton_m_per_a: 0.366 };
        let own = RobotModel { servos: Some(kind), ..leap };
        assert_eq!(objections(&own, &strengths, &[light]), Vec::<String>::new());
    }
}
