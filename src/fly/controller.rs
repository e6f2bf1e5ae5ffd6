//! A simulated hand behind ZeroMQ in a process of its own.

use anyhow::{Context, Result, bail};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A controller in a process of its own, ended when dropped.
pub struct Controller {
    child: Child,
    /// Where it listens.
    pub endpoint: String,
}

impl Controller {
    /// Starts `giraffe serve --driver sim` on free ports of this machine and waits until it listens.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub fn start(config: &Path, seed: u64) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4)?);
        let mut command = Command::new(program);
        // It ends with this process, and is not asked by a terminal that asks us: it serves until we are done.
        command.process_group(0);
        end_with_us(&mut command);
        let mut child = command
            .args(["serve", "--driver", "sim", "--bind", &endpoint, "--seed", &seed.to_string(), "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the controller's process")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).context("waiting for the controller")?;
        }
        if !line.starts_with("listening") {
            let status = child.wait().context("waiting for the controller")?;
            bail!("the controller on {endpoint} ended before it listened ({status})");
        }
        Ok(Self { child, endpoint })
    }
}

/// Has the system end a process when this one is gone, however that ended. Where it cannot, only a clean end does.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only calls that are allowed there.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            // It may be gone already.
            if libc::getppid() as u32 != parent {
                libc::_exit(0);
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_us(_command: &mut Command) {}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first of `count` consecutive TCP ports that are free now.
///
/// # Errors
/// When none are found.
pub fn free_ports(count: u16) -> Result<u16> {
    for _ in 0..64 {
        let first = TcpListener::bind(("127.0.0.1", 0)).context("asking for a free port")?.local_addr()?.port();
        let Some(last) = first.checked_add(count - 1) else { continue };
        let held: Vec<_> = (first..=last).map_while(|port| TcpListener::bind(("127.0.0.1", port)).ok()).collect();
        if held.len() == usize::from(count) {
            return Ok(first);
        }
    }
    bail!("no {count} consecutive free ports on 127.0.0.1")
}
