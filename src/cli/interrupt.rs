//! Ctrl-C: the first ends what goes on cleanly, the second at once.

use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What Ctrl-C ends with, by the shell's habit: 128 + SIGINT.
pub const EXIT_STOPPED: u8 = 130;

/// A flag that the first Ctrl-C sets; the second ends the program at once.
///
/// # Errors
/// When somebody listens for it already.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_STOPPED));
        }
        eprintln!("\nstopping cleanly; press Ctrl-C again to stop at once");
    })
    .context("listening for Ctrl-C")?;
    Ok(stop)
}
