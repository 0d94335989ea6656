//! The command line, made from the crates' tables of settings: every variable is a flag too, and flags win.

mod env;
mod self_serve;

use buildhub_core::Variables;
use buildhub_core::aws::secrets::SECRETS;
use buildhub_core::variables::{Group, Variable};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::variables;
use Group::{Archive, Archiver, Asking, Events, Folders, Inventory, Kinto, Program, S3, SelfServe, Steering};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::BrightBlack.on_default());

/// One-letter flags of the original commands.
const SHORT: [(&str, char); 4] = [("SERVER_URL", 's'), ("BUCKET", 'b'), ("COLLECTION", 'c'), ("AUTH", 'a')];

/// The whole command line.
pub fn command() -> Command {
    Command::new("buildhub")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Which build is this, where is it, what was it made from: build archives to records in Kinto")
        .after_help(
            "Every setting can be given as a flag or as an environment variable; the flag wins.\n\
             Exit codes: 0 all was done; 1 something could not be done, and the summary says what; 2 wrong usage.",
        )
        .styles(STYLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            latest(),
            convert(),
            load(),
            handle_event(),
            init(),
            doctor(),
            find(),
            archive(),
            serve(),
            env::env(),
            self_serve::self_serve(),
        ])
}

fn latest() -> Command {
    settings(Command::new("latest-inventory-to-kinto"), &[Inventory, Archive, Kinto, Events, Folders, S3, Program])
        .about("Bring the store up to date with the latest S3 inventory")
        .arg(json())
        .after_help(
            "Examples:\n  \
             buildhub latest-inventory-to-kinto --server https://kinto.example.com/v1 --auth me:secret \\\n      \
             --inventory-location s3://inventories --inventory-prefix builds/daily/ --archive-url s3://builds\n  \
             buildhub latest-inventory-to-kinto --no-sign-request --products thunderbird",
        )
}

fn convert() -> Command {
    settings(Command::new("inventory-to-records"), &[Inventory, Archive, Folders, S3, Program])
        .about("Read inventory rows (CSV, or gzipped CSV) on standard input, write records, one JSON line each")
        .arg(
            Arg::new("keep-incomplete")
                .long("keep-incomplete")
                .help("Write records also of builds without metadata")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("no-metadata")
                .long("no-metadata")
                .help("Ask for no metadata at all: records say what the key says")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("schema")
                .long("schema")
                .value_name("COLUMNS")
                .help("The rows' columns, as an inventory's fileSchema names them")
                .default_value("Bucket, Key, Size, LastModifiedDate, ETag"),
        )
        .arg(json())
        .after_help(
            "Examples:\n  \
             zcat *.csv.gz | buildhub inventory-to-records | buildhub to-kinto\n  \
             buildhub inventory-to-records --no-metadata < part.csv.gz > records.jsonl",
        )
}

fn load() -> Command {
    settings(Command::new("to-kinto"), &[Kinto, Folders, S3, Program])
        .about("Read records on standard input, one {\"data\": …} a line, and bring the store up to date with them")
        .arg(
            Arg::new("skip")
                .long("skip")
                .help("Do not send what the store has already: what is always done now, so this changes nothing")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("send-unchanged")
                .long("send-unchanged")
                .help("Send also what the store has already")
                .action(ArgAction::SetTrue)
                .conflicts_with("skip"),
        )
        .arg(json())
        .after_help("Example:\n  buildhub to-kinto --server http://localhost:8888/v1 --auth user:pass < records.jsonl")
}

fn handle_event() -> Command {
    let about = "Handle events about objects, in any envelope, as the function s3-event does; one JSON line each";
    settings(Command::new("handle-event"), &[Events, Archive, Kinto, S3, Program])
        .about(about)
        .arg(
            Arg::new("FILE")
                .help("The payload: a JSON file, or - for standard input. Samples are in events/s3-event/")
                .required(true),
        )
        .arg(
            Arg::new("PRODUCTS")
                .long("products")
                .value_name("PRODUCTS")
                .help("Product folders of the archive that are looked at [env: PRODUCTS]")
                .help_heading("Settings"),
        )
        .after_help(
            "Without --archive-url the archive is the bucket that an event names.\n\
             Exit code 1 when an event is to come again.\n\nExamples:\n  \
             buildhub handle-event events/s3-event/sqs.json --archive-url https://archive.mozilla.org/\n  \
             aws sqs receive-message --queue-url URL --query 'Messages[0].Body' --output text | buildhub handle-event -",
        )
}

fn init() -> Command {
    settings(Command::new("init-kinto"), &[Kinto, Program])
        .about("Make bucket, collection, schema and permissions, or bring them up to date")
        .after_help("Example:\n  buildhub init-kinto --server http://localhost:8888/v1 --auth user:pass")
}

