//! How much memory a run takes and how much there is: reckoned before any of it is taken.

use anyhow::{Result, bail};
use giraffe_policy::{PpoConfig, Widths};
use std::fmt;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// A world takes at least so many bytes: `giraffe bench physics` measures 150 KB for the LEAP hand.
const BYTES_PER_WORLD: f64 = 100e3;

/// More than this, and a run takes minutes to begin.
const LARGE: f64 = 2.0 * GIB;

const GIB: f64 = (1u64 << 30) as f64;

/// Bytes that a run takes at least, by what they are for and which settings decide it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    worlds: f64,
    networks: f64,
    rollout: f64,
    /// The setting that decides most of it.
    lower: &'static str,
}

/// Takes one of the settings away.
type Without = fn(&mut PpoConfig, &mut usize);

/// Settings that may be too large, and how much less there would be without them.
const CANDIDATES: [(&str, Without); 6] = [
    ("worlds.world_count", |_, world_count| *world_count = 1),
    ("ppo.core_width", |ppo, _| ppo.core_width = 1),
    ("ppo.core_layers", |ppo, _| ppo.core_layers = 1),
    ("ppo.encoder_width", |ppo, _| ppo.encoder_width = 1),
    ("ppo.horizon_steps", |ppo, _| ppo.horizon_steps = 1),
    ("ppo.bin_count", |ppo, _| ppo.bin_count = 2),
];

impl Needed {
    /// What a run takes that has `world_count` worlds in this process.
    pub fn by(ppo: &PpoConfig, widths: Widths, world_count: usize) -> Self {
        let lower = CANDIDATES.iter().min_by(|one, other| {
            let without = |change: Without| {
                let (mut ppo, mut world_count) = (ppo.clone(), world_count);
                change(&mut ppo, &mut world_count);
                Self::of(&ppo, widths, world_count, "").bytes()
            };
            without(one.1).total_cmp(&without(other.1))
        });
        Self::of(ppo, widths, world_count, lower.map_or("", |(name, _)| *name))
    }

    fn of(ppo: &PpoConfig, widths: Widths, world_count: usize, lower: &'static str) -> Self {
        let learning = ppo.memory(widths, world_count);
        let worlds = world_count as f64 * (BYTES_PER_WORLD + 4.0 * (3 * widths.critic + widths.actions) as f64);
        Self { worlds, networks: learning.networks, rollout: learning.rollout, lower }
    }

    /// All of it.
    pub fn bytes(&self) -> f64 {
        self.worlds + self.networks + self.rollout
    }

    /// Whether there is that much.
    ///
    /// # Errors
    /// Says how much is needed, for what, how much there is, and what to lower.
    pub fn check(&self, present: Option<Present>) -> Result<()> {
        match present {
            Some(present) if self.bytes() > present.bytes => bail!(
                "this run needs at least {}, and {present}: {} for the worlds, {} for networks and their optimizers, {} for \
                 what is collected and learned from; lower {}",
                gib(self.bytes()),
                gib(self.worlds),
                gib(self.networks),
                gib(self.rollout),
                self.lower
            ),
            _ => Ok(()),
        }
    }

    /// What to say of a run that takes so much that a person will wonder why nothing happens yet.
    pub fn warning(&self) -> Option<String> {
        let networks = gib(self.networks);
        (self.bytes() > LARGE).then(|| {
            format!(
                "this run takes {} of memory or more, {networks} of it for networks: it takes its time to begin, and so does each \
                 iteration",
                gib(self.bytes())
            )
        })
    }
}

fn gib(bytes: f64) -> String {
    if bytes < 0.1 * GIB { format!("{:.1} MiB", bytes / GIB * 1024.0) } else { format!("{:.1} GiB", bytes / GIB) }
}

/// Memory that this process may still take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Present {
    /// How much.
    pub bytes: f64,
    /// What sets the limit.
    pub limit: &'static str,
}

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {} ({})", gib(self.bytes), self.limit)
    }
}

impl Present {
    /// The least of what this machine, the container and the shell (`ulimit -v`) allow. Nothing where none of them says.
    pub fn here() -> Option<Self> {
        let mut system = System::new();
        system.refresh_memory();
        let own = Pid::from_u32(std::process::id());
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), true, ProcessRefreshKind::nothing());
        let of_process = system.process(own).and_then(sysinfo::Process::cgroup_limits);
        // What a container has cached it gives back: only what is really held counts.
        let container = [of_process, system.cgroup_limits()].into_iter().flatten();
        let container = container.map(|limits| limits.total_memory.saturating_sub(limits.rss));
        let of_machine = Some(system.available_memory()).filter(|bytes| *bytes > 0);
        let machine = "what is free on this machine";
        let all = of_machine.map(|bytes| (bytes, machine)).into_iter();
        let all = all.chain(container.map(|bytes| (bytes, "the limit of its container")));
        let all = all.chain(address_space().map(|bytes| (bytes, "the shell's limit, ulimit -v")));
        all.min_by_key(|(bytes, _)| *bytes).map(|(bytes, limit)| Self { bytes: bytes as f64, limit })
    }
}

/// What the shell's limit leaves, if there is one.
fn address_space() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: only fills the struct in.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::RunConfig;

    const WIDTHS: Widths = Widths { actor: 40, critic: 90, actions: 16 };
    const SMALL: Option<Present> = Some(Present { bytes: 2.0 * GIB, limit: "ulimit -v" });

    fn refused(settings: &[&str], setting: &str) -> String {
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let config = RunConfig::read(None, &settings).expect("a configuration");
        let needed = Needed::by(&config.ppo, WIDTHS, config.worlds.world_count);
        let error = needed.check(SMALL).expect_err(setting).to_string();
        assert!(error.contains("there are 2.0 GiB (ulimit -v)") && error.contains(setting), "{error}");
        needed.check(None).expect("nobody knows how much there is");
        error
    }

    #[test]
    fn what_is_too_large_is_refused_with_both_numbers_and_what_to_lower() {
        let wide = refused(&["ppo.core_width=100000"], "lower ppo.core_width");
        assert!(wide.contains("needs at least 210") && wide.contains(" GiB"), "{wide}");
        refused(&["worlds.world_count=1000000", "ppo.horizon_steps=1"], "lower worlds.world_count");
        refused(&["ppo.horizon_steps=100000000"], "ppo.horizon_steps");
        refused(&["ppo.core_layers=1000000"], "ppo.core_layers");
        refused(&["ppo.encoder_width=1000000000"], "ppo.encoder_width");
        refused(&["worlds.world_count=9000000000000000000"], "worlds.world_count");
        refused(&["ppo.head=categorical", "ppo.bin_count=1000000000"], "lower ppo.bin_count");
    }

    #[test]
    fn an_ordinary_run_fits_and_the_machine_says_how_much_there_is() {
        let config = RunConfig::default();
        let needed = Needed::by(&config.ppo, WIDTHS, config.worlds.world_count);
        needed.check(SMALL).expect("it fits");
        assert_eq!(needed.warning(), None);
        let present = Present::here().expect("this system says");
        assert!(present.bytes > 1e7, "{present:?}");
    }
}
