//! The sockets of the listeners: handed over by systemd where it has one for the address, bound by
//! ourselves where not.

use std::net::TcpListener;

use pillarbox_runtime_std::listen::{self, Inherited};

use crate::config::Config;

/// The sockets of each listener, in the order of the configuration. Call it before any thread is
/// started, see [`listen::inherited`].
///
/// # Errors
/// One clear line with what to do.
pub(crate) fn open(config: &Config) -> Result<Vec<Vec<TcpListener>>, String> {
    let mut inherited = listen::inherited().map_err(|error| error.to_string())?;
    let shards = config.shards();
    let mut all = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        let found = inherited.iter().position(|socket| socket.addr == listener.address);
        let sockets = match found {
            Some(index) => {
                let socket = inherited.swap_remove(index);
                log::debug!(address:% = socket.addr, name = socket.name.as_str(); "handed over");
                socket.into_shards(shards).map_err(|error| error.to_string())?
            }
            None => listen::bind(listener.address, shards).map_err(|error| error.to_string())?,
        };
        all.push(sockets);
    }
    match inherited.first() {
        None => Ok(all),
        Some(left) => Err(nobodys(left)),
    }
}

/// Clients would connect there, and wait for ever.
fn nobodys(socket: &Inherited) -> String {
    format!(
        "the socket `{}` that was handed over listens on {}, and no [[listener]] has that \
         address: add one, or take the address out of the .socket unit",
        socket.name, socket.addr
    )
}
