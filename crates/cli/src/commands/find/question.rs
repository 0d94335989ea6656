//! A question: what the store filters by, and what only we can.

use buildhub_kinto::Query;
use buildhub_releases::{Build, Product, Version};
use clap::ArgMatches;
use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::CommandError;

/// Characters of a whole source revision.
const WHOLE_REVISION: usize = 40;

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) product: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) range: Option<Range>,
    version: Option<String>,
    build_id: Option<String>,
    revision: Option<String>,
    platform: Option<String>,
    locale: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

/// A range of versions, in their own order: the store's is that of their letters, in which 9 comes after 10.
#[derive(Debug)]
pub(super) struct Range(Vec<(Comparison, Version)>);

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

impl Question {
    pub(super) fn from_matches(matches: &ArgMatches) -> Result<Self, CommandError> {
        let text = |name: &str| matches.get_one::<String>(name).map(|text| text.trim().to_owned());
        let version = text("version");
        let is_range = version.as_deref().is_some_and(|text| text.contains(['<', '>', '=', ',']));
        Ok(Self {
            product: text("product").map(|name| product(&name)).transpose()?,
            channel: text("channel"),
            range: version.as_deref().filter(|_| is_range).map(Range::parse).transpose()?,
            version: version.filter(|_| !is_range),
            build_id: text("build-id"),
            revision: text("revision").map(|hash| hash.to_ascii_lowercase()),
            platform: text("platform"),
            locale: text("locale"),
            since: text("since").map(|date| moment("--since", &date, false)).transpose()?,
            until: text("until").map(|date| moment("--until", &date, true)).transpose()?,
        })
    }

    /// Everything that the store filters by, asked of builds that metadata describes, or of those that none does.
    pub(super) fn query(&self, described: bool) -> Query {
        let query = self.common(described);
        let query = when(query, self.product.as_ref(), |query, name| query.eq("source.product", name.as_str()));
        when(query, self.channel.as_ref(), |query, name| query.eq("target.channel", name.as_str()))
    }

    /// The same without product and channel.
    pub(super) fn common(&self, described: bool) -> Query {
        // First, for Kinto's memory back end (26.5) forgets the filters that stand before this one.
        let mut query = Query::new().has("build.id", described);
        for (field, value) in [
            ("target.version", &self.version),
            ("build.id", &self.build_id),
            ("target.platform", &self.platform),
            ("target.locale", &self.locale),
        ] {
            query = when(query, value.as_ref(), |query, value| query.eq(field, value.as_str()));
        }
        let query = when(query, self.revision.as_ref(), |query, hash| match hash.len() {
            WHOLE_REVISION => query.eq("source.revision", hash.as_str()),
            // Between the prefix and what follows all its hexadecimal digits. (The store's own pattern search finds it
            // in the middle too, and fails on records without a revision.)
            _ => query.min("source.revision", hash.as_str()).lt("source.revision", format!("{hash}g")),
        });
        // The build id says the same as the date, and is what the list is sorted by: where it begins, an index can tell.
        let digits = |date: &str| date.chars().filter(char::is_ascii_digit).collect::<String>();
        when(query, self.until.as_ref(), |query, date| {
            query.lt("build.id", digits(date)).lt("build.date", date.as_str())
        })
    }

    /// Whether a build is older than asked for, and with it all that follow it, for the newest come first. The store is not
    /// asked for it: to Kinto, "this or later" is also what has no such field, and no index helps to find that, so that
    /// every build there is would be looked at.
    pub(super) fn is_past(&self, build: Option<&Build>) -> bool {
        let date = build.and_then(|build| build.date.as_deref());
        self.since.as_deref().zip(date).is_some_and(|(since, date)| date < since)
    }

