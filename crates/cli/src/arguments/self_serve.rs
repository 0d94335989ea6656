//! The command line of `buildhub self-serve`.

use buildhub_core::variables::Group;
use clap::{Arg, ArgAction, ArgGroup, Command};

use super::{json, settings};

pub(super) fn self_serve() -> Command {
    Command::new("self-serve")
        .about("See and steer builds through self-serve's API")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            addresses(),
            branches(),
            builders(),
            builds(),
            build(),
            request(),
            is_done(),
            report(),
            jobs(),
            job(),
            rebuild(),
            new(),
            cancel(),
            reprioritize(),
        ])
        .after_help(
            "What is asked for is a job; --wait follows it to its end. Exit code 1 where a job could not be carried out, \
             or a revision is not done.\n\nExamples:\n  \
             buildhub self-serve builds mozilla-central --revision abcdef012345 --self-serve https://builds.example.com\n  \
             buildhub self-serve rebuild mozilla-central --build 17 --count 3 --priority 5 --wait\n  \
             buildhub self-serve cancel try --revision abcdef012345 --wait\n  \
             buildhub self-serve is-done try abcdef012345 && echo done",
        )
}

fn asking(name: &'static str) -> Command {
    settings(Command::new(name), &[Group::Steering, Group::Program]).arg(json())
}

fn branch() -> Arg {
    Arg::new("BRANCH").help("The branch's name").required(true)
}

fn number(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).help(help).required(true).value_parser(clap::value_parser!(u64))
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn priority() -> Arg {
    option("priority", "NUMBER", "The higher one goes first")
        .value_parser(clap::value_parser!(i64))
        .allow_negative_numbers(true)
        .default_value("0")
}

fn count() -> Arg {
    option("count", "NUMBER", "How often").value_parser(clap::value_parser!(u32)).default_value("1")
}

/// What asks for a job.
fn steering(name: &'static str) -> Command {
    asking(name)
        .arg(Arg::new("wait").long("wait").help("Follow the job to its end").action(ArgAction::SetTrue))
        .arg(
            option("patience", "SECONDS", "How long to follow it")
                .value_parser(clap::value_parser!(u64))
                .default_value("600"),
        )
        .arg(option("key", "TEXT", "Asked for again with the same key, it is the same job (Idempotency-Key)"))
}

fn addresses() -> Command {
    asking("addresses").about("List what can be asked, with its parameters, as JSON")
}

fn branches() -> Command {
    asking("branches").about("List the branches")
}

fn builders() -> Command {
    asking("builders").about("List what is built for a branch").arg(branch())
}

fn builds() -> Command {
    asking("builds")
        .about("List builds of a branch, and requests that wait: of today, a day, a revision or a person")
        .args([
            branch(),
            option("date", "DAY", "Of this day: 2026-11-22"),
            option("revision", "HASH", "Of this revision"),
            option("user", "NAME", "Of this person"),
            option(
                "limit",
                "NUMBER",
                "At most so many of each kind, the newest (all of a day or a revision, 1000 of a person)",
            )
            .value_parser(clap::value_parser!(u64).range(1..)),
        ])
        .group(ArgGroup::new("which").args(["date", "revision", "user"]))
        .after_help(
            "Example:\n  buildhub self-serve builds try --user alice@example.com --json | jq '.running[].build_id'",
        )
}

fn build() -> Command {
    asking("build").about("Show a build").args([branch(), number("ID", "The build's number")])
}

fn request() -> Command {
    asking("request").about("Show a request").args([branch(), number("ID", "The request's number")])
}

fn is_done() -> Command {
    asking("is-done").about("Whether a revision is done with, and well: exit code 0 where it is complete").args([
        branch(),
        Arg::new("REVISION").help("The revision's hash").required(true),
        option("stable-delay", "SECONDS", "How long it must have been quiet")
            .value_parser(clap::value_parser!(u64))
            .default_value("180"),
    ])
}

fn report() -> Command {
    asking("report")
        .about("Show a report, as JSON")
        .args([
            Arg::new("REPORT")
                .required(true)
                .value_parser(["pending", "running", "recent", "waittimes", "endtoend", "revision"])
                .help(
                    "What waits, what runs, the newest builds, how long builds waited, how long revisions took, all of a \
                     revision",
                ),
            Arg::new("OF").num_args(0..=2).help(
                "Of a branch, and perhaps a platform (pending, running), a worker (recent), a pool (waittimes), a branch \
                 (endtoend), a branch and a revision (revision)",
            ),
            option("from", "SECONDS", "From this moment, in seconds since 1970"),
            option("to", "SECONDS", "To this moment"),
            option("with", "NAME=VALUE", "Another parameter of the address, as GET /self-serve lists them")
                .action(ArgAction::Append)
                .value_parser(|text: &str| match text.split_once('=') {
                    Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
                    _ => Err(format!("{text} is not NAME=VALUE")),
                }),
        ])
        .after_help(
            "Examples:\n  buildhub self-serve report waittimes --with int_size=300 | jq '.platforms | map_values(.total)'\n  \
             buildhub self-serve report pending try linux64 --with num=20",
        )
}

fn jobs() -> Command {
    asking("jobs").about("List what was asked for, the newest first").args([
        option("limit", "NUMBER", "At most so many").value_parser(clap::value_parser!(u64)).default_value("25"),
        option("before", "NUMBER", "Those before this job").value_parser(clap::value_parser!(u64)),
    ])
}

fn job() -> Command {
    steering("job").about("Show a job, or follow it to its end").arg(number("ID", "The job's number"))
}

fn rebuild() -> Command {
    let which = |name| option(name, "ID", "Make this again").value_parser(clap::value_parser!(u64));
    steering("rebuild")
        .about("Make a build, or a request, again")
        .args([branch(), which("build"), which("request"), count(), priority()])
        .group(ArgGroup::new("which").args(["build", "request"]).required(true))
}

fn new() -> Command {
    let kind = |name, help| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    steering("new")
        .about("Make new builds of a revision: as after a push, nightly, profile-guided, or of one builder")
        .args([
            branch(),
            Arg::new("REVISION").help("The revision's hash").required(true),
            kind("nightly", "The branch's nightly builds"),
            kind("pgo", "Its profile-guided builds"),
            option("builder", "NAME", "This builder's"),
            option("property", "NAME=VALUE", "A property of the build; may be given several times")
                .action(ArgAction::Append)
                .requires("builder"),
            option("file", "NAME", "A file that counts as changed; may be given several times")
                .action(ArgAction::Append)
                .requires("builder"),
            priority(),
        ])
        .group(ArgGroup::new("which").args(["nightly", "pgo", "builder"]))
}

fn cancel() -> Command {
    let which = |name| option(name, "ID", "End this").value_parser(clap::value_parser!(u64));
    steering("cancel")
        .about("End a build, a request, or all that is open of a revision")
        .args([branch(), which("build"), which("request"), option("revision", "HASH", "End all that is open of this")])
        .group(ArgGroup::new("which").args(["build", "request", "revision"]).required(true))
}

fn reprioritize() -> Command {
    steering("reprioritize").about("Give a request that waits another priority").args([
        branch(),
        number("ID", "The request's number"),
        Arg::new("PRIORITY")
            .help("The higher one goes first")
            .required(true)
            .value_parser(clap::value_parser!(i64))
            .allow_negative_numbers(true),
    ])
}
