//! How to reach S3, read from variables.

use crate::aws::{AwsSettings, Service};
use crate::{SettingError, Variables};

/// The variable that says where a bucket's name stands in an address.
const PATH_STYLE: &str = "AWS_S3_FORCE_PATH_STYLE";

/// How to reach S3, or a server that speaks like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// What S3 has in common with other services.
    pub aws: AwsSettings,
    /// Whether the bucket stands in the path (`http://host/bucket/key`) and not in the host's name:
    /// `AWS_S3_FORCE_PATH_STYLE`. When unset, it does wherever an endpoint is named, since a local server has no name
    /// for each bucket.
    pub path_style: bool,
}

impl S3Settings {
    /// Reads the settings.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        let aws = AwsSettings::from_variables(variables, Service::S3)?;
        Ok(Self { path_style: variables.flag(PATH_STYLE, aws.endpoint.is_some())?, aws })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_means_path_style_unless_it_is_refused() {
        let path_style = |variables: &Variables| S3Settings::from_variables(variables).unwrap().path_style;
        assert!(!path_style(&Variables::default()));
        let local = Variables::default().with("AWS_ENDPOINT_URL", "http://localhost:9000");
        assert!(path_style(&local));
        assert!(!path_style(&local.with("AWS_S3_FORCE_PATH_STYLE", "false")));
    }
}
