//! Aliases in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Known, Plan};
use crate::address::Address;
use crate::config::reader::{FlawList, Reader};
use crate::control::wire::AliasRow;

/// Reads one. `seen` holds the addresses that stood in the file before, with their owners.
pub(super) fn read(
    table: &mut Reader<'_, '_>,
    seen: &mut BTreeMap<Address, String>,
) -> Option<(AliasRow, Range<usize>)> {
    let text = table.required_string("address");
    let place = table.place("address");
    let mut row = AliasRow {
        post_public: table.boolean("post_public").unwrap_or(false),
        list_members: table.boolean("list_members").unwrap_or(false),
        allow_from: table.boolean("allow_from").unwrap_or(false),
        ..AliasRow::default()
    };
    for (text, place) in table.strings("members") {
        match text.parse::<Address>().map(|address| address.to_string()) {
            Ok(member) if row.members.contains(&member) => {
                table.flaw_in(&place, format!("{member} stands here a second time"));
            }
            Ok(member) => row.members.push(member),
            Err(what) => table.flaw_in(&place, what),
        }
    }
    row.members.sort();
    match text?.parse::<Address>() {
        Ok(address) => {
            row.address = address.to_string();
            if seen.insert(address, row.address.clone()).is_some() {
                table.flaw_in(&place, format!("{} stands here a second time", row.address));
            }
            Some((row, place))
        }
        Err(what) => {
            table.flaw_in(&place, what);
            None
        }
    }
}

/// Compares one with what is there.
pub(super) fn plan(
    plan: &mut Plan,
    flaws: &mut FlawList<'_>,
    known: &Known<'_>,
    alias: &AliasRow,
    place: &Range<usize>,
) {
    let address = &alias.address;
    if let Some(row) = known.aliases.get(address.as_str()) {
        let mut present = (*row).clone();
        present.members.sort();
        if present == *alias {
            plan.known += 1;
        } else {
            flaws.push(
                place,
                format!(
                    "there is an alias {address} with other members or settings: change it with \
                     `pillarbox alias`, or take it out of the file"
                ),
            );
        }
        return;
    }
    if let Some(owner) = known.addresses.get(address.as_str()) {
        flaws.push(place, format!("{address} belongs to the account `{owner}` already"));
        return;
    }
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    if !known.will_have_domain(domain) {
        flaws.push(place, format!("{domain} is not a domain of this server"));
        return;
    }
    for member in &alias.members {
        if !known.addresses.contains_key(member.as_str()) && !known.new_addresses.contains(member) {
            flaws.push(place, format!("{member} is no address of an account"));
            return;
        }
    }
    plan.additions.aliases.push(alias.clone());
}
