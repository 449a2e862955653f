//! Runs the transcripts against a mail server by its address. `docs/conformance.md` tells more.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use pillarbox_conformance::address::expected::Expectations;
use pillarbox_conformance::address::names::{Names, Person};
use pillarbox_conformance::address::report::Report;
use pillarbox_conformance::address::{Outcome, Target, run_all};
use pillarbox_conformance::stress::{self, Plan};
use pillarbox_conformance::transcript::Transcript;

/// Run Pillarbox's transcripts against any mail server, and print where it differs.
///
/// Each transcript is a conversation that an RFC fixes. Only what a client can rely on is
/// compared: reply codes, tagged answers, and the data that the RFC fixes; texts are free.
///
/// The accounts are EMPTIED before each transcript, all their mailboxes: use accounts made for
/// this. Without --imap or --imaps nothing is emptied.
///
/// Exit code 0: no difference but expected ones; 1: there are some; 2: it could not be run.
#[derive(Debug, Parser)]
#[command(name = "pillarbox-conformance", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    server: Server,
    /// Where other servers bring mail (port 25).
    #[arg(long, value_name = "HOST:PORT")]
    smtp: Option<String>,
    /// Where its own people bring mail, after login (port 587).
    #[arg(long, value_name = "HOST:PORT")]
    submission: Option<String>,
    /// The same, under TLS from the first byte (port 465).
    #[arg(long, value_name = "HOST:PORT")]
    submissions: Option<String>,
    /// A second one; without it, transcripts that need two are not run.
    #[arg(long, value_name = "NAME")]
    other_user: Option<String>,
    /// The second one's password [default: that of the first].
    #[arg(long, value_name = "PASSWORD")]
    other_password: Option<String>,
    /// The domain of both addresses [default: what stands behind @ in --user, else localhost].
    #[arg(long)]
    domain: Option<String>,
    /// Run only transcripts whose name contains this.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    filter: String,
    /// A list of differences that are known, each with its reason: a file, or postfix, dovecot or
    /// pillarbox. May be given several times.
    #[arg(long, value_name = "LIST")]
    expect: Vec<String>,
    /// Print the names of the transcripts, what each shows, and run nothing.
    #[arg(long)]
    list: bool,
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// The folder with the transcripts.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"), hide_default_value = true)]
    transcripts: PathBuf,
}

/// A server where mail is read, and an account there.
#[derive(Debug, Args)]
struct Server {
    /// Where mail is read (port 143).
    #[arg(long, value_name = "HOST:PORT")]
    imap: Option<String>,
    /// The same, under TLS from the first byte (port 993).
    #[arg(long, value_name = "HOST:PORT")]
    imaps: Option<String>,
    /// An account made for this, as it logs in: its mailboxes are emptied.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Its password.
    #[arg(long)]
    password: Option<String>,
    /// Begin with STARTTLS wherever it is possible: for servers that take no password in clear.
    /// Certificates are not checked.
    #[arg(long)]
    tls: bool,
    /// Run also what is about Pillarbox's own limits and choices.
    #[arg(long)]
    ours: bool,
    /// How many seconds an answer may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    patience: u64,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
enum Instead {
    /// Let several IMAP clients do everything at random, and check what each of them is told.
    ///
    /// Only mailboxes whose names begin with `stress-` are used, and INBOX with `--deliver-to`; they
    /// are deleted before and after.
    ///
    /// Exit code 0: nothing is wrong; 1: something is; 2: it could not be run.
    Stress(Stress),
}

/// How long, with how many, and from which seed.
#[derive(Debug, Args)]
struct Stress {
    #[command(flatten)]
    server: Server,
    /// For how many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time: u64,
    /// How many clients.
    #[arg(long, value_name = "COUNT", default_value_t = 6)]
    clients: usize,
    /// What they draw from [default: another one each time].
    #[arg(long)]
    seed: Option<u64>,
    /// Deliver letters to the account by SMTP meanwhile. All that is in its INBOX is deleted, before
    /// and after. For servers that have delivered what they answer for with 250.
    #[arg(long, value_name = "HOST:PORT")]
    deliver_to: Option<String>,
    /// For servers that are known to carry out MOVE as COPY and EXPUNGE, as Dovecot does: both of two
    /// clients may move a message away, and nothing is copied into the mailbox that it comes from.
    #[arg(long)]
    moves_are_copies: bool,
}

const EXAMPLES: &str = "\
Examples:
  pillarbox localserve
  cargo run -p pillarbox-conformance -- --smtp 127.0.0.1:1025 --submission 127.0.0.1:1587 \\
      --submissions 127.0.0.1:1465 --imap 127.0.0.1:1143 --imaps 127.0.0.1:1993 \\
      --user user@localhost --other-user friend@localhost --password pillarbox

