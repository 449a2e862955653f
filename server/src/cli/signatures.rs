//! `pillarbox dkim verify`: the signatures of a message in a file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use pillarbox_core::arc::{self, Chain};
use pillarbox_core::dkim::{KeyAnswer, Limits, Outcome, Verdict, Verifier};
use pillarbox_core::dns::{Kind, Name, Question};
use pillarbox_core::message::Gatherer;

use super::dns::{address, look, resolver};
use super::{Trouble, table};
use crate::serve::now;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The message, as it came; `-` for standard input. Line ends may be CRLF or LF.
    file: PathBuf,
    /// The keys stand in this file, a line each: selector._domainkey.domain "v=DKIM1; …".
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "config"])]
    records: Option<PathBuf>,
    /// Ask this server for the keys, as 192.0.2.1 or 192.0.2.1:5353, and no other.
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "config")]
    server: Option<SocketAddr>,
    /// Ask whom the server of this configuration asks. Without any of these: the servers of
    /// /etc/resolv.conf.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// More than any header that a server takes.
const HEAD_MAX: usize = 1 << 20;
const PIECE: usize = 64 << 10;

pub(super) fn run(args: VerifyArgs) -> Result<(), Trouble> {
    let mut source = Lines::open(&args.file)?;
    let mut gatherer = Gatherer::new(HEAD_MAX);
    let mut rest = Vec::new();
    loop {
        let piece = source.next()?;
        let whole = gatherer.push(&piece).map_err(|excess| Trouble::Failed(excess.to_string()))?;
        if let Some(used) = whole {
            rest = piece.get(used..).unwrap_or_default().to_vec();
            break;
        }
        if piece.is_empty() {
            break;
        }
    }
    let head = gatherer.into_head().into_bytes();
    let mut verifier = Verifier::new(head.clone(), Limits::default());
    let mut chain = arc::Validator::new(head, Limits::default());
    loop {
        verifier.push(&rest);
        chain.push(&rest);
        rest = source.next()?;
        if rest.is_empty() {
            break;
        }
    }
    let mut names = verifier.key_names();
    names.extend(chain.key_names());
    let keys = keys(args.records, args.server, args.config, &names)?;
    let left_out = verifier.left_out();
    let outcomes = verifier.finish(&keys, now());
    table::print(&told(&outcomes, left_out, &chain.finish(&keys, now())))?;
    if outcomes.iter().any(|outcome| outcome.verdict == Verdict::Pass) {
        return Ok(());
    }
    Err(Trouble::Failed(match outcomes.len() {
        0 => "the message has no signature".into(),
        _ => "no signature is good".into(),
    }))
}

/// What is published under these names.
fn keys(
    records: Option<PathBuf>,
    server: Option<SocketAddr>,
    config: Option<PathBuf>,
    names: &[Name],
) -> Result<HashMap<Name, KeyAnswer>, Trouble> {
    let mut keys = HashMap::new();
    if let Some(file) = records {
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        for name in names {
            keys.insert(name.clone(), KeyAnswer::Records(Vec::new()));
        }
        for (name, record) in text.lines().filter_map(|line| line.split_once(' ')) {
            let record = record.trim().trim_matches('"').as_bytes().to_vec();
            if let Ok(name) = Name::parse(name) {
                keys.insert(name, KeyAnswer::Records(vec![record]));
            }
        }
        return Ok(keys);
    }
    let resolver = resolver(server, config)?;
    for name in names {
        let (_, lookup) = look(&resolver, Question { name: name.clone(), kind: Kind::Txt })?;
        keys.insert(name.clone(), KeyAnswer::from(&lookup));
    }
    Ok(keys)
}

fn told(outcomes: &[Outcome], left_out: usize, chain: &Chain) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        text.push_str(outcome.verdict.name());
        // Writing to a String cannot fail.
        if let Some(signature) = &outcome.signature {
            let (domain, selector) = (&signature.domain, &signature.selector);
            let algorithm = signature.algorithm.name();
            let _infallible = write!(text, ": {domain}, key {selector}, {algorithm}");
        }
        if let Some(bits) = outcome.rsa_bits {
            let _infallible = write!(text, ", {bits} bits");
        }
        if outcome.unsigned_bytes > 0 {
            let count = outcome.unsigned_bytes;
            let _infallible = write!(text, "; {count} bytes at the end are not signed");
        }
        if let Some(why) = outcome.why {
            let _infallible = write!(text, ": {why}");
        }
        text.push('\n');
    }
    if left_out > 0 {
        let _infallible = writeln!(text, "{left_out} more signatures are not looked at");
    }
    if chain.status != arc::Status::None {
        let _infallible = write!(text, "ARC {}", chain.status.name());
        for hop in &chain.hops {
            let _infallible = write!(text, ", sealed by {}", hop.domain);
        }
        if let Some(why) = chain.why {
            let _infallible = write!(text, ": {why}");
        }
        text.push('\n');
    }
    text
}

/// A message with the line ends that it has on its way.
struct Lines {
    file: Box<dyn io::Read>,
    name: String,
    after_cr: bool,
}

impl Lines {
    fn open(path: &PathBuf) -> Result<Self, Trouble> {
        let name = path.display().to_string();
        let file: Box<dyn io::Read> = if name == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(|error| format!("{name}: {error}"))?)
        };
        Ok(Self { file, name, after_cr: false })
    }

    /// The next piece; empty at the end.
    fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut piece = Vec::new();
        let mut part = self.file.by_ref().take(PIECE as u64);
        part.read_to_end(&mut piece).map_err(|error| format!("{}: {error}", self.name))?;
        let mut lines = Vec::with_capacity(piece.len());
        for byte in piece {
            if byte == b'\n' && !self.after_cr {
                lines.push(b'\r');
            }
            lines.push(byte);
            self.after_cr = byte == b'\r';
        }
        Ok(lines)
    }
}
