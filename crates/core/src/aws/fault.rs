//! What the AWS SDK's errors mean, whichever service they are of.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A request that failed for good, the SDK's own tries included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing to sign it with was found.
    NoCredentials,
    /// The server said no.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The service's name for the fault; empty where it gave none.
        code: String,
        /// Both, with the server's words.
        said: String,
    },
    /// The server was not reached, or broke off.
    Unreachable(String),
    /// The request could not be made.
    Unsendable(String),
}

impl Fault {
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let SdkError::ServiceError(answer) = error {
            return answered(answer.raw().status().as_u16(), answer.err());
        }
        if lacks_credentials(error) {
            return Self::NoCredentials;
        }
        let reason = DisplayErrorContext(error).to_string();
        match error {
            SdkError::ConstructionFailure(_) => Self::Unsendable(reason),
            SdkError::DispatchFailure(failure) if failure.is_user() => Self::Unsendable(reason),
            _ => Self::Unreachable(reason),
        }
    }
}

fn answered<E: ProvideErrorMetadata>(status: u16, error: &E) -> Fault {
    let code = error.code().unwrap_or_default();
    let said = match (code, error.message()) {
        ("", None) => format!("the server answered {status}"),
        (code, None) => format!("the server answered {status} {code}"),
        (code, Some(message)) => format!("the server answered {status} {code}: {message}"),
    };
    Fault::Answered { status, code: code.to_owned(), said }
}

/// Whether an answer is one that may be another the next time (AWS, "Amazon S3 API Reference: Error responses";
/// "Amazon SQS API Reference: Common Error Types").
pub(crate) fn passes(status: u16, code: &str) -> bool {
    matches!(status, 408 | 429 | 500..) || code == "RequestTimeout" || code.contains("Throttl")
}

/// Whether an answer says that whoever asks may not.
pub(crate) fn denies(status: u16, code: &str) -> bool {
    const CODES: [&str; 8] = [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ];
    matches!(status, 401 | 403) || CODES.contains(&code)
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(<dyn Error>::is::<CredentialsError>)
}
