//! The file is written and read again; what is wrong with one is told with its place.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::control::wire::KeyRow;
use crate::secrets::{from_text, to_text as secret_text};

const ARGON: &str = "$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ\
                     $AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn present(text: &str) -> Present {
    let listed = read(Path::new("f"), text).unwrap();
    let additions = plan(Path::new("f"), text, &listed, &Present::default()).unwrap().additions;
    as_present(&additions)
}

/// What a server has after these additions.
fn as_present(additions: &Additions) -> Present {
    let domains = additions.domains.iter().map(|name| DomainRow {
        name: name.clone(),
        addresses: 0,
        catch_all: additions
            .catch_alls
            .iter()
            .find(|(domain, _)| domain == name)
            .map(|(_, account)| account.clone()),
        cram_md5: additions.cram_md5.contains(name),
    });
    let accounts = additions.accounts.iter().map(|(name, secrets)| AccountRow {
        name: name.clone(),
        addresses: additions
            .addresses
            .iter()
            .filter(|(_, account)| account == name)
            .map(|(address, _)| address.clone())
            .collect(),
        mailboxes: 0,
        messages: 0,
        bytes: 0,
        keys: additions
            .keys
            .iter()
            .filter(|key| key.account == *name)
            .map(|key| key_row(&key.fingerprint, &key.label))
            .collect(),
        quota: additions
            .quotas
            .iter()
            .find(|(account, _)| account == name)
            .map_or(Quota::Default, |(_, quota)| *quota),
        disabled: additions.disabled.contains(name),
        hidden: additions
            .hidden
            .iter()
            .filter(|(account, _)| account == name)
            .map(|(_, hidden)| hidden.clone())
            .collect(),
        secrets: secrets.clone(),
    });
    Present {
        domains: domains.collect(),
        accounts: accounts.collect(),
        aliases: additions.aliases.clone(),
    }
}

fn key_row(fingerprint: &str, label: &str) -> KeyRow {
    KeyRow { fingerprint: fingerprint.into(), label: label.into(), since: 0 }
}

/// A key that no other account has.
fn own_key(name: &str, at: u64) -> KeyRow {
    let mut hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    hex.extend(std::iter::repeat_n('0', 62 - hex.len()));
    key_row(&format!("{hex}{at:02}"), ["", "a label"][usize::from(at == 1)])
}

