//! `buildhub find`: what the store's users ask.

mod question;
mod show;

use buildhub_core::Variables;
use buildhub_indexer::Connector;
use buildhub_indexer::settings::KintoSettings;
use buildhub_kinto::{Collection, Query};
use buildhub_releases::{CHANNELS, Product, Record};
use clap::ArgMatches;
use futures::{StreamExt as _, pin_mut};
use serde_json::value::RawValue;

use crate::CommandError;
use question::Question;

/// What records are sorted by: the later the build, the greater its id.
const NEWEST_FIRST: &str = "-build.id";

/// Records asked for at a time.
const PAGE: usize = 1_000;

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let question = Question::from_matches(matches)?;
    let target = Connector::from_variables(vars)?.target(KintoSettings::from_variables(vars)?)?;
    let limit = match matches.get_one::<usize>("limit").copied().unwrap_or_default() {
        0 => usize::MAX,
        limit => limit,
    };
    let mut left = limit;
    let mut writer = show::Writer::new(matches.get_flag("json"));
    if matches.get_flag("latest") {
        for query in latest_queries(&question) {
            left -= ask(&target.collection, query, &question, left.min(1), &mut writer).await?;
        }
    } else {
        // A store sorts what has no build id before all that has one: those few come last, by a question of their own.
        let kinds = if question.is_about_the_build() { &[true][..] } else { &[true, false] };
        for described in kinds.iter().copied() {
            let query = question.query(described);
            left -= ask(&target.collection, query, &question, left, &mut writer).await?;
        }
    }
    let found = writer.finish(limit).map_err(CommandError::Output)?;
    Ok(found > 0)
}

/// One question for each product and channel, as far as the question leaves them open.
fn latest_queries(question: &Question) -> Vec<Query> {
    let products: Vec<&str> = match &question.product {
        Some(product) => vec![product],
        None => Product::ALL.iter().map(|product| product.name()).collect(),
    };
    let channels = match &question.channel {
        Some(channel) => vec![channel.as_str()],
        None => CHANNELS.to_vec(),
    };
    let pairs = products.iter().flat_map(|product| channels.iter().map(move |channel| (product, channel)));
    pairs
        .map(|(product, channel)| question.common(true).eq("source.product", *product).eq("target.channel", *channel))
        .collect()
}

/// Writes the first `limit` records that answer the question, the newest first. Says how many there were.
async fn ask(
    collection: &Collection,
    query: Query,
    question: &Question,
    limit: usize,
    writer: &mut show::Writer,
) -> Result<usize, CommandError> {
    let is_filtered_here = question.range.is_some();
    let page = if is_filtered_here { PAGE } else { PAGE.min(limit) };
    let mut found = 0;
    if limit == 0 {
        return Ok(found);
    }
    let pages = collection.pages::<Box<RawValue>>(query.sort([NEWEST_FIRST, "id"]).limit(page));
    pin_mut!(pages);
    while let Some(page) = pages.next().await {
        let stored = page?.entries.into_iter().filter_map(buildhub_kinto::Entry::record);
        // A collection may hold what others put there and what is no build: nobody asks for that here.
        let records = stored.filter_map(|stored| serde_json::from_str::<Record>(stored.data.get()).ok());
        for record in records {
            if question.is_past(record.build.as_ref()) {
                return Ok(found);
            }
            if !question.is_in_range(&record.target.version) {
                continue;
            }
            writer.write(record).map_err(CommandError::Output)?;
            found += 1;
            if found == limit {
                return Ok(found);
            }
        }
    }
    Ok(found)
}
