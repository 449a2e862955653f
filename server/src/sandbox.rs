//! What a stranger who has taken the process over may still reach: little. The process gives up
//! what it will never need, for good, before the first stranger's byte is read.
//!
//! [`files`]: Landlock leaves it the folder of its data, to read the folders of its configuration
//! and its certificates and the machine's `resolv.conf` and `hosts`, no new port, and no program to start. [`calls`]: seccomp takes away system
//! calls that a mail server has no use for. Where the kernel has one of them only, that one counts;
//! a line in the log tells.

mod calls;
mod files;

use pillarbox_store::make_folder;

use crate::config::{Config, RuntimeKind};
use crate::dns;

/// Gives up. Call it while there is one thread only: what is given up is the calling thread's, and
/// that of all threads which it begins.
///
/// # Errors
/// One clear line: the kernel has what is needed and refuses it all the same.
pub(crate) fn enter(config: &Config) -> Result<(), String> {
    if !config.sandbox {
        log::info!("no sandbox, as configured");
        return Ok(());
    }
    let trouble = |what: &str, why: String| {
        format!(
            "the sandbox cannot be entered ({what}): {why}; `sandbox = false` starts without it"
        )
    };
    // What is not there cannot be let in.
    make_folder(&config.data).map_err(|error| error.to_string())?;
    let read = [config.folders_read(), dns::files::paths(&config.dns)].concat();
    let files = files::enter(&config.data, &read).map_err(|error| trouble("Landlock", error))?;
    let calls = calls::enter(config.runtime == RuntimeKind::Glommio)
        .map_err(|error| trouble("seccomp", error))?;
    let said = |layer: Layer| match layer {
        Layer::Whole => "on",
        Layer::Part => "partly: an older kernel",
        Layer::Missing => "not in this kernel",
    };
    log::info!(landlock = said(files), seccomp = said(calls); "sandboxed");
    Ok(())
}

/// How much of one layer the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Whole,
    Part,
    Missing,
}

#[cfg(test)]
mod tests;
