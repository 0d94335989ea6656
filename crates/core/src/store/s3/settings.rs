//! How to reach S3, read from variables.

use crate::{Secret, SettingError, Variables};

/// The names of the variables, those of the AWS SDKs and tools wherever they have one.
mod name {
    pub(super) const ENDPOINT_S3: &str = "AWS_ENDPOINT_URL_S3";
    pub(super) const ENDPOINT: &str = "AWS_ENDPOINT_URL";
    pub(super) const REGION: &str = "AWS_REGION";
    pub(super) const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
    pub(super) const PATH_STYLE: &str = "AWS_S3_FORCE_PATH_STYLE";
    pub(super) const UNSIGNED: &str = "AWS_NO_SIGN_REQUEST";
    pub(super) const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
    pub(super) const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    pub(super) const TOKEN: &str = "AWS_SESSION_TOKEN";
}

/// How to reach S3, or a server that speaks like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The server, where it is not Amazon's: `AWS_ENDPOINT_URL_S3`, or `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// `AWS_REGION`, or `AWS_DEFAULT_REGION`; `us-east-1` when neither is set.
    pub region: String,
    /// Whether the bucket stands in the path (`http://host/bucket/key`) and not in the host's name:
    /// `AWS_S3_FORCE_PATH_STYLE`. When unset, it does wherever an endpoint is named, since a local server has no name
    /// for each bucket.
    pub path_style: bool,
    /// What requests are signed with.
    pub signing: Signing,
}

/// What requests to S3 are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Nothing: the bucket is public. `AWS_NO_SIGN_REQUEST=true`, the variable of GDAL and the meaning of the AWS
    /// CLI's `--no-sign-request`.
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

impl S3Settings {
    /// Reads the settings. An endpoint must be a URL, and an access key must come with its secret.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        let endpoint = match endpoint(variables, name::ENDPOINT_S3)? {
            Some(url) => Some(url),
            None => endpoint(variables, name::ENDPOINT)?,
        };
        let region = variables.get(name::REGION).or_else(|| variables.get(name::DEFAULT_REGION));
        Ok(Self {
            region: region.unwrap_or("us-east-1").to_owned(),
            path_style: variables.flag(name::PATH_STYLE, endpoint.is_some())?,
            signing: signing(variables)?,
            endpoint,
        })
    }
}

fn endpoint(variables: &Variables, name: &'static str) -> Result<Option<String>, SettingError> {
    match variables.get(name) {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(Some(url.to_owned())),
        Some(other) => Err(SettingError::invalid(name, other, "it is a URL such as http://localhost:9000")),
        None => Ok(None),
    }
}

fn signing(variables: &Variables) -> Result<Signing, SettingError> {
    if variables.flag(name::UNSIGNED, false)? {
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

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn read(pairs: &[(&str, &str)]) -> Result<S3Settings, SettingError> {
        S3Settings::from_variables(&variables(pairs))
    }

    #[test]
    fn without_variables_requests_go_to_amazon_with_whatever_credentials_are_found() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.endpoint, None);
        assert_eq!(settings.region, "us-east-1");
        assert!(!settings.path_style);
        assert_eq!(settings.signing, Signing::Found);
    }

    #[test]
    fn an_endpoint_means_path_style_unless_it_is_refused() {
        let local = ("AWS_ENDPOINT_URL", "http://localhost:9000");
        assert!(read(&[local]).unwrap().path_style);
        assert!(!read(&[local, ("AWS_S3_FORCE_PATH_STYLE", "false")]).unwrap().path_style);
    }

    #[test]
    fn the_endpoint_for_s3_is_preferred_to_the_one_for_every_service() {
        let both = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_S3", "http://s3")];
        assert_eq!(read(&both).unwrap().endpoint.as_deref(), Some("http://s3"));
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_by_its_variable() {
        let error = read(&[("AWS_ENDPOINT_URL", "localhost:9000")]).unwrap_err();
        assert!(error.to_string().starts_with(r#"AWS_ENDPOINT_URL="localhost:9000" cannot be used"#), "{error}");
    }

    #[test]
    fn half_a_key_is_refused_without_repeating_it() {
        let error = read(&[("AWS_SECRET_ACCESS_KEY", "hush")]).unwrap_err().to_string();
        assert!(error.starts_with("AWS_ACCESS_KEY_ID is not set"), "{error}");
        assert!(!error.contains("hush"));
        let error = read(&[("AWS_ACCESS_KEY_ID", "AKIA")]).unwrap_err().to_string();
        assert!(error.starts_with("AWS_SECRET_ACCESS_KEY is not set"), "{error}");
    }

    #[test]
    fn unsigned_requests_win_over_a_key_and_a_key_does_not_print() {
        let key = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_SESSION_TOKEN", "tok")];
        let settings = read(&key).unwrap();
        assert!(matches!(&settings.signing, Signing::Key { token: Some(token), .. } if token.expose() == "tok"));
        assert!(!format!("{settings:?}").contains("hush"));
        let mut unsigned = key.to_vec();
        unsigned.push(("AWS_NO_SIGN_REQUEST", "YES"));
        assert_eq!(read(&unsigned).unwrap().signing, Signing::Unsigned);
    }
}
