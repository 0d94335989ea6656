//! The command line of `buildhub env`.

use buildhub_core::variables::{Group, Variable};
use clap::{Arg, ArgAction, Command};

use super::{flag, json, variables};

/// What needs a place to publish in.
const STORE: &str = "ENVIRONMENTS_STORE";

pub(super) fn env() -> Command {
    Command::new("env")
        .about("Build environments: lock, build, publish, find, compare, fetch and verify them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([lock(), build(), publish(), list(), show(), diff(), fetch(), verify()])
        .after_help(
            "A definition says what an environment is made of and who uses it; a lock is what it means today, to the \
             byte; an environment is named by the hash of its archive.\n\nExamples:\n  \
             buildhub env build linux64.toml --output published\n  \
             buildhub env list --branch mozilla-central --environments https://environments.example.com\n  \
             buildhub env fetch mozilla-central/linux64/firefox --output root",
        )
}

fn lock() -> Command {
    making(Command::new("lock"), &[])
        .about("Resolve a definition: write its lock")
        .arg(Arg::new("DEFINITION").help("The definition, a TOML file").required(true))
        .arg(output("FILE", "Write the lock to this file instead of standard output"))
        .after_help("Example:\n  buildhub env lock linux64.toml --output linux64.lock.json")
}

fn build() -> Command {
    making(Command::new("build"), &[])
        .about("Build an environment into a folder, laid out as it is published")
        .arg(of("A definition (.toml) or a lock (.json)"))
        .arg(output("FOLDER", "The folder").required(true))
        .arg(json())
        .after_help(
            "What the folder has already is not built again.\n\nExamples:\n  \
             buildhub env build linux64.toml --output published\n  \
             buildhub env build linux64.lock.json --output published --threads 2",
        )
}

fn publish() -> Command {
    making(Command::new("publish"), &[STORE])
        .about("Publish an environment: build it where its lock is new, then say who uses it")
        .arg(of("A definition (.toml), or a lock (.json): a lock changes nobody's labels"))
        .arg(json())
        .after_help(
            "Example:\n  buildhub env publish linux64.toml --store s3://environments/public\n\n\
             Killed at any moment, run it again: readers never find half of an environment.",
        )
}

fn list() -> Command {
    reading(Command::new("list"))
        .about("List published environments: a table on a terminal, one JSON line each in a pipe")
        .args(filters())
        .arg(Arg::new("all").long("all").help("Also those that nobody uses any more").action(ArgAction::SetTrue))
        .arg(json())
        .after_help(
            "Exit code 1 when there is none.\n\nExamples:\n  \
             buildhub env list --environments https://environments.example.com\n  \
             buildhub env list --branch mozilla-central --json | jq -r .name",
        )
}

fn show() -> Command {
    reading(Command::new("show"))
        .about("Show an environment: what it is, who uses it, what it is made of, what is left out")
        .arg(name())
        .arg(json())
        .after_help("Example:\n  buildhub env show mozilla-central/linux64/firefox")
}

fn diff() -> Command {
    reading(Command::new("diff"))
        .about("What differs between two locks: packages added, removed and changed, and decisions")
        .args(["A", "B"].map(|name| Arg::new(name).help("A lock's file, or a published environment").required(true)))
        .arg(
            Arg::new("exit-code")
                .long("exit-code")
                .help("Exit with 1 where anything differs")
                .action(ArgAction::SetTrue),
        )
        .arg(json())
        .after_help("Example:\n  buildhub env diff 3f9a20c1 mozilla-central/linux64/firefox")
}

fn fetch() -> Command {
    reading(Command::new("fetch"))
        .about("Download an environment, verify it, and unpack it")
        .arg(name().required(false).required_unless_present_any(FILTERS))
        .args(filters().map(|filter| filter.conflicts_with("NAME")))
        .arg(output("PATH", "The folder to unpack into; it must be empty, or not there").required(true))
        .arg(
            Arg::new("no-unpack")
                .long("no-unpack")
                .help("Keep the archive as a file at PATH instead")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("image")
                .long("image")
                .help("Fetch the container image instead: the folder PATH is an OCI image layout then")
                .action(ArgAction::SetTrue)
                .conflicts_with("no-unpack"),
        )
        .arg(json())
        .after_help(
            "Owners are kept where this runs as root; else all files are yours.\n\nExamples:\n  \
             sudo buildhub env fetch mozilla-central/linux64/firefox --output root && sudo chroot root\n  \
             buildhub env fetch --branch mozilla-esr60 --platform linux64 --no-unpack --output esr60.tar.xz\n  \
             buildhub env fetch mozilla-central/linux64/firefox --image --output image && \
             skopeo copy oci:image:latest docker-daemon:environment:latest",
        )
}

fn verify() -> Command {
    making(reading(Command::new("verify")), &[])
        .about("Build a published environment again from its lock, and compare the bytes")
        .arg(name())
        .arg(json())
        .after_help("Exit code 1 when the bytes are others.\n\nExample:\n  buildhub env verify 3f9a20c1")
}

fn of(help: &'static str) -> Arg {
    Arg::new("FILE").help(help).required(true)
}

fn name() -> Arg {
    Arg::new("NAME")
        .help("Its name, the beginning of its hash or of its lock's key, or a label: BRANCH/PLATFORM/PRODUCT")
        .required(true)
}

fn output(value: &'static str, help: &'static str) -> Arg {
    Arg::new("output").long("output").short('o').value_name(value).help(help)
}

const FILTERS: [&str; 5] = ["branch", "platform", "product", "build-type", "channel"];

fn filters() -> [Arg; 5] {
    FILTERS.map(|name| {
        Arg::new(name)
            .long(name)
            .value_name("NAME")
            .help(format!("Used by this {}", name.replace('-', " ")))
            .help_heading("Filters")
    })
}

/// Adds what making an environment is told, and of places to publish in only those named.
fn making(command: Command, stores: &[&str]) -> Command {
    add(command, |variable| match variable.group {
        Group::Environments => variable.name != STORE || stores.contains(&STORE),
        group => matches!(group, Group::S3 | Group::Program),
    })
}

/// Adds what reading published environments is told.
fn reading(command: Command) -> Command {
    add(command, |variable| matches!(variable.group, Group::Published | Group::S3 | Group::Program))
}

/// Adds settings that are not there yet.
fn add(command: Command, is_wanted: impl Fn(&Variable) -> bool) -> Command {
    let there: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let wanted = variables::all().filter(|variable| !variable.flag.is_empty() && is_wanted(variable));
    command.args(wanted.filter(|variable| !there.iter().any(|name| name == variable.name)).map(flag))
}