    /// Whether only a build that metadata describes can be the answer.
    pub(super) fn is_about_the_build(&self) -> bool {
        self.build_id.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// Whether a version is in the range asked for; one that is no version is in no range.
    pub(super) fn is_in_range(&self, version: &str) -> bool {
        let Some(range) = &self.range else { return true };
        version.parse().is_ok_and(|version| range.contains(&version))
    }
}

fn when<T>(query: Query, value: Option<T>, filter: impl FnOnce(Query, T) -> Query) -> Query {
    match value {
        Some(value) => filter(query, value),
        None => query,
    }
}

/// A product by the name its records have, or by its folder's.
fn product(text: &str) -> Result<String, CommandError> {
    let known = Product::ALL.iter().find(|product| product.name() == text || product.folder() == text);
    known.map(|product| product.name().to_owned()).ok_or_else(|| {
        let names: Vec<_> = Product::ALL.iter().map(|product| product.name()).collect();
        CommandError::Usage(format!("--product {text:?} is not known: it is one of {}", names.join(", ")))
    })
}

/// A day or a time, as records write times; the end of the day where `end` is meant.
fn moment(flag: &str, text: &str, end: bool) -> Result<String, CommandError> {
    let day = text.parse::<Date>().ok().filter(|_| text.len() == "2018-01-31".len());
    let time = match day {
        Some(day) => {
            let day = if end { day.checked_add(1.day()).unwrap_or(day) } else { day };
            day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        }
        None => text.parse::<Timestamp>().ok(),
    };
    let time = time.and_then(|time| Timestamp::from_second(time.as_second()).ok());
    time.map(|time| time.to_string()).ok_or_else(|| {
        CommandError::Usage(format!("{flag} {text:?} is no date: it is like 2018-01-31 or 2018-01-31T12:00:00Z"))
    })
}

impl Range {
    fn parse(text: &str) -> Result<Self, CommandError> {
        let bounds = text.split(',').map(str::trim).filter(|bound| !bound.is_empty()).map(Self::bound);
        Ok(Self(bounds.collect::<Result<_, _>>()?))
    }

    fn bound(text: &str) -> Result<(Comparison, Version), CommandError> {
        const SIGNS: [(&str, Comparison); 5] = [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=", Comparison::Equal),
        ];
        let signed = SIGNS.iter().find_map(|(sign, comparison)| Some((text.strip_prefix(sign)?, *comparison)));
        let (version, comparison) = signed.unwrap_or((text, Comparison::Equal));
        let version = version.trim().parse::<Version>();
        let version = version
            .map_err(|error| CommandError::Usage(format!("--version: {error}; a range is like \">=60.0, <61\"")))?;
        Ok((comparison, version))
    }

    fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|(comparison, bound)| match comparison {
            Comparison::Less => version < bound,
            Comparison::LessOrEqual => version <= bound,
            Comparison::Greater => version > bound,
            Comparison::GreaterOrEqual => version >= bound,
            Comparison::Equal => version == bound,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(range: &str, version: &str) -> bool {
        let question = Question { range: Some(Range::parse(range).unwrap()), ..Question::default() };
        question.is_in_range(version)
    }

    #[test]
    fn ranges_follow_the_order_of_versions() {
        assert!(is_in(">=50.0b9, <51", "50.0b11") && is_in(">9", "10.0") && is_in("<=60.0", "60.0"));
        assert!(!is_in(">=50.0b9, <51", "51.0") && !is_in("<100", "100.0.1") && !is_in(">1", "no version"));
    }

    #[test]
    fn a_day_is_meant_whole() {
        assert_eq!(moment("--since", "2018-01-31", false).unwrap(), "2018-01-31T00:00:00Z");
        assert_eq!(moment("--until", "2018-01-31", true).unwrap(), "2018-02-01T00:00:00Z");
        assert_eq!(moment("--until", "2018-01-31T12:00:00Z", true).unwrap(), "2018-01-31T12:00:00Z");
        assert!(moment("--since", "yesterday", false).unwrap_err().to_string().contains("yesterday"));
    }

    #[test]
    fn products_go_by_either_name() {
        assert_eq!(product("mobile").unwrap(), "fennec");
        assert!(product("firefux").unwrap_err().to_string().contains("devedition"));
    }
}