  cargo run -p pillarbox-conformance -- --smtp mx.example.org:25 --imaps imap.example.org:993 \\
      --user test1@example.org --other-user test2@example.org --password ... --filter smtp/

  cargo run -p pillarbox-conformance -- stress --imaps imap.example.org:993 \\
      --user test1@example.org --password ... --time 60

How to write a transcript and how to list a difference: docs/conformance.md";

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = match &options.instead {
        Some(Instead::Stress(stress)) => run_stress(stress),
        None => run(&options),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("pillarbox-conformance: {why}");
            ExitCode::from(2)
        }
    }
}

/// Whether there is no difference but expected ones.
fn run(options: &Options) -> Result<bool, String> {
    let transcripts = Transcript::all(&options.transcripts)?;
    if options.list {
        for transcript in transcripts.iter().filter(|one| one.name().contains(&options.filter)) {
            println!("{:40}  {}", transcript.name(), transcript.shows());
        }
        return Ok(true);
    }
    let names: Vec<String> = transcripts.iter().map(Transcript::name).collect();
    let expectations = expectations(options)?;
    if let Some(name) = expectations.unknown(&names) {
        return Err(format!("{name} is listed as expected to differ, but is no transcript"));
    }
    if !names.iter().any(|name| name.contains(&options.filter)) {
        return Err(format!("no transcript's name contains {:?}: see --list", options.filter));
    }
    let target = transcripts_target(options)?;
    let told = |_: &str, outcome: &Outcome| {
        let mark = match outcome {
            Outcome::Passed => '.',
            Outcome::Differs(_) => 'D',
            Outcome::NotApplicable(_) => '-',
        };
        eprint!("{mark}");
    };
    let outcomes = run_all(&target, &transcripts, &options.filter, told);
    eprintln!();
    let report = Report::new(outcomes?, &expectations);
    print!("{}", if options.json { report.json() } else { report.table() });
    Ok(report.is_good())
}

fn transcripts_target(options: &Options) -> Result<Target, String> {
    let more = [
        ("smtp", &options.smtp),
        ("submission", &options.submission),
        ("submissions", &options.submissions),
    ];
    let password = options.other_password.clone().or_else(|| options.server.password.clone());
    let friend = options.other_user.clone().zip(password);
    let friend = friend.map(|(login, password)| Person { login, password });
    target(&options.server, &more, options.domain.clone(), friend)
}

/// Whether nothing was wrong.
fn run_stress(options: &Stress) -> Result<bool, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = options.seed.or_else(|| since.ok().map(|since| since.as_secs())).unwrap_or(1);
    println!("seed {seed}");
    let smtp = [("smtp", &options.deliver_to)];
    let target = target(&options.server, &smtp, None, None)?;
    let time = Duration::from_secs(options.time);
    let mut plan = Plan::new(target, options.clients.max(1), time, seed);
    plan.moves_are_copies = options.moves_are_copies;
    if options.deliver_to.is_some() {
        plan = plan.delivering();
    }
    let report = stress::run(&plan)?;
    print!("{report}");
    Ok(report.violations.is_empty())
}

/// The server and its people. Without a domain it is what stands behind the first one's `@`.
fn target(
    server: &Server,
    more: &[(&'static str, &Option<String>)],
    domain: Option<String>,
    friend: Option<Person>,
) -> Result<Target, String> {
    let imap = [("imap", &server.imap), ("imaps", &server.imaps)];
    let addresses: BTreeMap<_, _> = imap
        .iter()
        .chain(more)
        .filter_map(|(name, address)| Some((*name, (*address).clone()?)))
        .collect();
    if addresses.is_empty() {
        return Err("name a server: --smtp HOST:PORT, --imap HOST:PORT; --help tells more".into());
    }
    let user = server.user.clone().ok_or("name an account made for this: --user NAME")?;
    let password = server.password.clone().ok_or("give its password: --password")?;
    let behind = |name: &str| name.split_once('@').map(|(_, domain)| domain.to_owned());
    let domain = domain.or_else(|| behind(&user));
    Ok(Target {
        addresses,
        names: Names {
            user: Person { login: user, password },
            friend,
            domain: domain.unwrap_or_else(|| "localhost".into()),
        },
        tls: server.tls,
        ours: server.ours,
        patience: Duration::from_secs(server.patience.max(1)),
    })
}

fn expectations(options: &Options) -> Result<Expectations, String> {
    let mut all = Expectations::default();
    for name in &options.expect {
        let known = ["postfix", "dovecot", "pillarbox"].contains(&name.as_str());
        let file = if known {
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/expected"))
                .join(format!("{name}.txt"))
        } else {
            PathBuf::from(name)
        };
        all.read_file(&file)?;
    }
    Ok(all)
}
