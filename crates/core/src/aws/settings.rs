//! How to reach Amazon's services, read from variables.

use crate::{Secret, SettingError, Variables};

/// The names of the variables, those of the AWS SDKs and tools.
mod name {
    pub(super) const ENDPOINT: &str = "AWS_ENDPOINT_URL";
    pub(super) const REGION: &str = "AWS_REGION";
    pub(super) const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
    pub(super) const UNSIGNED: &str = "AWS_NO_SIGN_REQUEST";
    pub(super) const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
    pub(super) const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    pub(super) const TOKEN: &str = "AWS_SESSION_TOKEN";
}

/// A service that is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3: buckets.
    S3,
    /// Amazon SQS: queues.
    Sqs,
    /// AWS Secrets Manager.
    SecretsManager,
    /// AWS Systems Manager's Parameter Store.
    ParameterStore,
}

/// How to reach one service, or a server that speaks like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// The server, where it is not Amazon's: the service's own variable (`AWS_ENDPOINT_URL_S3`,
    /// `AWS_ENDPOINT_URL_SQS`, …), or `AWS_ENDPOINT_URL` (AWS SDKs and Tools Reference Guide, "Service-specific
    /// endpoints").
    pub endpoint: Option<String>,
    /// `AWS_REGION`, or `AWS_DEFAULT_REGION`; `us-east-1` when neither is set.
    pub region: String,
    /// What requests are signed with.
    pub signing: Signing,
}

/// What requests are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Nothing: the bucket is public. `AWS_NO_SIGN_REQUEST=true`, the variable of GDAL and the meaning of the AWS
    /// CLI's `--no-sign-request`. It is said of buckets only: whoever reads a public one still signs for a queue.
    Unsigned,
    /// A key that was given: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones,
    /// `AWS_SESSION_TOKEN`. Inside Lambda it is the function's role.
    Key {
        /// The key's public name.
        id: String,
        /// The key.
        secret: Secret,
        /// The token that goes with a temporary key.
        token: Option<Secret>,
    },
    /// Whatever the AWS SDK finds where it usually looks: profile files, container or instance role.
    Found,
}

impl Service {
    /// The variable that names a server for this service alone.
    fn endpoint_variable(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ENDPOINT_URL_S3",
            Self::Sqs => "AWS_ENDPOINT_URL_SQS",
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::ParameterStore => "AWS_ENDPOINT_URL_SSM",
        }
    }

    /// Its name in signatures, and at the beginning of its address.
    pub(super) fn signing_name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Sqs => "sqs",
            Self::SecretsManager => "secretsmanager",
            Self::ParameterStore => "ssm",
        }
    }
}

impl AwsSettings {
    /// Reads the settings. An endpoint must be a URL, and an access key must come with its secret.
    pub fn from_variables(variables: &Variables, service: Service) -> Result<Self, SettingError> {
        let endpoint = match endpoint(variables, service.endpoint_variable())? {
            Some(url) => Some(url),
            None => endpoint(variables, name::ENDPOINT)?,
        };
        let region = variables.get(name::REGION).or_else(|| variables.get(name::DEFAULT_REGION));
        let signing = signing(variables, service)?;
        Ok(Self { endpoint, region: region.unwrap_or("us-east-1").to_owned(), signing })
    }
}

fn endpoint(variables: &Variables, name: &'static str) -> Result<Option<String>, SettingError> {
    match variables.get(name) {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(Some(url.to_owned())),
        Some(other) => Err(SettingError::invalid(name, other, "it is a URL such as http://localhost:9000")),
        None => Ok(None),
    }
}

fn signing(variables: &Variables, service: Service) -> Result<Signing, SettingError> {
    if variables.flag(name::UNSIGNED, false)? && service == Service::S3 {
        return Ok(Signing::Unsigned);
    }
    match (variables.get(name::KEY_ID), variables.get(name::SECRET)) {
        (Some(id), Some(secret)) => Ok(Signing::Key {
            id: id.to_owned(),
            secret: Secret::new(secret),
            token: variables.get(name::TOKEN).map(Secret::new),
        }),
        (Some(_), None) => {
            Err(SettingError::Missing { name: name::SECRET, allowed: "AWS_ACCESS_KEY_ID is set and needs it".into() })
        }
        (None, Some(_)) => Err(SettingError::Missing {
            name: name::KEY_ID,
            allowed: "AWS_SECRET_ACCESS_KEY is set and needs it".into(),
        }),
        (None, None) => Ok(Signing::Found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(service: Service, pairs: &[(&str, &str)]) -> Result<AwsSettings, SettingError> {
        let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        AwsSettings::from_variables(&variables, service)
    }

    #[test]
    fn without_variables_requests_go_to_amazon_with_whatever_credentials_are_found() {
        let settings = read(Service::S3, &[]).unwrap();
        let expected = AwsSettings { endpoint: None, region: "us-east-1".into(), signing: Signing::Found };
        assert_eq!(settings, expected);
    }

    #[test]
    fn the_endpoint_of_a_service_is_preferred_to_the_one_for_every_service() {
        let both = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_S3", "http://s3")];
        assert_eq!(read(Service::S3, &both).unwrap().endpoint.as_deref(), Some("http://s3"));
        assert_eq!(read(Service::Sqs, &both).unwrap().endpoint.as_deref(), Some("http://all"));
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_by_its_variable() {
        let error = read(Service::S3, &[("AWS_ENDPOINT_URL", "localhost:9000")]).unwrap_err();
        assert!(error.to_string().starts_with(r#"AWS_ENDPOINT_URL="localhost:9000" cannot be used"#), "{error}");
    }

    #[test]
    fn half_a_key_is_refused_without_repeating_it() {
        let error = read(Service::S3, &[("AWS_SECRET_ACCESS_KEY", "hush")]).unwrap_err().to_string();
        assert!(error.starts_with("AWS_ACCESS_KEY_ID is not set"), "{error}");
        assert!(!error.contains("hush"));
        let error = read(Service::S3, &[("AWS_ACCESS_KEY_ID", "AKIA")]).unwrap_err().to_string();
        assert!(error.starts_with("AWS_SECRET_ACCESS_KEY is not set"), "{error}");
    }

    #[test]
    fn unsigned_requests_win_over_a_key_for_buckets_alone_and_a_key_does_not_print() {
        let key = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_SESSION_TOKEN", "tok")];
        let settings = read(Service::S3, &key).unwrap();
        assert!(matches!(&settings.signing, Signing::Key { token: Some(token), .. } if token.expose() == "tok"));
        assert!(!format!("{settings:?}").contains("hush"));
        let mut unsigned = key.to_vec();
        unsigned.push(("AWS_NO_SIGN_REQUEST", "YES"));
        assert_eq!(read(Service::S3, &unsigned).unwrap().signing, Signing::Unsigned);
        assert_eq!(read(Service::Sqs, &unsigned).unwrap().signing, settings.signing);
    }
}
