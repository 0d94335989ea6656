//! What the AWS SDK's errors mean to a store's caller.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::super::StoreErrorKind;

const NO_CREDENTIALS: &str = "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or \
                              AWS_PROFILE), or AWS_NO_SIGN_REQUEST=true when the bucket is public";
const REFUSED: &str = "check the credentials and the policy (without s3:ListBucket, S3 answers this for a missing key \
                       too), or set AWS_NO_SIGN_REQUEST=true when the bucket is public";

/// The kind of a fault, and the reason as a person should read it.
pub(super) fn describe<E>(error: &SdkError<E, HttpResponse>) -> (StoreErrorKind, String)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        return answered(answer.raw().status().as_u16(), answer.err());
    }
    if lacks_credentials(error) {
        return (StoreErrorKind::Denied, NO_CREDENTIALS.to_owned());
    }
    let kind = match error {
        SdkError::ConstructionFailure(_) => StoreErrorKind::Other,
        SdkError::DispatchFailure(failure) if failure.is_user() => StoreErrorKind::Other,
        _ => StoreErrorKind::Transient,
    };
    (kind, DisplayErrorContext(error).to_string())
}

/// A fault the server told us of: its status and code decide (AWS, "Amazon S3 API Reference: Error responses").
fn answered<E: ProvideErrorMetadata>(status: u16, error: &E) -> (StoreErrorKind, String) {
    let code = error.code().unwrap_or_default();
    let said = match (code, error.message()) {
        ("", None) => format!("the server answered {status}"),
        (code, None) => format!("the server answered {status} {code}"),
        (code, Some(message)) => format!("the server answered {status} {code}: {message}"),
    };
    match (status, code) {
        (404, "NoSuchBucket") => (StoreErrorKind::NotFound, "there is no such bucket".to_owned()),
        (404, _) => (StoreErrorKind::NotFound, "there is no such object".to_owned()),
        (401 | 403, _) | (400, "ExpiredToken" | "InvalidToken") => {
            (StoreErrorKind::Denied, format!("{said}; {REFUSED}"))
        }
        (301 | 307, _) | (400, "AuthorizationHeaderMalformed") => {
            (StoreErrorKind::Other, format!("{said}; set AWS_REGION to the bucket's region"))
        }
        (408 | 429 | 500.., _) | (400, "RequestTimeout") => (StoreErrorKind::Transient, said),
        _ => (StoreErrorKind::Other, said),
    }
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(<dyn Error>::is::<CredentialsError>)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::{SharedCredentialsProvider, error::CredentialsError, future};
    use aws_sdk_s3::config::{BehaviorVersion, Region};
    use aws_sdk_s3::error::ErrorMetadata;

    use super::*;

    fn kind(status: u16, code: &str) -> StoreErrorKind {
        answered(status, &ErrorMetadata::builder().code(code).build()).0
    }

    #[test]
    fn what_the_server_answers_decides_whether_to_go_on_to_retry_or_to_stop() {
        assert_eq!(kind(404, "NoSuchKey"), StoreErrorKind::NotFound);
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
        let moved = ErrorMetadata::builder().code("PermanentRedirect").message("use eu-west-1").build();
        let (kind, reason) = answered(301, &moved);
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
