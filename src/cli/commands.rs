//! From what was typed to what is done.

#[cfg(feature = "train")]
mod training;

use crate::cli::list::{Style, list};
use crate::cli::{Command, ListArguments, ServeArguments};
use crate::hand::keygen;
use crate::hand::serve::{ServeOptions, open, serve};
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What Ctrl-C ends with, by the shell's habit: 128 + SIGINT.
const EXIT_STOPPED: u8 = 130;

/// Does what was asked for.
///
/// # Errors
/// When it cannot be done: one message that says what to do.
pub fn run(command: Command) -> Result<ExitCode> {
    let stop = stop_flag()?;
    match command {
        #[cfg(feature = "train")]
        Command::Quickstart(arguments) => training::run_quickstart(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::Train(arguments) => training::run_train(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::Evaluate(arguments) => training::run_evaluate(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::Deploy(arguments) => training::run_deploy(&arguments, &stop),
        Command::Serve(arguments) => run_serve(&arguments, &stop),
        Command::CheckController(arguments) => crate::hand::check_controller::run(&arguments, &stop),
        Command::Stop(arguments) => crate::hand::stop::run(&arguments, &stop),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Wiggle(arguments) => crate::hand::wiggle::run(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::Describe(arguments) => training::run_describe(&arguments),
        #[cfg(feature = "train")]
        Command::CompareEngines(arguments) => training::run_compare(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::ComparePolicies(arguments) => training::run_compare_policies(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::Replay(arguments) => training::run_replay(&arguments, &stop),
        #[cfg(feature = "train")]
        Command::Plot(arguments) => training::run_plot(&arguments),
        #[cfg(feature = "train")]
        Command::Bench(arguments) => training::run_bench(&arguments.what, &stop),
        Command::List(arguments) => run_list(&arguments),
    }
}

/// A flag that the first Ctrl-C sets; the second ends the program at once.
fn stop_flag() -> Result<Arc<AtomicBool>> {
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

fn run_serve(arguments: &ServeArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let options = ServeOptions { endpoint: arguments.bind.clone(), security: arguments.security.clone() };
    serve(open(arguments)?, &options, stop)?;
    Ok(ExitCode::SUCCESS)
}

fn run_list(arguments: &ListArguments) -> Result<ExitCode> {
    let style = match (arguments.json, arguments.markdown) {
        (true, _) => Style::Json,
        (_, true) => Style::Markdown,
        _ => Style::Text,
    };
    print!("{}", list(arguments.kind, style));
    Ok(ExitCode::SUCCESS)
}
