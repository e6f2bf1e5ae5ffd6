//! Policies that come with the program, each with the recipe that makes it and a card that says how it does.
//!
//! All of it is part of the program: a name works in any folder, with the repository or without.

use super::card::Card;
use super::config::RunConfig;
use super::hand;
use super::recipe::Recipe;
use anyhow::{Context, Result};
use giraffe_policy::Policy;
use giraffe_robots::{RobotModel, did_you_mean};
use std::path::{Path, PathBuf};

/// One shipped policy: what stands in its folder below `recipes/`.
#[derive(Debug)]
pub struct Shipped {
    /// `HAND/NAME`.
    pub name: &'static str,
    policy: &'static [u8],
    config: &'static str,
    hand: &'static [u8],
    recipe: &'static str,
    card: &'static str,
}

macro_rules! shipped {
    ($name:literal) => {
        Shipped {
            name: $name,
            policy: include_bytes!(concat!("../../recipes/", $name, "/policy.bin")),
            config: include_str!(concat!("../../recipes/", $name, "/config.toml")),
            hand: include_bytes!(concat!("../../recipes/", $name, "/hand.json")),
            recipe: include_str!(concat!("../../recipes/", $name, "/recipe.toml")),
            card: include_str!(concat!("../../recipes/", $name, "/card.toml")),
        }
    };
}

/// Every shipped policy.
pub static POLICIES: &[Shipped] =
    &[shipped!("leap-right/rotate-z"), shipped!("leap-right/rotate-z-fast"), shipped!("leap-right/turn-goals-y")];

impl Shipped {
    /// The one called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|shipped| shipped.name == name)
    }

    /// The policy.
    ///
    /// # Errors
    /// When its file is none: a mistake of who shipped it.
    pub fn policy(&self) -> Result<Policy> {
        Policy::read(self.policy, Path::new(self.name)).with_context(|| self.what("policy"))
    }

    /// Size of its file.
    pub fn policy_byte_count(&self) -> usize {
        self.policy.len()
    }

    /// The configuration of its run, as it stands in `config.toml`.
    pub fn config_text(&self) -> &'static str {
        self.config
    }

    /// The configuration of its run, with `settings` over it. The hand is its own, unless a setting names another.
    ///
    /// # Errors
    /// When a setting cannot be.
    pub fn config(&self, settings: &[String]) -> Result<RunConfig> {
        RunConfig::of_run(self.config, self.name, settings, || self.hand().map(Some))
    }

    /// The hand it was trained on.
    ///
    /// # Errors
    /// When its file is none: a mistake of who shipped it.
    pub fn hand(&self) -> Result<RobotModel> {
        hand::from_bytes(self.hand).with_context(|| self.what("hand"))
    }

    /// What makes it.
    ///
    /// # Errors
    /// When its file is none: a mistake of who shipped it.
    pub fn recipe(&self) -> Result<Recipe> {
        Recipe::parse(self.name, self.recipe)
    }

    /// What is known about it.
    ///
    /// # Errors
    /// When its file is none: a mistake of who shipped it.
    pub fn card(&self) -> Result<Card> {
        Card::parse(self.card).with_context(|| self.what("card"))
    }

    fn what(&self, part: &str) -> String {
        format!("the {part} of the shipped policy {}", self.name)
    }
}

/// Where a policy is that somebody named.
#[derive(Debug, Clone)]
pub enum PolicySource {
    /// The folder of a run, or a policy file.
    Path(PathBuf),
    /// In this program.
    Shipped(&'static Shipped),
}

impl PolicySource {
    /// What `said` means: a path, if there is such a file or folder, else the name of a shipped policy.
    ///
    /// # Errors
    /// When it is neither: says which name is nearest, and what there is.
    pub fn find(said: &Path) -> Result<Self> {
        if said.exists() {
            return Ok(Self::Path(said.to_owned()));
        }
        let name = said.to_str().unwrap_or_default();
        let unknown = || {
            format!(
                "there is no policy {}: no folder of a run and no policy file of that path, and none of that name comes with \
                 giraffe{} (there {})",
                said.display(),
                did_you_mean(name, names()),
                all_names()
            )
        };
        Shipped::named(name).map(Self::Shipped).with_context(unknown)
    }
}

/// The recipe that `said` means: a file, if there is one, else that of a shipped policy.
///
/// # Errors
/// When it is neither, says which name is nearest and what there is; when it cannot be understood, what.
pub fn find_recipe(said: &Path) -> Result<Recipe> {
    if said.exists() {
        let text = std::fs::read_to_string(said).with_context(|| format!("reading the recipe {}", said.display()))?;
        return Recipe::parse(&said.display().to_string(), &text);
    }
    let name = said.to_str().unwrap_or_default();
    let unknown = || {
        format!(
            "there is no recipe {}: no file of that path, and none of that name comes with giraffe{} (there {}; --recipe \
             PATH.toml takes one of your own)",
            said.display(),
            did_you_mean(name, names()),
            all_names()
        )
    };
    Shipped::named(name).with_context(unknown)?.recipe()
}

/// What there is, for messages: `is: one`, or `are: one, two`.
fn all_names() -> String {
    let verb = if POLICIES.len() == 1 { "is" } else { "are" };
    format!("{verb}: {}", names().collect::<Vec<_>>().join(", "))
}

/// The names of all shipped policies.
pub fn names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|shipped| shipped.name)
}
