//! What decides what a hand does next: one trained policy, or a set of skills of which one acts at a time. Everyone who flies,
//! judges, logs or replays treats both alike.

use super::skills::chooser::Chooser;
use super::skills::set::SkillSet;
use anyhow::Result;
use giraffe_policy::Policy;
use giraffe_robots::ActionSchema;

/// What decides what a hand does next.
pub trait Behavior: Send + Sync {
    /// The policies that may act, at least one. They move the same hand in the same rhythm.
    fn policies(&self) -> &[Policy];

    /// Who chooses among them; nobody where there is nothing to choose.
    fn chooser(&self) -> Option<Chooser> {
        None
    }

    /// The task it was made for.
    fn task(&self) -> &str {
        &self.policies()[0].manifest().context.task
    }

    /// The object it was made with.
    fn object(&self) -> &str {
        &self.policies()[0].manifest().context.object
    }

    /// Identity of everything that decides what it does.
    ///
    /// # Errors
    /// When it cannot be written down.
    fn fingerprint(&self) -> Result<String>;

    /// Whether it cannot do without what a tracker says of the object.
    fn needs_object(&self) -> bool {
        self.policies().iter().any(|policy| policy.manifest().observation.actor_needs_object())
    }

    /// The commit of the program that made it.
    fn commit(&self) -> &str {
        &self.policies()[0].manifest().context.commit
    }

    /// What actions move: the same joints, in the same order, whoever acts.
    fn action(&self) -> &ActionSchema {
        &self.policies()[0].manifest().context.action
    }

    /// Whether what is read begins with the number of the policy that acts.
    fn tells_who_acts(&self) -> bool {
        self.chooser().is_some()
    }

    /// Names of the columns of what each policy reads, as it is logged.
    fn columns(&self) -> Vec<Vec<String>> {
        let lead = self.tells_who_acts().then(|| "skill".to_owned());
        let of =
            |policy: &Policy| lead.clone().into_iter().chain(policy.manifest().observation.column_names()).collect();
        self.policies().iter().map(of).collect()
    }

    /// Identity of what the actors read.
    fn observation_fingerprint(&self) -> String {
        let each = self.policies().iter().map(|policy| policy.manifest().observation.actor_fingerprint());
        each.collect::<Vec<_>>().join(" ")
    }

    /// Control steps that went into it.
    fn control_steps(&self) -> u64 {
        self.policies().iter().map(|policy| policy.manifest().control_steps).sum()
    }
}

impl Behavior for Policy {
    fn policies(&self) -> &[Policy] {
        std::slice::from_ref(self)
    }

    fn fingerprint(&self) -> Result<String> {
        Ok(Policy::fingerprint(self)?)
    }
}

impl Behavior for SkillSet {
    fn policies(&self) -> &[Policy] {
        SkillSet::policies(self)
    }

    fn chooser(&self) -> Option<Chooser> {
        Some(SkillSet::chooser(self))
    }

    fn task(&self) -> &str {
        &self.file().task
    }

    fn object(&self) -> &str {
        &self.file().object
    }

    fn fingerprint(&self) -> Result<String> {
        Ok(SkillSet::fingerprint(self).to_owned())
    }

    fn needs_object(&self) -> bool {
        self.is_planned() || self.policies().iter().any(Behavior::needs_object)
    }

    fn commit(&self) -> &str {
        &self.file().measured.commit
    }

    fn tells_who_acts(&self) -> bool {
        true
    }
}

/// Either, as it was read from a file.
#[derive(Debug, Clone)]
pub enum AnyPolicy {
    /// One policy.
    One(Box<Policy>),
    /// A set of skills.
    Skills(Box<SkillSet>),
}

impl AnyPolicy {
    fn inner(&self) -> &dyn Behavior {
        match self {
            Self::One(policy) => &**policy,
            Self::Skills(set) => &**set,
        }
    }

    /// The policy, if it is one.
    pub fn one(&self) -> Option<&Policy> {
        match self {
            Self::One(policy) => Some(policy),
            Self::Skills(_) => None,
        }
    }

    /// The set, if it is one.
    pub fn skills(&self) -> Option<&SkillSet> {
        match self {
            Self::One(_) => None,
            Self::Skills(set) => Some(set),
        }
    }
}

impl Behavior for AnyPolicy {
    fn policies(&self) -> &[Policy] {
        self.inner().policies()
    }

    fn chooser(&self) -> Option<Chooser> {
        self.inner().chooser()
    }

    fn task(&self) -> &str {
        self.inner().task()
    }

    fn object(&self) -> &str {
        self.inner().object()
    }

    fn fingerprint(&self) -> Result<String> {
        self.inner().fingerprint()
    }

    fn needs_object(&self) -> bool {
        self.inner().needs_object()
    }

    fn commit(&self) -> &str {
        self.inner().commit()
    }

    fn tells_who_acts(&self) -> bool {
        self.inner().tells_who_acts()
    }
}
