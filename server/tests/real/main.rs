//! The real program, driven as its users do: started as a process, spoken to by the clients that
//! people have, killed, watched by strace, and given a disk that fails. On each runtime.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod alpn;
mod appends;
mod backup;
mod binary;
mod bindings;
mod checks;
mod clients;
mod commands;
mod contract;
mod cyrus;
mod deltachat;
mod disk;
mod dns;
mod doveadm;
mod durable;
mod exim;
mod external;
mod fetchers;
mod gleaned;
mod gsasl;
mod hidden;
mod hostile;
mod imapclient;
mod lmtp;
mod logins;
mod logs;
mod mailboxes;
mod mbsync;
mod moving;
mod msmtp;
mod neomutt;
mod node;
mod parts;
mod postfix;
mod proxy;
mod queue;
mod ring;
mod sandbox;
mod secure;
mod server;
mod smtplib;
mod swaks;
mod sync;
mod systemd;
mod talk;
mod trace;
mod unit;
mod user;
mod web;

/// Each of these functions becomes a test on each runtime.
macro_rules! on_each_runtime {
    ($($name:ident),* $(,)?) => {
        mod smol {
            $(#[test] fn $name() { super::$name("smol"); })*
        }
        mod glommio {
            $(#[test] fn $name() { super::$name("glommio"); })*
        }
        mod threads {
            $(#[test] fn $name() { super::$name("std"); })*
        }
    };
}
use on_each_runtime;
