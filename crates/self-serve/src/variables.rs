//! The settings of self-serve by name: the table behind the environment, the command line and the documentation.

use buildhub_core::variables::{Group, Variable};

use Group::{SelfServe, Steering};

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
    Variable::new(SelfServe, "BUILDBOT_AUTH_ARN", "", "", "ARN of a secret or parameter that holds BUILDBOT_AUTH"),
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
    Variable::new(
        SelfServe,
        "BRANCHES_URL",
        "branches",
        "",
        "Where the list of branches is: s3://BUCKET/KEY, an https:// address or a file",
    ),
    Variable::new(
        SelfServe,
        "BUILDERS_URL",
        "builders",
        "what the build system has tagged with the branch",
        "Where the list of builders is, likewise",
    ),
    Variable::new(
        SelfServe,
        "MASTERS_URL",
        "masters",
        "",
        "Where the list of masters is, likewise; wait times by pool need it",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_IDENTITY",
        "identity",
        "nobody",
        "Who says who asks: claims (the HTTP API's authorizer), proxy (a signed header), or nobody: then builds can only be seen",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_PROXY_SECRET",
        "",
        "",
        "The secret with which a proxy signs who asks (a JWT with HS256 in X-Self-Serve-Identity); 32 bytes at least",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_PROXY_SECRET_ARN",
        "",
        "",
        "ARN of a secret or parameter that holds SELF_SERVE_PROXY_SECRET",
    ),
    Variable::new(SelfServe, "SELF_SERVE_NAME_CLAIM", "name-claim", "email", "The claim that names who asks"),
    Variable::new(SelfServe, "SELF_SERVE_GROUPS_CLAIM", "groups-claim", "groups", "The claim that lists their groups"),
    Variable::new(
        SelfServe,
        "SELF_SERVE_ADMINS",
        "admins",
        "",
        "Who may end and move what others own: alice@example.com,group:sheriffs",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_EVENTS_AUTH",
        "",
        "",
        "USER:PASSWORD that a master shows when it tells of builds; without it none may",
    ),
    Variable::new(
        SelfServe,
        "SELF_SERVE_EVENTS_AUTH_ARN",
        "",
        "",
        "ARN of a secret or parameter that holds SELF_SERVE_EVENTS_AUTH",
    ),
    Variable::new(SelfServe, "SELF_SERVE_TIME_ZONE", "time-zone", "UTC", "Where a day begins: America/Los_Angeles"),
    Variable::new(
        SelfServe,
        "SELF_SERVE_CORS_ORIGINS",
        "self-serve-cors-origins",
        "",
        "Origins whose scripts may read the answers: https://HOST,…, or * for all",
    ),
    Variable::new(
        Steering,
        "SELF_SERVE_URL",
        "self-serve",
        "the address that was asked",
        "Address of the API as its users have it; the command self-serve asks it",
    ),
    Variable::new(
        Steering,
        "SELF_SERVE_TOKEN",
        "",
        "",
        "The token that shows who asks, for the command self-serve: Authorization: Bearer TOKEN",
    ),
];

/// The default of a setting, as text; empty for one that is not in the table.
pub(crate) fn default_of(name: &str) -> &'static str {
    VARIABLES.iter().find(|variable| variable.name == name).map_or("", |variable| variable.default)
}
