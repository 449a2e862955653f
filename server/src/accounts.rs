//! Domains, accounts and addresses, as commands change them.

use pillarbox_core::sasl::{Hash, ScramKeys};
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{AccountId, Found, Read, Secret, Store, StoreError, Write, Writer, Written};

use crate::secrets;
use crate::serve::FirstAccounts;

/// Makes the first accounts of a store that has none.
///
/// # Errors
/// One clear line.
pub fn create_first(
    store: &Store,
    writer: &mut Writer,
    first: &FirstAccounts,
    now: UnixSeconds,
    random: &mut dyn Random,
) -> Result<(), String> {
    let counts = store.reader().and_then(|mut reader| reader.read(Read::Counts));
    match counts {
        Ok(Found::Counts(counts)) if counts.accounts > 0 => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(error.to_string()),
    }
    create(writer, first, now, random).map_err(|error| format!("cannot make accounts: {error}"))
}

fn create(
    writer: &mut Writer,
    first: &FirstAccounts,
    now: UnixSeconds,
    random: &mut dyn Random,
) -> Result<(), StoreError> {
    let domain = first.domain.clone();
    one(writer, Write::CreateDomain { name: domain.clone() })?;
    let mut everyone_else = None;
    for name in &first.names {
        let Written::Account(account) =
            one(writer, Write::CreateAccount { name: name.clone(), now })?
        else {
            return Err(crate::job::astray("account"));
        };
        let (localpart, domain) = (name.clone(), domain.clone());
        one(writer, Write::CreateAddress { localpart, domain, account })?;
        let secrets = secrets_of(first, random)?;
        one(writer, Write::SetSecrets { account, secrets })?;
        everyone_else.get_or_insert(account);
    }
    let account: Option<AccountId> = everyone_else;
    one(writer, Write::SetCatchAll { domain, account }).map(drop)
}

fn one(writer: &mut Writer, write: Write) -> Result<Written, StoreError> {
    writer.commit(vec![write]).pop().unwrap_or_else(|| Err(crate::job::astray("one")))
}

fn secrets_of(first: &FirstAccounts, random: &mut dyn Random) -> Result<Vec<Secret>, StoreError> {
    let derived = secrets::derive(&first.password, random)
        .map_err(|_| StoreError::Misuse("no memory for argon2"))?;
    let scram = derived.scram.into_iter().map(|keys| {
        let ScramKeys { hash, salt, iterations, stored_key, server_key } = keys;
        let keys = pillarbox_store::ScramKeys { salt, iterations, stored_key, server_key };
        match hash {
            Hash::Sha256 => Secret::ScramSha256(keys),
            Hash::Sha1 => Secret::ScramSha1(keys),
        }
    });
    Ok(std::iter::once(Secret::Argon2id(derived.argon2id)).chain(scram).collect())
}
