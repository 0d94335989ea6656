//! Secret settings that are kept elsewhere and named by ARN: read once, at start.
//!
//! What stands in a function's configuration is readable by whoever may look at the function; an ARN there says nothing.

use std::time::Duration;

use futures::future::try_join_all;

use super::AwsSettings;
use super::arn::SecretArn;
use super::fault::{Fault, denies};
use crate::{SettingError, Variables};

/// The secret settings, and the variable that may name each by its ARN instead.
pub const SECRETS: [(&str, &str); 5] = [
    ("AUTH", "AUTH_ARN"),
    ("SENTRY_DSN", "SENTRY_DSN_ARN"),
    ("BUILDBOT_AUTH", "BUILDBOT_AUTH_ARN"),
    ("SELF_SERVE_PROXY_SECRET", "SELF_SERVE_PROXY_SECRET_ARN"),
    ("SELF_SERVE_EVENTS_AUTH", "SELF_SERVE_EVENTS_AUTH_ARN"),
];

/// How long a secret is waited for. Lambda gives a function ten seconds to start (AWS, "Understanding the Lambda execution
/// environment lifecycle"), and would end a longer wait without a word.
const WAIT: Duration = Duration::from_secs(8);

/// A secret that cannot be had. None of them repeats it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A setting of AWS cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The secret is given twice.
    #[error("{name} and {variable} are both set: keep one of them")]
    Twice {
        /// The setting.
        name: &'static str,
        /// The variable with its ARN.
        variable: &'static str,
    },
    /// The variable holds something else, which may be the secret itself and is not repeated.
    #[error(
        "{variable} is not the ARN of a secret (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME) or of a parameter \
         (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME)"
    )]
    NotAnArn {
        /// The variable.
        variable: &'static str,
    },
    /// It could not be read.
    #[error("cannot read {variable} from {arn}: {reason}")]
    Unreadable {
        /// The variable.
        variable: &'static str,
        /// The ARN it holds.
        arn: String,
        /// What was said, and what to do about it where that is known.
        reason: String,
    },
}

/// The settings with each secret in its place that is named by ARN. Sends one request for each, and none where none is.
pub async fn resolve(variables: Variables) -> Result<Variables, SecretError> {
    let named = SECRETS.iter().filter_map(|(name, variable)| Some((*name, *variable, variables.get(variable)?)));
    let found = try_join_all(named.map(|(name, variable, arn)| {
        let variables = &variables;
        async move { Ok::<_, SecretError>((name, variable, read(variables, name, variable, arn).await?)) }
    }));
    let found = found.await?;
    Ok(found.into_iter().fold(variables, |variables, (name, variable, text)| {
        // Named no more, so that resolving again changes nothing.
        variables.without(variable).with(name, text.expose())
    }))
}

async fn read(
    variables: &Variables,
    name: &'static str,
    variable: &'static str,
    text: &str,
) -> Result<crate::Secret, SecretError> {
    if variables.get(name).is_some() {
        return Err(SecretError::Twice { name, variable });
    }
    let arn = SecretArn::read(text).ok_or(SecretError::NotAnArn { variable })?;
    let settings = AwsSettings::from_variables(variables, arn.service())?;
    let unreadable = |reason| SecretError::Unreadable { variable, arn: text.to_owned(), reason };
    match tokio::time::timeout(WAIT, arn.call().send(&settings)).await {
        Ok(Ok(Some(secret))) if !secret.expose().trim().is_empty() => Ok(secret),
        Ok(Ok(_)) => Err(unreadable("it holds no text".to_owned())),
        Ok(Err(fault)) => Err(unreadable(reason(&arn, fault))),
        Err(_) => Err(unreadable(format!(
            "no answer within {} seconds; can the service be reached from this network?",
            WAIT.as_secs()
        ))),
    }
}

fn reason(arn: &SecretArn, fault: Fault) -> String {
    match fault {
        Fault::NoCredentials => "no AWS credentials were found".to_owned(),
        Fault::Answered { status, code, said } if denies(status, &code) => {
            format!("{said}; check that the role allows {} (and kms:Decrypt for a key of your own)", arn.action())
        }
        Fault::Answered { code, said, .. } if code.contains("NotFound") => {
            format!("{said}; check region, account and name")
        }
        Fault::Answered { said, .. } => said,
        Fault::Unreachable(reason) | Fault::Unsendable(reason) => reason,
    }
}