fn doctor() -> Command {
    settings(Command::new("doctor"), &[Kinto, Program])
        .about("Say in plain words what is wrong with a Kinto server: a table on a terminal, JSON in a pipe")
        .arg(
            Arg::new("write")
                .long("write")
                .help("Try writing too: two trial records, removed again")
                .long_help(
                    "Try writing too: a record that is no build, which must be refused, and one that is, which must be \
                     guarded by its conditions. Both are removed again; one tombstone is left. Without this the server \
                     is only read",
                )
                .action(ArgAction::SetTrue)
                .conflicts_with("anonymous"),
        )
        .arg(
            Arg::new("anonymous")
                .long("anonymous")
                .help("Ask as anybody would: AUTH is not used")
                .action(ArgAction::SetTrue),
        )
        .arg(json())
        .after_help(
            "Each thing looked at is ok, unknown (it could not be told), a warning (it works, but look at it) or a fault.\n\
             Exit code 0 without a fault, 1 with one, 2 for wrong usage.\n\nExamples:\n  \
             buildhub doctor --server https://kinto.example.com/v1 --auth me:secret\n  \
             buildhub doctor --server https://kinto.example.com/v1 --anonymous\n  \
             buildhub doctor --write --json | jq '.findings[] | select(.state != \"ok\")'",
        )
}

fn find() -> Command {
    let filter = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).help_heading("Filters")
    };
    settings(Command::new("find"), &[Kinto, Program])
        .about("Ask the store: a table on a terminal, one JSON line a record in a pipe")
        .args([
            filter("product", "NAME", "firefox, thunderbird, fennec, devedition, focus or fenix"),
            filter("channel", "NAME", "release, beta, aurora, esr, nightly, …"),
            filter("version", "RANGE", "A version, or a range in the order of versions: \">=60.0, <61\""),
            filter("build-id", "ID", "A build's id, such as 20161027110534"),
            filter("revision", "HASH", "A source revision, whole or its beginning"),
            filter("platform", "NAME", "win64, macosx, linux-x86_64, …"),
            filter("locale", "NAME", "en-US, fr, …"),
            filter("since", "DATE", "Built on this day or later (2018-01-31, or a time)"),
            filter("until", "DATE", "Built before the end of this day (or before a time)"),
        ])
        .arg(
            Arg::new("latest")
                .long("latest")
                .help("Only the latest build of each product and channel")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .help("At most so many records; 0 for all")
                .value_parser(clap::value_parser!(usize))
                .default_value("100"),
        )
        .arg(json())
        .after_help(
            "Exit code 1 when nothing is found.\n\nExamples:\n  \
             buildhub find --product firefox --channel release --version '>=60.0, <61' --locale fr\n  \
             buildhub find --build-id 20161027110534\n  \
             buildhub find --latest --platform win64 --locale en-US\n  \
             buildhub find --revision 829a3f99f260 --limit 0 | jq -r .download.url",
        )
}

fn archive() -> Command {
    let option = |name: &'static str, long: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(long).value_name(value).help(help)
    };
    settings(Command::new("archive"), &[Asking, Program])
        .about("Ask an archiver for the archive of a revision: wait for it, download it, verify it")
        .args([
            Arg::new("REPO").help("The repository's path: projects/ash").required(true),
            Arg::new("REV").help("The revision: 12 to 40 digits of its hash").required(true),
            option("subdir", "subdir", "PATH", "Only this folder of the repository"),
            option("suffix", "suffix", "SUFFIX", "tar.gz (as it is without), tar.bz2 or zip"),
            option("preferred-region", "region", "REGION", "The region to download from, if the archive is there"),
            option("output", "output", "FILE", "Wait, and download the archive to this file, or - for standard output")
                .short('o'),
        ])
        .arg(
            Arg::new("wait")
                .long("wait")
                .help("Wait until it is there, and write its signed address")
                .action(ArgAction::SetTrue),
        )
        .arg(
            option("patience", "patience", "SECONDS", "How long to wait for it")
                .value_parser(clap::value_parser!(u64))
                .default_value("3600"),
        )
        .arg(json())
        .after_help(
            "Without --wait and --output an archive that is not there yet is asked for, and the address of its task \
             written.\n\nExamples:\n  \
             buildhub archive projects/ash 42bf8560b395 --archiver https://archives.example.com --output ash.tar.gz\n  \
             buildhub archive projects/ash 42bf8560b395 --subdir testing/mozharness -o - | tar xz",
        )
}

fn serve() -> Command {
    settings(Command::new("serve"), &[Archiver, Asking, SelfServe, Steering, S3, Program])
        .args([server("SERVER_URL"), server("AUTH")])
        .about("Serve the archiver, self-serve, or both, with what does their work, in one process")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .help("Where to listen; port 0 is a free one, and the log says which")
                .default_value("127.0.0.1:8080"),
        )
        .after_help(
            "The archiver is served where it has buckets (--s3-buckets), self-serve where it has a master (--buildbot).\n\
             Stops at SIGINT or SIGTERM: what is being answered is answered; what was begun is left to the next one to \
             begin again.\n\nExamples:\n  \
             buildhub serve --s3-buckets us-east-1=archives --endpoint-url http://localhost:9000 --listen 0.0.0.0:8080\n  \
             BUILDBOT_AUTH=me:secret buildhub serve --buildbot http://localhost:8010 --branches branches.json \\\n      \
             --server http://localhost:8888/v1 --identity proxy",
        )
}

