//! Reads which joints follow others: `<equality>` of `hand.xml`.

use super::error::{DescriptionError, Place};
use super::grammar::{HandDocument, JointEquality};
use crate::model::JointCoupling;
use crate::names::did_you_mean;

/// How far, rad, the resting pose may stand from where a coupling puts it.
const HOME_TOLERANCE_RAD: f32 = 1e-3;

/// A joint that follows another, by name.
pub(super) struct CouplingByName {
    place: Place,
    pub(super) follower: String,
    pub(super) leader: String,
    ratio: f32,
    offset_rad: f32,
}

/// Reads every coupling of the file and checks it against the names of its joints.
pub(super) fn read_couplings(
    document: &HandDocument,
    joints: &[&str],
) -> Result<Vec<CouplingByName>, DescriptionError> {
    let mut couplings: Vec<CouplingByName> = Vec::new();
    for equality in document.joint_equalities() {
        let coupling = coupling(equality, joints)?;
        if couplings.iter().any(|other| other.follower == coupling.follower) {
            let problem = format!("joint `{}` follows two joints; it can follow one", coupling.follower);
            return Err(coupling.place.error(problem));
        }
        couplings.push(coupling);
    }
    for coupling in &couplings {
        if let Some(above) = couplings.iter().find(|other| other.follower == coupling.leader) {
            let (follower, leader, top) = (&coupling.follower, &coupling.leader, &above.leader);
            let problem = format!("`{follower}` follows `{leader}`, which follows `{top}`; let both follow `{top}`");
            return Err(coupling.place.clone().error(problem));
        }
    }
    Ok(couplings)
}

fn coupling(equality: JointEquality, joints: &[&str]) -> Result<CouplingByName, DescriptionError> {
    let JointEquality { place, joint1, joint2, polycoef } = equality;
    let (Some(follower), Some(leader)) = (joint1, joint2) else {
        return Err(place.error("name the follower as `joint1` and the joint it follows as `joint2`"));
    };
    for name in [follower, leader] {
        if !joints.contains(&name) {
            let meant = did_you_mean(name, joints.iter().copied());
            return Err(place.error(format!("there is no joint `{name}`{meant}")));
        }
    }
    if follower == leader {
        return Err(place.error(format!("joint `{follower}` cannot follow itself")));
    }
    if polycoef[2..].iter().any(|coefficient| *coefficient != 0.0) {
        return Err(place.error("`polycoef` must be linear: `offset ratio 0 0 0`"));
    }
    let (offset_rad, ratio) = (polycoef[0] as f32, polycoef[1] as f32);
    if ratio == 0.0 {
        return Err(place.error(format!("ratio 0: `{follower}` would not follow; list it in `locked_joints` instead")));
    }
    Ok(CouplingByName { place, follower: follower.to_owned(), leader: leader.to_owned(), ratio, offset_rad })
}

impl CouplingByName {
    /// The coupling with indices instead of names.
    pub(super) fn indexed(&self, index_of: impl Fn(&str) -> Option<usize>) -> Option<JointCoupling> {
        Some(JointCoupling {
            leader: index_of(&self.leader)?,
            follower: index_of(&self.follower)?,
            ratio: self.ratio,
            offset_rad: self.offset_rad,
        })
    }

    /// Checks that the resting pose keeps to the coupling.
    pub(super) fn check_home(&self, leader_rad: f32, follower_rad: f32) -> Result<(), DescriptionError> {
        let wanted_rad = self.offset_rad + self.ratio * leader_rad;
        if (wanted_rad - follower_rad).abs() <= HOME_TOLERANCE_RAD {
            return Ok(());
        }
        let (follower, leader) = (&self.follower, &self.leader);
        Err(self.place.clone().error(format!(
            "the key `home` puts `{follower}` at {follower_rad} rad; following `{leader}` at {leader_rad} rad it stands \
             at {wanted_rad}"
        )))
    }
}
