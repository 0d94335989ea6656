//! The settings of self-serve by name: the table behind the environment, the command line and the documentation.

use buildhub_core::variables::{Group, Variable};

use Group::SelfServe;

/// The settings, in the order in which documentation shows them. The Kinto server is named as everywhere
/// (`SERVER_URL`, `AUTH`).
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        SelfServe,
        "SELF_SERVE_BACKEND",
        "build-system",
        "buildbot",
        "Which build system is steered; there is one kind: buildbot",
    ),
    Variable::new(
        SelfServe,
        "BUILDBOT_URL",
        "buildbot",
        "",
        "Address of the Buildbot master, as its buildbotURL has it",
    ),
    Variable::new(
        SelfServe,
        "BUILDBOT_AUTH",
        "",
        "",
        "Who steers it: USER:PASSWORD, of a user whom the master's rules allow everything; without it builds can only be seen",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_QUEUE_URL",
        "",
        "",
        "SQS FIFO queue of jobs; the command serve has one of its own",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_BUCKET",
        "self-serve-bucket",
        "self-serve",
        "Kinto bucket of jobs and of what is known of builds",
    ),
];

/// The default of a setting, as text; empty for one that is not in the table.
pub(crate) fn default_of(name: &str) -> &'static str {
    VARIABLES.iter().find(|variable| variable.name == name).map_or("", |variable| variable.default)
}