/// The flaws of a file, compared with what is there.
fn flaws(text: &str, present: &Present) -> Vec<String> {
    let file = Path::new("f");
    let found = read(file, text).and_then(|listed| plan(file, text, &listed, present));
    match found {
        Ok(plan) => panic!("{plan:?}"),
        Err(flaws) => flaws.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn a_file_reads_as_somebody_would_write_it() {
    let text = format!(
        "[[domain]]\nname = \"Example.org\"\ncatch_all = \"alice\"\n\
         [[account]]\nname = \"alice\"\naddresses = [\"alice@example.org\", \"i@example.org\"]\n\
         secrets = [\"{ARGON}\"]\n[[account]]\nname = \"bob\"\n"
    );
    let present = present(&text);
    assert_eq!(present.domains[0].name, "example.org");
    assert_eq!(present.domains[0].catch_all.as_deref(), Some("alice"));
    assert_eq!(present.accounts[0].addresses, ["alice@example.org", "i@example.org"]);
    assert_eq!(present.accounts[0].secrets, [SecretText(ARGON.into())]);
    assert_eq!(present.accounts[1].addresses, [""; 0]);
}

#[test]
fn what_is_wrong_in_itself_is_told_with_its_place() {
    for (text, flaw) in [
        ("format = 2", "f:1:10: the file was written by a later version"),
        ("[[domain]]\n", "f:1:1: `name` is missing"),
        ("[[domain]]\nname = \"a b\"", "f:2:8: `a b` is no domain"),
        ("[[account]]\nname = \"a@b\"", "f:2:8: `a@b` is an address"),
        ("[[account]]\nnames = \"a\"", "f:1:1: `name` is missing"),
        ("[[account]]\nname = \"a\"\naddresses = \"a@b.org\"", "f:3:13: `addresses` is a list"),
        ("[[account]]\nname = \"a\"\naddresses = [\n  1]", "f:4:3: this is to be a text"),
        ("[[account]]\nname = \"a\"\naddresses = [\"b\"]", "f:3:14: `b` is no address"),
        ("[[account]]\nname = \"a\"\nsecrets = [\"secret\"]", "f:3:12: this is no secret"),
        ("[[account]]\nname = \"a\"\n[[account]]\nname = \"A\"", "f:4:8: the account `a` stands"),
        ("[[domain]]\nname = \"a\"\n[[domain]]\nname = \"A\"", "f:4:8: a stands here a second"),
        ("[[account]]\nname = \"a\"\naddresses = [\"a@b\", \"A@B\"]", "f:3:21: a@b is an address"),
        ("[[account]]\nname = \"a\"\nquota = \"much\"", "f:3:9: `much` is no quota"),
        ("[[account]]\nname = \"a\"\nquota = -1", "f:3:9: -1 is not between"),
        ("[[alias]]\n", "f:1:1: `address` is missing"),
        ("[[alias]]\naddress = \"a\"", "f:2:11: `a` is no address"),
        (
            "[[account]]\nname = \"a\"\naddresses = [\"a@b\"]\n[[alias]]\naddress = \"A@b\"",
            "f:5:11: a@b stands here a second time",
        ),
        (
            "[[alias]]\naddress = \"a@b\"\nmembers = [\"b@b\", \"B@b\"]",
            "f:3:19: b@b stands here a second time",
        ),
        ("[[account]\n", "f:1:"),
    ] {
        let said = flaws(text, &Present::default());
        assert!(said[0].starts_with(flaw), "{text}\n{said:?}");
    }
    let twice = format!("[[account]]\nname = \"a\"\nsecrets = [\"{ARGON}\", \"{ARGON}\"]");
    assert!(flaws(&twice, &Present::default())[0].contains("one secret of each kind"));
}

#[test]
fn what_contradicts_the_store_is_told_with_its_place() {
    let there = present(&format!(
        "[[domain]]\nname = \"a.org\"\ncatch_all = \"ann\"\n[[account]]\nname = \"ann\"\n\
         addresses = [\"ann@a.org\"]\nquota = 7\nsecrets = [\"{ARGON}\"]\n\
         [[alias]]\naddress = \"all@a.org\"\nmembers = [\"ann@a.org\"]\n"
    ));
    for (text, flaw) in [
        (
            "[[account]]\nname = \"ann\"\nsecrets = [\"$argon2id$v=19$m=8,t=1,p=1$AQEBAQEBAQE$\
             AQEBAQEBAQEBAQEBAQEBAQ\"]",
            "f:2:8: there is an account `ann` with other secrets",
        ),
        (
            "[[account]]\nname = \"bob\"\naddresses = [\"ann@a.org\"]",
            "f:3:14: ann@a.org belongs to the account `ann`",
        ),
        (
            "[[account]]\nname = \"bob\"\naddresses = [\"bob@b.org\"]",
            "f:3:14: b.org is not a domain of this server: add it with `pillarbox domain add",
        ),
        (
            "[[domain]]\nname = \"a.org\"\ncatch_all = \"bob\"\n[[account]]\nname = \"bob\"",
            "f:3:13: what is nobody's in a.org goes to `ann`",
        ),
        ("[[domain]]\nname = \"b.org\"\ncatch_all = \"bob\"", "f:3:13: there is no account `bob`"),
        ("[[account]]\nname = \"ann\"\nquota = 8", "f:2:8: the account `ann` has another quota"),
        (
            "[[account]]\nname = \"bob\"\naddresses = [\"all@a.org\"]",
            "f:3:14: all@a.org is an alias",
        ),
        ("[[alias]]\naddress = \"all@a.org\"", "f:2:11: there is an alias all@a.org with other"),
        ("[[alias]]\naddress = \"ann@a.org\"", "f:2:11: ann@a.org belongs to the account `ann`"),
        ("[[alias]]\naddress = \"all@b.org\"", "f:2:11: b.org is not a domain"),
        (
            "[[alias]]\naddress = \"x@a.org\"\nmembers = [\"all@a.org\"]",
            "f:2:11: all@a.org is no address of an account",
        ),
    ] {
        let said = flaws(text, &there);
        assert!(said[0].starts_with(flaw), "{text}\n{said:?}");
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn what_is_there_is_completed() {
    let there = present(&format!(
        "[[domain]]\nname = \"a.org\"\n[[account]]\nname = \"ann\"\n\
         addresses = [\"ann@a.org\"]\nsecrets = [\"{ARGON}\"]\n"
    ));
    let text = format!(
        "[[domain]]\nname = \"a.org\"\ncatch_all = \"ann\"\n[[account]]\nname = \"ann\"\n\
         addresses = [\"ann@a.org\", \"info@a.org\"]\nsecrets = [\"{ARGON}\"]\n"
    );
    let listed = read(Path::new("f"), &text).unwrap();
    let plan = plan(Path::new("f"), &text, &listed, &there).unwrap();
    assert_eq!(plan.known, 2);
    // Written by hand, and the password set since.
    let by_hand = "[[account]]\nname = \"ann\"";
    let listed = read(Path::new("f"), by_hand).unwrap();
    let again = super::plan(Path::new("f"), by_hand, &listed, &there).unwrap();
    assert_eq!(again, Plan { additions: Additions::default(), known: 1 });
    let expected = Additions {
        addresses: vec![("info@a.org".into(), "ann".into())],
        catch_alls: vec![("a.org".into(), "ann".into())],
        ..Additions::default()
    };
    assert_eq!(plan.additions, expected);
}

fn scram(bytes: Vec<u8>, iterations: u32) -> SecretText {
    let keys = pillarbox_store::ScramKeys {
        salt: bytes,
        iterations,
        stored_key: vec![7; 32],
        server_key: vec![8; 32],
    };
    SecretText(secret_text(&pillarbox_store::Secret::ScramSha256(keys)))
}

fn any_present() -> impl Strategy<Value = Present> {
    let domains = btree_set("[a-z]{1,8}(\\.[a-z]{2,3})?", 1..4);
    let localparts = btree_set("[ -~äß]{1,10}", 0..6);
    let keys = prop::option::of((vec(any::<u8>(), 1..20), 1..99_999_u32));
    let secrets = (any::<bool>(), keys, 0..1_u64 << 62);
    let accounts = btree_map("[a-zäß'.+_-]{1,12}", secrets, 1..5);
    (domains, localparts, accounts, any::<bool>()).prop_map(
        |(domains, localparts, accounts, all)| {
            let domains: Vec<_> = domains.into_iter().collect();
            let names: Vec<_> = accounts.keys().cloned().collect();
            let mut rows: Vec<_> = accounts
                .into_iter()
                .map(|(name, (argon, keys, quota))| AccountRow {
                    keys: (0..quota % 3).map(|at| own_key(&name, at)).collect(),
                    name,
                    addresses: Vec::new(),
                    mailboxes: 0,
                    messages: 0,
                    bytes: 0,
                    quota: match quota % 3 {
                        0 => Quota::Default,
                        1 => Quota::None,
                        _ => Quota::Bytes(quota),
                    },
                    disabled: quota % 2 == 0,
                    hidden: ["IDLE", "MOVE"][..usize::from(quota % 5 == 0)]
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    secrets: argon
                        .then(|| SecretText(ARGON.into()))
                        .into_iter()
                        .chain(keys.map(|(salt, iterations)| scram(salt, iterations)))
                        .collect(),
                })
                .collect();
            let mut taken = BTreeSet::new();
            for (number, localpart) in localparts.into_iter().enumerate() {
                let domain = domains[number % domains.len()].clone();
                let address = Address { localpart: localpart.to_ascii_lowercase(), domain };
                let count = rows.len();
                if taken.insert(address.to_string()) {
                    rows[number % count].addresses.push(address.to_string());
                }
            }
            let names_of = domains.clone();
            let domains = domains.into_iter().map(|name| DomainRow {
                name,
                addresses: 0,
                catch_all: all.then(|| names[0].clone()),
                cram_md5: all,
            });
            let mut members: Vec<_> =
                rows.iter().flat_map(|row| row.addresses.iter().take(2)).cloned().collect();
            members.sort();
            let alias = AliasRow {
                address: format!("a-list-of-these@{}", names_of[0]),
                post_public: all,
                list_members: members.len() % 2 == 0,
                allow_from: !all,
                members,
            };
            let aliases = if all { vec![alias] } else { Vec::new() };
            Present { domains: domains.collect(), accounts: rows, aliases }
        },
    )
}

#[test]
fn a_key_is_of_one_account() {
    let key = own_key("ann", 0).fingerprint;
    let file = |first: &str, second: &str| {
        format!(
            "[[account]]\nname = \"ann\"\nkeys = [{first}]\n\
             [[account]]\nname = \"bob\"\nkeys = [{second}]\n"
        )
    };
    let quoted = format!("\"{key}\"");
    let there = present(&file(&quoted, ""));
    assert_eq!(there.accounts[0].keys, [own_key("ann", 0)]);
    for (text, word) in [
        (file(&quoted, &quoted), "second time"),
        (file("", &quoted), "belongs to the account `ann`"),
        (file("\"12\"", ""), "64 hexadecimal digits"),
    ] {
        let flaws = flaws(&text, &there);
        assert!(flaws.len() == 1 && flaws[0].contains(word), "{flaws:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(there in any_present()) {
        let (file, text) = (Path::new("f"), to_text(&there));
        let listed = read(file, &text).map_err(|flaws| TestCaseError::fail(flaws.to_string()))?;
        // Into an empty store it brings all, into its own nothing.
        let fresh = plan(file, &text, &listed, &Present::default()).unwrap();
        prop_assert_eq!(&as_present(&fresh.additions), &there);
        let again = plan(file, &text, &listed, &there).unwrap();
        prop_assert!(again.additions.is_empty());
        let all = there.domains.len() + there.accounts.len() + there.aliases.len();
        prop_assert_eq!(again.known, all);
        for secret in there.accounts.iter().flat_map(|row| &row.secrets) {
            prop_assert_eq!(&secret_text(&from_text(&secret.0).unwrap()), &secret.0);
        }
    }

    #[test]
    fn any_text_is_quoted_so_that_it_comes_back(text in any::<String>()) {
        let document = format!("key = {}", quoted(&text));
        let table = toml::de::DeTable::parse(&document).unwrap();
        prop_assert_eq!(table.get_ref().get("key").unwrap().get_ref().as_str(), Some(text.as_str()));
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _any = read(Path::new("f"), &text);
    }
}
