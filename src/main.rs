//! The program: arguments in, exit code out. 0 done; 1 something that was compared differs, or a stop that nobody confirmed;
//! 2 a mistake that one message explains; 101 a fault of the program itself; 130 stopped by a signal.

use clap::Error;
use giraffe::allocator::InWords;
use giraffe::cli::{self, Cli};
#[cfg(feature = "train")]
use giraffe::learn::processes::{end_all, leave};
use giraffe::say::{self, Notes};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Physics allocates some seventy small pieces of memory per control step and world: 6 % faster with this allocator.
#[cfg(feature = "train")]
#[global_allocator]
static ALLOCATOR: InWords<mimalloc::MiMalloc> = InWords(mimalloc::MiMalloc);

#[cfg(not(feature = "train"))]
#[global_allocator]
static ALLOCATOR: InWords<std::alloc::System> = InWords(std::alloc::System);

/// `mi_option_purge_delay` of the allocator's C header, which its Rust crate leaves out.
#[cfg(feature = "train")]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Memory once used is kept instead of being given back after 10 ms and zeroed anew by the system: the same large
/// buffers come and go with every gradient step.
#[cfg(feature = "train")]
fn keep_memory() {
    // SAFETY: sets a number in a table of the allocator's, before other threads exist.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}

/// What a mistake of ours ends with, by Rust's habit.
const EXIT_PANIC: u8 = 101;
/// What a mistake of the user or the world ends with.
const EXIT_MISTAKE: u8 = 2;

/// Nobody else learns with this program.
#[cfg(not(feature = "train"))]
fn end_all(_code: u8) {}

/// Nobody else learns with this program.
#[cfg(not(feature = "train"))]
fn leave() {}

/// A world that breaks in the middle of a physics step ends its episode, is counted and named, and nothing else.
#[cfg(feature = "train")]
fn is_caught() -> bool {
    giraffe_physics::is_stepping()
}

/// Nothing is simulated here.
#[cfg(not(feature = "train"))]
fn is_caught() -> bool {
    false
}

fn main() -> ExitCode {
    #[cfg(feature = "train")]
    keep_memory();
    let cli = match Cli::typed() {
        Ok(cli) => cli,
        Err(error) => return answered(&error),
    };
    let level = match cli.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(|| Notes)
        .without_time()
        .with_target(false)
        .with_ansi(say::is_seen_on_a_terminal())
        .log_internal_errors(false)
        .init();
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if is_caught() {
            return;
        }
        told(panic);
        end_all(EXIT_PANIC);
    }));
    match cli::run(&cli.command) {
        Ok(code) => {
            leave();
            code
        }
        Err(error) => {
            say::note(format_args!("error: {error:#}"));
            let code = if cli::is_our_fault(&error) { EXIT_PANIC } else { EXIT_MISTAKE };
            end_all(code);
            ExitCode::from(code)
        }
    }
}

/// What the parser of the command line says: help and the version, or what it did not understand.
fn answered(error: &Error) -> ExitCode {
    let printed = error.print();
    // What is no result need not be read.
    match if error.use_stderr() { Ok(()) } else { say::printed(printed) } {
        Ok(()) => u8::try_from(error.exit_code()).unwrap_or(EXIT_MISTAKE).into(),
        Err(error) => {
            say::note(format_args!("error: {error:#}"));
            EXIT_MISTAKE.into()
        }
    }
}