/// One setting of the Kinto server, for a command that needs no other of them.
fn server(name: &'static str) -> Arg {
    variables::named(name).map_or_else(|| Arg::new(name), flag)
}

fn json() -> Arg {
    Arg::new("json").long("json").help("Write the result as JSON, also on a terminal").action(ArgAction::SetTrue)
}

/// Adds the settings of these groups as flags.
fn settings(command: Command, groups: &[Group]) -> Command {
    let wanted = variables::all().filter(|variable| groups.contains(&variable.group) && !variable.flag.is_empty());
    // Kinto answers these too, but they load nothing.
    let loads = !matches!(command.get_name(), "find" | "init-kinto" | "doctor");
    let wanted =
        wanted.filter(|variable| loads || !matches!(variable.name, "BATCH_MAX_REQUESTS" | "INITIALIZE_SERVER"));
    command.args(wanted.map(flag))
}

fn flag(variable: &Variable) -> Arg {
    let default = if variable.default.is_empty() { "nothing" } else { variable.default };
    let help = format!("{} [env: {}] [default: {default}]", variable.help, variable.name);
    let arg = Arg::new(variable.name).long(variable.flag).help(help).help_heading("Settings");
    let arg = match SHORT.iter().find(|(name, _)| *name == variable.name) {
        Some((_, short)) => arg.short(*short),
        None => arg,
    };
    if variable.switch { arg.action(ArgAction::SetTrue) } else { arg.value_name(variable.name) }
}

/// The settings, with what the command line says over what the environment said.
pub fn overlay(vars: Variables, matches: &ArgMatches) -> Variables {
    let is_given = |name| variables::named(name).is_some_and(|variable| given(matches, variable).is_some());
    // A secret that is given, or the ARN of one, wins over both of its variables.
    let vars = SECRETS
        .iter()
        .filter(|(name, arn)| is_given(name) || is_given(arn))
        .fold(vars, |vars, (name, arn)| vars.without(name).without(arn));
    variables::all().fold(vars, |vars, variable| match given(matches, variable) {
        Some(value) => vars.with(variable.name, value),
        None => vars,
    })
}

fn given(matches: &ArgMatches, variable: &Variable) -> Option<String> {
    if variable.switch {
        let is_set = matches.try_get_one::<bool>(variable.name).ok().flatten().copied().unwrap_or(false);
        is_set.then(|| "true".to_owned())
    } else {
        matches.try_get_one::<String>(variable.name).ok().flatten().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_wins_over_its_variable() {
        let matches = command().get_matches_from(["buildhub", "to-kinto", "-b", "other", "--auth", "me:secret"]);
        let (_, matches) = matches.subcommand().unwrap();
        let vars = overlay(Variables::default().with("BUCKET", "first").with("COLLECTION", "kept"), matches);
        assert_eq!(
            (vars.get("BUCKET"), vars.get("COLLECTION"), vars.get("AUTH")),
            (Some("other"), Some("kept"), Some("me:secret"))
        );
    }

    #[test]
    fn a_secrets_flag_wins_over_the_variable_that_names_it_by_arn_and_the_other_way_round() {
        let read = |args: [&str; 4]| {
            let matches = command().get_matches_from(args);
            let (_, matches) = matches.subcommand().unwrap();
            let vars = Variables::default().with("AUTH", "of:environment").with("AUTH_ARN", "arn:of:environment");
            let vars = overlay(vars, matches);
            ["AUTH", "AUTH_ARN"].map(|name| vars.get(name).map(str::to_owned))
        };
        assert_eq!(read(["buildhub", "to-kinto", "--auth", "me:secret"]), [Some("me:secret".to_owned()), None]);
        assert_eq!(read(["buildhub", "to-kinto", "--auth-arn", "arn:x"]), [None, Some("arn:x".to_owned())]);
        let neither = read(["buildhub", "to-kinto", "--bucket", "b"]);
        assert_eq!(neither, ["of:environment", "arn:of:environment"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn every_variable_with_a_flag_is_one_of_its_command() {
        let (run, event, archive, serve) = (latest(), handle_event(), archive(), serve());
        let self_serve = self_serve::self_serve();
        let steer = self_serve.find_subcommand("jobs").unwrap();
        let env = env::env();
        let [publish, list] = ["publish", "list"].map(|name| env.find_subcommand(name).unwrap());
        for variable in variables::all().filter(|variable| !variable.flag.is_empty()) {
            let command = match variable.group {
                Events => &event,
                Archiver | SelfServe => &serve,
                Asking => &archive,
                Steering => steer,
                Group::Environments => publish,
                Group::Published => list,
                _ => &run,
            };
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(variable.flag)), "{}", variable.name);
        }
    }
}
