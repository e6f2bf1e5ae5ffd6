//! Keys on the command line: of a controller, and of a policy that connects to one.

use crate::say;
use anyhow::{Context, Result};
use clap::Args;
use giraffe_bridge::{ClientSecurity, Keys, Permissions, PublicKey, ServerSecurity};
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::{Handle, Signals};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Keys of a controller. Without them it can be reached from this machine only, and without asking who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ControllerKeys {
    /// The controller's own keys, NAME.key_secret from `giraffe keygen`: every link is then encrypted.
    #[arg(long, value_name = "FILE", requires = "allow")]
    pub keys: Option<PathBuf>,
    /// Who may connect: lines of `name public-key commander|observer`, read again on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "keys")]
    pub allow: Option<PathBuf>,
}

impl ControllerKeys {
    /// What the bridge is to be bound with.
    ///
    /// # Errors
    /// When a file cannot be read, others can read the secret key, or a line of the list is wrong.
    pub fn read(&self) -> Result<(ServerSecurity, Option<Reloading>)> {
        let (Some(keys), Some(allow)) = (&self.keys, &self.allow) else {
            anyhow::ensure!(self.keys.is_none() && self.allow.is_none(), "--keys and --allow belong together");
            return Ok((ServerSecurity::LocalOnly, None));
        };
        let keys = Keys::read(keys)?;
        let permissions = Permissions::read(allow)?;
        let security = ServerSecurity::curve(keys, Arc::clone(&permissions));
        Ok((security, Some(Reloading::start(permissions)?)))
    }
}

/// Keys of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PolicyKeys {
    /// Our own keys, NAME.key_secret from `giraffe keygen`.
    #[arg(long, value_name = "FILE", requires = "server_key")]
    pub keys: Option<PathBuf>,
    /// The controller's public key: its NAME.key, or what is in it. Nobody else can then stand in for it.
    // A key may begin with a hyphen.
    #[arg(long, value_name = "FILE|KEY", requires = "keys", allow_hyphen_values = true)]
    pub server_key: Option<String>,
}

impl PolicyKeys {
    /// What to connect with.
    ///
    /// # Errors
    /// When a file cannot be read, or others can read the secret key.
    pub fn read(&self) -> Result<ClientSecurity> {
        let (Some(keys), Some(server)) = (&self.keys, &self.server_key) else {
            anyhow::ensure!(
                self.keys.is_none() && self.server_key.is_none(),
                "--keys and --server-key belong together"
            );
            return Ok(ClientSecurity::LocalOnly);
        };
        let server = PublicKey::parse_or_read(server).context("--server-key")?;
        Ok(ClientSecurity::curve(Keys::read(keys)?, server))
    }
}

/// Reads the allow-list again whenever SIGHUP comes, until dropped.
pub struct Reloading {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Reloading {
    fn start(permissions: Arc<Permissions>) -> Result<Self> {
        let mut signals = Signals::new([SIGHUP]).context("listening for SIGHUP")?;
        let handle = signals.handle();
        let thread = std::thread::spawn(move || {
            for _ in signals.forever() {
                match permissions.reload() {
                    Ok(count) => say::note(format_args!("the allow-list was read again: {count} may connect")),
                    Err(error) => say::note(format_args!("the allow-list of before stays in force: {error}")),
                }
            }
        });
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
