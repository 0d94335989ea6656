//! What the AWS SDK's errors mean to a store's caller.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::super::StoreErrorKind;
use crate::aws::fault::{Fault, denies, passes};

const NO_CREDENTIALS: &str = "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or \
                              AWS_PROFILE), or AWS_NO_SIGN_REQUEST=true when the bucket is public";
pub(super) const NO_BUCKET: &str = "there is no such bucket; make it, or correct the setting that names it";
const REFUSED: &str = "check the credentials and the policy (without s3:ListBucket, S3 answers this for a missing key \
                       too), or set AWS_NO_SIGN_REQUEST=true when the bucket is public";

/// The kind of a fault, and the reason as a person should read it.
pub(super) fn describe<E>(error: &SdkError<E, HttpResponse>) -> (StoreErrorKind, String)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match Fault::of(error) {
        Fault::NoCredentials => (StoreErrorKind::Denied, NO_CREDENTIALS.to_owned()),
        Fault::Answered { status, code, said } => answered(status, &code, said),
        Fault::Unreachable(reason) => (StoreErrorKind::Transient, reason),
        Fault::Unsendable(reason) => (StoreErrorKind::Other, reason),
    }
}

/// A fault the server told us of: its status and code decide (AWS, "Amazon S3 API Reference: Error responses").
fn answered(status: u16, code: &str, said: String) -> (StoreErrorKind, String) {
    match (status, code) {
        (404, "NoSuchBucket") => (StoreErrorKind::NoBucket, NO_BUCKET.to_owned()),
        (404, _) => (StoreErrorKind::NotFound, "there is no such object".to_owned()),
        _ if denies(status, code) => (StoreErrorKind::Denied, format!("{said}; {REFUSED}")),
        (301 | 307, _) | (400, "AuthorizationHeaderMalformed") => {
            (StoreErrorKind::Other, format!("{said}; set AWS_REGION to the bucket's region"))
        }
        _ if passes(status, code) => (StoreErrorKind::Transient, said),
        _ => (StoreErrorKind::Other, said),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::{SharedCredentialsProvider, error::CredentialsError, future};
    use aws_sdk_s3::config::{BehaviorVersion, Region};

    use super::*;

    fn kind(status: u16, code: &str) -> StoreErrorKind {
        answered(status, code, String::new()).0
    }

    #[test]
    fn what_the_server_answers_decides_whether_to_go_on_to_retry_or_to_stop() {
        assert_eq!(kind(404, "NoSuchKey"), StoreErrorKind::NotFound);
        assert_eq!(kind(404, "NoSuchBucket"), StoreErrorKind::NoBucket);
        assert_eq!(kind(403, "AccessDenied"), StoreErrorKind::Denied);
        assert_eq!(kind(400, "ExpiredToken"), StoreErrorKind::Denied);
        assert_eq!(kind(400, "RequestTimeout"), StoreErrorKind::Transient);
        assert_eq!(kind(429, "TooManyRequests"), StoreErrorKind::Transient);
        assert_eq!(kind(500, "InternalError"), StoreErrorKind::Transient);
        assert_eq!(kind(503, "SlowDown"), StoreErrorKind::Transient);
        assert_eq!(kind(400, "InvalidRequest"), StoreErrorKind::Other);
    }

    #[test]
    fn a_bucket_of_another_region_says_which_setting_to_change() {
        let said = "the server answered 301 PermanentRedirect: use eu-west-1".to_owned();
        let (kind, reason) = answered(301, "PermanentRedirect", said);
        assert_eq!(kind, StoreErrorKind::Other);
        let expected =
            "the server answered 301 PermanentRedirect: use eu-west-1; set AWS_REGION to the bucket's region";
        assert_eq!(reason, expected);
    }

    /// The end of the SDK's chain on a machine without credentials.
    #[derive(Debug)]
    struct NothingFound;

    impl aws_credential_types::provider::ProvideCredentials for NothingFound {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("the chain is at its end")))
        }
    }

    #[tokio::test]
    async fn missing_credentials_say_what_to_set() {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .http_client(http)
            .endpoint_url("http://127.0.0.1:1")
            .credentials_provider(SharedCredentialsProvider::new(NothingFound))
            .build();
        let request = aws_sdk_s3::Client::from_conf(config).head_object().bucket("bucket").key("key");
        let (kind, reason) = describe(&request.send().await.unwrap_err());
        assert_eq!(kind, StoreErrorKind::Denied);
        assert_eq!(reason, NO_CREDENTIALS);
    }
}
