//! What the API is told.

use buildhub_core::web::Cors;
use buildhub_core::{Secret, SettingError, Variables};
use jiff::tz::TimeZoneDatabase;

use super::address;
use crate::api::ApiSettings;
use crate::identity::{Claims, IdentitySource, SECRET_MIN};
use crate::variables::default_of;

const IDENTITY: &str = "SELF_SERVE_IDENTITY";
const SECRET: &str = "SELF_SERVE_PROXY_SECRET";
const NAME: &str = "SELF_SERVE_NAME_CLAIM";
const GROUPS: &str = "SELF_SERVE_GROUPS_CLAIM";
const ADMINS: &str = "SELF_SERVE_ADMINS";
const EVENTS: &str = "SELF_SERVE_EVENTS_AUTH";
const ZONE: &str = "SELF_SERVE_TIME_ZONE";
const ORIGINS: &str = "SELF_SERVE_CORS_ORIGINS";
const ADDRESS: &str = "SELF_SERVE_URL";

impl ApiSettings {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let text = |name: &'static str| vars.get(name).unwrap_or_else(|| default_of(name));
        let admins = text(ADMINS);
        let admins = admins.parse().map_err(|error| SettingError::invalid(ADMINS, admins, format!("{error}")))?;
        let events = vars.get(EVENTS).map(str::parse).transpose();
        let events =
            events.map_err(|error| SettingError::InvalidSecret { name: EVENTS, allowed: format!("{error}") })?;
        let zone = text(ZONE);
        let allowed = "it is a name of the time zone database (IANA): UTC, America/Los_Angeles";
        // By the rules that are built in: a system's own are looked for file by file, at each start.
        let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| SettingError::invalid(ZONE, zone, allowed))?;
        let address = vars.get(ADDRESS).map(|_| address(vars, ADDRESS, None)).transpose()?;
        Ok(Self { identity: identity(vars)?, admins, events, zone, origins: Cors::origins(vars, ORIGINS)?, address })
    }
}

fn identity(vars: &Variables) -> Result<IdentitySource, SettingError> {
    let text = |name: &'static str| vars.get(name).unwrap_or_else(|| default_of(name));
    let claims = Claims { name: text(NAME).to_owned(), groups: text(GROUPS).to_owned() };
    match text(IDENTITY) {
        "nobody" => Ok(IdentitySource::Nobody),
        "claims" => Ok(IdentitySource::Claims(claims)),
        "proxy" => {
            let allowed = || format!("it is the secret that the proxy signs with, of {SECRET_MIN} bytes or more");
            let secret = vars.get(SECRET).ok_or_else(|| SettingError::Missing { name: SECRET, allowed: allowed() })?;
            if secret.len() < SECRET_MIN {
                return Err(SettingError::InvalidSecret { name: SECRET, allowed: allowed() });
            }
            Ok(IdentitySource::Proxy { secret: Secret::new(secret), claims })
        }
        other => Err(SettingError::invalid(IDENTITY, other, "it is claims, proxy or nobody")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ApiSettings, SettingError> {
        let vars = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ApiSettings::from_variables(&vars)
    }

    #[test]
    fn without_settings_nobody_may_do_anything() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.identity, settings.events), (IdentitySource::Nobody, None));
        assert_eq!(settings.zone, jiff::tz::TimeZone::UTC);
        assert_eq!(read(&[(ZONE, "US/Pacific")]).unwrap().zone.iana_name(), Some("US/Pacific"));
    }

    #[test]
    fn who_says_who_asks_is_a_setting_and_a_weak_secret_is_none() {
        let secret = "0123456789abcdef0123456789abcdef";
        let proxy = read(&[(IDENTITY, "proxy"), (SECRET, secret), (NAME, "sub")]).unwrap().identity;
        assert!(
            matches!(&proxy, IdentitySource::Proxy { claims, .. } if claims.name == "sub" && claims.groups == "groups")
        );
        assert!(!format!("{proxy:?}").contains(secret));
        assert!(matches!(read(&[(IDENTITY, "claims")]).unwrap().identity, IdentitySource::Claims(_)));
        for (pairs, expected) in [
            (&[(IDENTITY, "proxy")][..], "SELF_SERVE_PROXY_SECRET is not set"),
            (&[(IDENTITY, "proxy"), (SECRET, "hush")], "SELF_SERVE_PROXY_SECRET cannot be used"),
            (&[(IDENTITY, "header")], "SELF_SERVE_IDENTITY=\"header\""),
            (&[(EVENTS, "hush")], "SELF_SERVE_EVENTS_AUTH cannot be used"),
            (&[(ZONE, "Mars/Olympus")], "SELF_SERVE_TIME_ZONE=\"Mars/Olympus\""),
            (&[(ADMINS, "team:x")], "SELF_SERVE_ADMINS=\"team:x\""),
            (&[(ORIGINS, "example.com")], "SELF_SERVE_CORS_ORIGINS=\"example.com\""),
            (&[(ADDRESS, "x")], "SELF_SERVE_URL=\"x\""),
        ] {
            let error = read(pairs).unwrap_err().to_string();
            assert!(error.starts_with(expected) && !error.contains("hush"), "{error}");
        }
    }
}
