//! Loads Pillarbox on each runtime, and Postfix with Dovecot beside it, and prints what each
//! operation costs them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use pillarbox_benches::picture;
use pillarbox_benches::servers::{Kind, Missing, Server};
use pillarbox_benches::table::{Cell, Table};
use pillarbox_benches::work::{ROWS, Row, Run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const HELP: &str = "\
Measures what Pillarbox costs on each runtime, beside Postfix and Dovecot.

usage: load [--quick] [--only ROW]... [--server COLUMN]... [--program FILE] [--out DIR]

  --quick          a tenth of everything: figures are rough
  --only ROW       only this row; may be given several times
  --server COLUMN  only this column; may be given several times
  --program FILE   the `pillarbox` to use instead of building one
  --out DIR        write bench.txt and bench.svg there; a whole run writes them to docs/
  --help           this

Postfix and Dovecot need root and Debian's packages. A whole run takes some twenty minutes.
";

#[derive(Default)]
struct Options {
    quick: bool,
    rows: Vec<String>,
    servers: Vec<String>,
    program: Option<PathBuf>,
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("load: {why}; try --help");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where help is asked for.
fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--quick" => options.quick = true,
            "--only" => options.rows.push(known(value()?, ROWS.iter().map(|row| row.key))?),
            "--server" => {
                options.servers.push(known(value()?, Kind::ALL.iter().map(|kind| kind.name()))?);
            }
            "--program" => options.program = Some(value()?.into()),
            "--out" => options.out = Some(value()?.into()),
            other => return Err(format!("there is no `{other}`")),
        }
    }
    Ok(Some(options))
}

fn known(name: String, names: impl Iterator<Item = &'static str>) -> Result<String, String> {
    let names: Vec<_> = names.collect();
    if names.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("there is no `{name}`: it is one of {}", names.join(", ")))
}

fn run(options: &Options) -> Result<(), String> {
    allow_many_files();
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let wanted = |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
    let servers: Vec<_> =
        Kind::ALL.into_iter().filter(|kind| wanted(&options.servers, kind.name())).collect();
    let rows: Vec<_> = ROWS.iter().filter(|row| wanted(&options.rows, row.key)).collect();
    let columns: Vec<_> =
        servers.iter().map(|kind| column(*kind, &program, &rows, options.quick)).collect();
    let cells = |index: usize| columns.iter().filter_map(|c| c.get(index).cloned()).collect();
    let table = Table {
        place: place(),
        rows: rows.iter().enumerate().map(|(index, row)| (*row, cells(index))).collect(),
        servers,
    };
    let text = table.text();
    print!("{text}");
    let whole = !options.quick && options.rows.is_empty() && options.servers.is_empty();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    if let Some(dir) = options.out.clone().or_else(|| whole.then_some(docs)) {
        let write = |name: &str, content: &str| {
            let file = dir.join(name);
            fs::write(&file, content).map_err(|error| format!("{}: {error}", file.display()))
        };
        write("bench.txt", &text)?;
        write("bench.svg", &picture::draw(&table))?;
    }
    Ok(())
}

/// All rows on one server.
fn column(kind: Kind, program: &Path, rows: &[&Row], quick: bool) -> Vec<Cell> {
    let all = |why: &str| rows.iter().map(|_| Cell::Missing(why.to_owned())).collect();
    let server = match Server::start(kind, program) {
        Ok(server) => server,
        Err(Missing::NotInThisBuild) => return all("not in this build"),
        Err(Missing::Failed(why)) => return all(why.trim_end()),
    };
    let mut run = match Run::new(&server, quick) {
        Ok(run) => run,
        Err(error) => return all(&error.to_string()),
    };
    let measured = |row: &&Row| {
        eprintln!("{}: {}", kind.name(), row.title);
        match row.measure(&mut run) {
            Ok(figure) => Cell::Measured(figure),
            Err(error) => Cell::Missing(error.to_string()),
        }
    };
    rows.iter().map(measured).collect()
}

/// Builds the server, so that what is measured is what stands in the tree.
fn build() -> Result<PathBuf, String> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--quiet", "-p", "pillarbox"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    match built {
        Ok(status) if status.success() => {}
        Ok(_) => return Err("pillarbox does not build".into()),
        Err(error) => return Err(format!("cargo: {error}")),
    }
    let own = env::current_exe().map_err(|error| error.to_string())?;
    Ok(own.with_file_name("pillarbox"))
}

/// Each idle client is a descriptor here, and one or two in the server, which inherits the limit.
fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _as_far_as_allowed = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Where and when this runs.
fn place() -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!(
        "{} x {}, Linux {}, {}",
        cpus.matches("\nprocessor").count() + 1,
        model.map_or("unknown", |(_, name)| name),
        said("uname", &["-r"]).unwrap_or_default(),
        said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default(),
    )
}
