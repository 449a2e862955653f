//! The store from outside, on real files. `cfg(test)` tells clippy that these are tests.

#[cfg(test)]
mod account_keys;
#[cfg(test)]
mod aliases;
#[cfg(test)]
mod appends;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod digests;
#[cfg(test)]
mod dkim_keys;
#[cfg(test)]
mod dmarc_seen;
#[cfg(test)]
mod each;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod import;
#[cfg(test)]
mod index;
#[cfg(test)]
mod international;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod model;
#[cfg(test)]
mod names;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod pieces;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod removal;
#[cfg(test)]
mod verify;
