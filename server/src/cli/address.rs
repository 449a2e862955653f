//! `pillarbox address`.

use clap::Subcommand;

use super::place::{self, Place};
use super::{Trouble, table};
use crate::address::Address;
use crate::control::wire::{Additions, Request};

#[derive(Debug, Subcommand)]
pub(super) enum AddressCommand {
    /// Give an account one more address.
    #[command(after_help = "Example:\n  pillarbox address add info@example.org alice")]
    Add {
        /// The new address, in a domain of the server's.
        address: String,
        /// The account's name or one of its addresses.
        account: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take an address away. The account and its mail stay.
    #[command(after_help = "Example:\n  pillarbox address remove info@example.org")]
    Remove {
        /// The address.
        address: String,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(command: AddressCommand) -> Result<(), Trouble> {
    match command {
        AddressCommand::Add { address, account, place } => {
            let address: Address = address.parse().map_err(Trouble::Usage)?;
            let mut hand = place.reach()?;
            let name = place::account(&mut hand, &account)?.name;
            let addresses = vec![(address.to_string(), name.clone())];
            let additions = Additions { addresses, ..Additions::default() };
            place::ask(&mut hand, Request::Add(additions))?;
            Ok(table::print(&format!("account `{name}` has the address {address}\n"))?)
        }
        AddressCommand::Remove { address, place } => {
            let address: Address = address.parse().map_err(Trouble::Usage)?;
            let request = Request::RemoveAddress { address: address.to_string() };
            place::ask(&mut place.reach()?, request)?;
            Ok(table::print(&format!("address {address} removed\n"))?)
        }
    }
}
