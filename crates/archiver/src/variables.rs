//! The archiver's settings by name: the table behind the environment, the command line and the documentation.

use buildhub_core::variables::{Group, Variable};

use Group::{Archiver, Asking};

/// The settings, in the order in which documentation shows them. `ARCHIVER_S3_BUCKETS`, `ARCHIVER_HGMO_URL_TEMPLATE` and
/// `REQUEST_ID_HEADER` are called as in the original.
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        Archiver,
        "ARCHIVER_S3_BUCKETS",
        "s3-buckets",
        "",
        "Regions and their buckets, the nearest to most users first: us-east-1=bucket-a,us-west-2=bucket-b",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_HGMO_URL_TEMPLATE",
        "hgmo-url-template",
        "https://hg.mozilla.org/{repo}/archive/{rev}.{suffix}/{subdir}",
        "Where the source hgmo has an archive",
    ),
    Variable::new(Archiver, "ARCHIVER_HGMO_HOSTS", "hgmo-hosts", "", "Hosts that hgmo may redirect to, beside its own"),
    Variable::new(
        Archiver,
        "ARCHIVER_HGMO_SUFFIXES",
        "hgmo-suffixes",
        "tar.gz, tar.bz2, zip",
        "Kinds of archive that hgmo is asked for",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_S3_ENDPOINTS",
        "s3-endpoints",
        "AWS_ENDPOINT_URL for all",
        "Regions and their S3 servers where these are not Amazon's: us-east-1=http://localhost:9000",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_TASKS_FOLDER",
        "tasks-folder",
        ".tasks/ in the first bucket",
        "Where tasks are kept: s3://BUCKET/PREFIX, or a folder",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_QUEUE_URL",
        "",
        "",
        "SQS queue of the worker; the command serve has one of its own",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_MAX_SIZE",
        "max-size",
        "10737418240",
        "The largest archive that is copied, in bytes",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_FAILURE_MEMORY",
        "failure-memory",
        "60",
        "For how many seconds a failure is remembered: so long the source is not asked for the same again",
    ),
    Variable::new(
        Archiver,
        "ARCHIVER_CORS_ORIGINS",
        "cors-origins",
        "",
        "Origins whose scripts may read the answers: https://HOST,…, or * for all",
    ),
    Variable::new(
        Archiver,
        "REQUEST_ID_HEADER",
        "request-id-header",
        "",
        "Header of a request that has the id it is answered with; without it the gateway's, or one that is made up",
    ),
    Variable::new(
        Asking,
        "ARCHIVER_URL",
        "archiver",
        "the address that was asked",
        "Address of the archiver as its users have it; archive asks it, and the archiver says it of itself",
    ),
];

/// The default of a setting, as text; empty for one that is not in the table.
pub(crate) fn default_of(name: &str) -> &'static str {
    VARIABLES.iter().find(|variable| variable.name == name).map_or("", |variable| variable.default)
}
