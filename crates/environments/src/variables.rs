//! The settings of environments by name: the table behind the environment, the command line and the documentation.

use buildhub_core::variables::{Group, Variable};

use Group::{Environments, Published};

/// The settings, in the order in which documentation shows them.
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        Environments,
        "ENVIRONMENTS_STORE",
        "store",
        "",
        "Where environments are published: s3://BUCKET/PREFIX, or a folder",
    ),
    Variable::new(
        Published,
        "ENVIRONMENTS_URL",
        "environments",
        "ENVIRONMENTS_STORE",
        "Where published environments are read: https://HOST/PATH, s3://BUCKET/PREFIX, or a folder",
    ),
    Variable::new(
        Environments,
        "ENVIRONMENTS_DEFINITIONS",
        "",
        "",
        "Where the function finds definitions: s3://BUCKET/PREFIX, or a folder",
    ),
    Variable::new(
        Environments,
        "ENVIRONMENTS_QUEUE_URL",
        "",
        "",
        "SQS queue with a message for each environment that is to be made",
    ),
    Variable::new(
        Environments,
        "ENVIRONMENTS_SCRATCH",
        "scratch",
        "the system's temporary folder",
        "Where packages, files and archives lie while an environment is made",
    ),
    Variable::new(
        Environments,
        "ENVIRONMENTS_THREADS",
        "threads",
        "one a processor",
        "Threads that compress; the bytes are the same for any number",
    ),
    Variable::new(
        Environments,
        "ENVIRONMENTS_MEMORY",
        "memory",
        "not limited; in Lambda, the function's",
        "Memory that making an environment may take, in MiB; what needs more is refused before the work",
    ),
    Variable::new(
        Environments,
        "ENVIRONMENTS_DISK",
        "disk",
        "not limited",
        "Disk that making an environment may take, in MiB; what needs more is refused before the work",
    ),
];
