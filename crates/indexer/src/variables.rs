//! The indexer's settings by name: the table behind the environment, the command line and the documentation.

use buildhub_core::variables::{Group, Variable};

use Group::{Archive, Events, Folders, Inventory, Kinto, Program, Queues, S3};

/// The settings, in the order in which documentation shows them. Names and defaults of the first seventeen are those
/// of the original Buildhub.
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        Kinto,
        "SERVER_URL",
        "server",
        "http://localhost:8888/v1",
        "Address of the Kinto server, with its version",
    ),
    Variable::new(Kinto, "BUCKET", "bucket", "build-hub", "Kinto bucket of the records"),
    Variable::new(Kinto, "COLLECTION", "collection", "releases", "Kinto collection of the records"),
    Variable::new(Kinto, "AUTH", "auth", "user:pass", "Who writes: user:password, or Bearer TOKEN"),
    Variable::new(
        Folders,
        "CACHE_FOLDER",
        "cache-folder",
        ".",
        "Where caches live between runs: a folder, or s3://BUCKET/PREFIX",
    ),
    Variable::new(
        Folders,
        "CSV_DOWNLOAD_DIRECTORY",
        "csv-download-directory",
        "the system's temporary folder",
        "Where builds that wait for the end of the inventory are kept during a run",
    ),
    Variable::new(
        Program,
        "NB_RETRY_REQUEST",
        "nb-retry-request",
        "3",
        "How often a request that failed in passing is made again",
    ),
    Variable::new(Program, "TIMEOUT_SECONDS", "timeout-seconds", "300", "How long one request may take, in seconds"),
    Variable::new(
        Archive,
        "NB_PARALLEL_REQUESTS",
        "nb-parallel-requests",
        "8",
        "How many metadata files are fetched at the same time",
    ),
    Variable::new(
        Kinto,
        "BATCH_MAX_REQUESTS",
        "batch-max-requests",
        "as the server says",
        "How many records are sent in one batch, if fewer than the server takes",
    ),
    Variable::new(
        Kinto,
        "INITIALIZE_SERVER",
        "initialize-server",
        "true",
        "Whether bucket, collection and schema are brought up to date before loading",
    ),
    Variable::new(Program, "SENTRY_DSN", "sentry-dsn", "", "Where crashes are reported; nowhere if empty"),
    Variable::new(
        Inventory,
        "MIN_AGE_LAST_MODIFIED_HOURS",
        "min-age-last-modified-hours",
        "0",
        "Rows older than this many hours are skipped (a maximum age, in spite of its name); 0 skips none",
    ),
    Variable::new(
        Inventory,
        "INVENTORIES",
        "inventories",
        "firefox, archive",
        "Names put for {inventory} in INVENTORY_PREFIX",
    ),
    Variable::new(
        Inventory,
        "PRODUCTS",
        "products",
        "firefox, thunderbird, mobile, devedition",
        "Product folders of the archive that are read; focus and fenix are known too",
    ),
    Variable::new(
        Archive,
        "ARCHIVE_URL",
        "archive-url",
        "https://archive.mozilla.org/",
        "The build archive: a site with JSON listings, or s3://BUCKET/PREFIX",
    ),
    Variable::new(Program, "LOG_LEVEL", "log-level", "INFO", "DEBUG, INFO, WARNING or ERROR"),
    Variable::new(
        Archive,
        "DOWNLOAD_URL",
        "download-url",
        "ARCHIVE_URL, or the bucket's own address",
        "What the records' download addresses begin with",
    ),
    Variable::new(
        Inventory,
        "INVENTORY_LOCATION",
        "inventory-location",
        "s3://net-mozaws-prod-delivery-inventory-us-east-1/public",
        "Where the inventories' own keys begin: s3://BUCKET/PREFIX, or a folder",
    ),
    Variable::new(
        Inventory,
        "INVENTORY_PREFIX",
        "inventory-prefix",
        "inventories/net-mozaws-prod-delivery-{inventory}/delivery-{inventory}/",
        "The folder of dated inventories below INVENTORY_LOCATION",
    ),
    Variable::new(
        Queues,
        "PARTS_QUEUE_URL",
        "",
        "",
        "SQS queue of an inventory's parts; with it s3-inventory spreads a run over many invocations",
    ),
    Variable::new(
        Queues,
        "BATCHES_QUEUE_URL",
        "",
        "",
        "SQS FIFO queue of batches of records, which s3-inventory writes one after another",
    ),
    Variable::new(
        Kinto,
        "AUTH_ARN",
        "auth-arn",
        "",
        "In place of AUTH, the ARN of the secret (Secrets Manager) or parameter (SSM) that holds it; read once, at start",
    ),
    Variable::new(
        Program,
        "SENTRY_DSN_ARN",
        "sentry-dsn-arn",
        "",
        "In place of SENTRY_DSN, the ARN of the secret or parameter that holds it",
    ),
    Variable::new(S3, "AWS_ENDPOINT_URL", "endpoint-url", "Amazon's", "Address of an S3 server that is not Amazon's"),
    Variable::new(S3, "AWS_REGION", "region", "us-east-1", "Region of the buckets"),
    Variable::switch(
        S3,
        "AWS_NO_SIGN_REQUEST",
        "no-sign-request",
        "false",
        "Ask without credentials, as public buckets allow",
    ),
    Variable::switch(
        Archive,
        "RELEASE_AS_BETA",
        "release-as-beta",
        "false",
        "Whether a release of Firefox is written a second time, as one of the beta channel",
    ),
    Variable::switch(
        Events,
        "REMOVE_DELETED",
        "remove-deleted",
        "false",
        "Whether an archive's removal removes its record, and no older inventory brings it back",
    ),
];

/// The default of a setting, as text; empty for one that is not in the table.
pub(crate) fn default_of(name: &str) -> &'static str {
    VARIABLES.iter().find(|variable| variable.name == name).map_or("", |variable| variable.default)
}
