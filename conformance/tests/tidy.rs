//! What reviewers would otherwise have to look for by hand: the form of the tree, the arrows
//! between crates and modules, RFC references, and what is built in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The tracked and new files below the root with one of these endings, as (path from root, text).
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(root())];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let short = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((short, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn files_are_short_and_clean() {
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs", ".md", ".toml", ".txt", "/test"]) {
        if path.ends_with(".rs") && text.lines().count() > 700 {
            faults.push(format!("{path}: longer than 700 lines: where is its seam?"));
        }
        for (index, line) in text.lines().enumerate() {
            let place = format!("{path}:{}", index + 1);
            if line != line.trim_end() {
                faults.push(format!("{place}: blanks at the end"));
            }
            let leftovers = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!(")];
            if path.ends_with(".rs") && leftovers.iter().any(|word| line.contains(word)) {
                faults.push(format!("{place}: a leftover"));
            }
        }
        if path.ends_with(".md") && text.lines().filter(|line| line.starts_with("# ")).count() > 1 {
            let outside_code =
                text.split("```").step_by(2).flat_map(str::lines).filter(|l| l.starts_with("# "));
            if outside_code.count() > 1 {
                faults.push(format!("{path}: more than one title"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A protocol never imports another protocol, except `sasl` and `tls`; formats and text helpers
/// import no protocol.
#[test]
fn arrows_inside_core_point_down() {
    let protocols = ["smtp", "imap"];
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let Some(inside) = path.strip_prefix("core/src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for protocol in protocols.iter().filter(|protocol| **protocol != module) {
                if line.contains(&format!("crate::{protocol}::")) && module != "lib" {
                    faults.push(format!("{path}: {module} uses {protocol}"));
                }
            }
            // Addresses are values; sockets are not.
            let world = [
                "std::net::Tcp",
                "std::net::Udp",
                "std::fs",
                "std::thread",
                "std::env",
                "log::",
                "SystemRandom::new",
            ];
            // What `ring` wants to sign with RSA cannot be made up, not even in a test.
            let test = path.ends_with("/tests.rs") && line.contains("SystemRandom::new");
            for name in world.iter().filter(|name| line.contains(**name) && !test) {
                faults.push(format!("{path}: names {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Which of our crates may use which: down only.
#[test]
fn arrows_between_crates_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("core", &[][..]),
        ("runtime-std", &["core"]),
        ("runtime-smol", &["core", "runtime-std"]),
        ("runtime-glommio", &["core", "runtime-std"]),
        ("store", &["core"]),
        ("server", &["core", "runtime-std", "runtime-smol", "runtime-glommio", "store"]),
        (
            "conformance",
            &["core", "runtime-std", "runtime-smol", "runtime-glommio", "store", "server"],
        ),
        (
            "benches",
            &[
                "core",
                "runtime-std",
                "runtime-smol",
                "runtime-glommio",
                "store",
                "server",
                "conformance",
            ],
        ),
    ]);
    for (folder, allowed) in allowed {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for line in text.lines().filter(|line| line.starts_with("pillarbox")) {
            let name = line.split('.').next().unwrap();
            let used = name.strip_prefix("pillarbox-").unwrap_or("server");
            assert!(allowed.contains(&used), "{folder} must not depend on {used}");
        }
    }
}

/// Each crate reachable from `package` by normal dependencies, as
/// `name version | licence | features`.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", package, "-e", "normal", "--prefix", "none"])
        .args(["--no-dedupe", "-f", "{p} | {l} | {f}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The whole list of what `core` is made of: none of it does I/O, except that `ring` (with
/// `getrandom` and `libc` below it) draws random bytes inside a TLS handshake.
const CORE: &[&str] = &[
    "adler2",
    "asn1-rs",
    "asn1-rs-derive",
    "asn1-rs-impl",
    "base64",
    "block-buffer",
    "bytes",
    "cfg-if",
    "core_detect",
    "crypto-common",
    "data-encoding",
    "der-parser",
    "deranged",
    "digest",
    "displaydoc",
    "domain",
    "domain-macros",
    "encoding_rs",
    "foldhash",
    "getrandom",
    "hashbrown",
    "hybrid-array",
    "idna",
    "idna_adapter",
    "idna_mapping",
    "jiff",
    "jiff-core",
    "lazy_static",
    "libc",
    "log",
    "md-5",
    "memchr",
    "minimal-lexical",
    "miniz_oxide",
    "multiversion_no_op",
    "nom",
    "num-bigint",
    "num-conv",
    "num-integer",
    "num-traits",
    "octseq",
    "oid-registry",
    "once_cell",
    "powerfmt",
    "precis-core",
    "precis-profiles",
    "proc-macro2",
    "quote",
    "ring",
    "rusticata-macros",
    "rustls",
    "rustls-pki-types",
    "rustls-webpki",
    "scopeguard",
    "serde",
    "serde_core",
    "serde_derive",
    "simdutf8",
    "smallvec",
    "subtle",
    "syn",
    "synstructure",
    "thiserror",
    "thiserror-impl",
    "time",
    "time-core",
    "time-macros",
    "tinyvec",
    "typenum",
    "unicode-bidi",
    "unicode-ident",
    "unicode-joining-type",
    "unicode-normalization",
    "untrusted",
    "utf8_iter",
    "utf_types",
    "webpki-roots",
    "x509-parser",
    "zeroize",
];

#[test]
fn core_depends_on_nothing_that_does_io() {
    let names: BTreeSet<_> = tree("pillarbox-core")
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .filter(|name| name != "pillarbox-core")
        .collect();
    let unknown: Vec<_> = names.iter().filter(|name| !CORE.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "new in core, does it do I/O? {unknown:?}");
}

#[test]
fn nothing_banned_is_built_in_and_every_licence_is_allowed() {
    let allowed = [
        "MIT",
        "Apache-2.0",
        "ISC",
        "BSD-3-Clause",
        "Zlib",
        "0BSD",
        "Unlicense",
        "Unicode-3.0",
        "MPL-2.0+",
        "Apache-2.0 WITH LLVM-exception",
        // A list of certificates.
        "CDLA-Permissive-2.0",
    ];
    let banned = ["async-std", "aws-lc-rs", "aws-lc-sys", "openssl-sys"];
    // hyper uses its traits and channels.
    let banned_of_tokio = ["rt", "rt-multi-thread", "net", "time", "fs", "process", "signal"];
    let mut tokio = 0;
    for line in tree("pillarbox") {
        let mut columns = line.split(" | ");
        let mut column = || columns.next().unwrap();
        let (package, licence, features) = (column(), column(), column());
        let name = package.split(' ').next().unwrap();
        assert!(!banned.contains(&name), "{name} is banned: see deny.toml");
        if name == "tokio" {
            tokio += 1;
            let bad = features
                .trim_end_matches(" (*)")
                .split(',')
                .find(|feature| banned_of_tokio.contains(feature));
            assert_eq!(bad, None, "no second async runtime");
        }
        // `A OR B` needs one of them, `A AND B` both; the old `A/B` means OR.
        let good = licence
            .replace(['(', ')'], "")
            .replace('/', " OR ")
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|one| allowed.contains(&one.trim())));
        assert!(good, "{package}: licence {licence} is not in the list");
    }
    assert!(tokio > 0, "tokio is gone: ban it as a whole");
}

/// RFC numbers that a text names.
fn rfcs_in(text: &str) -> BTreeSet<u32> {
    text.split("RFC ")
        .skip(1)
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

#[test]
fn every_rfc_that_is_named_has_a_row_and_every_yes_has_its_proof() {
    let table = fs::read_to_string(root().join("docs/rfcs.txt")).unwrap();
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let number: u32 = words.next().unwrap().parse().unwrap();
        let state = words.next().unwrap();
        assert!(["yes", "partly", "planned", "no"].contains(&state), "{line}");
        assert!(words.next().is_some(), "{line}: the title is missing");
        assert!(rows.insert(number, state).is_none(), "{number} has two rows");
    }
    let (mut in_code, mut in_transcripts) = (BTreeSet::new(), BTreeSet::new());
    for (path, text) in files(&[".rs"]) {
        for number in rfcs_in(&text) {
            assert!(rows.contains_key(&number), "{path} names RFC {number}: give it a row");
            in_code.insert(number);
        }
    }
    for (path, text) in files(&[".txt"]) {
        if path.starts_with("conformance/transcripts/") {
            for number in rfcs_in(&text) {
                assert!(rows.contains_key(&number), "{path} names RFC {number}: give it a row");
                in_transcripts.insert(number);
            }
        }
    }
    for (number, _) in rows.iter().filter(|(_, state)| **state == "yes") {
        assert!(in_code.contains(number), "RFC {number} is `yes` but the code never names it");
        assert!(in_transcripts.contains(number), "RFC {number} is `yes` without a transcript");
    }
}
