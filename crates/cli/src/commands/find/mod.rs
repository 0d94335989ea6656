//! `buildhub find`: what the store's users ask.

mod question;
mod show;

use buildhub_core::Variables;
use buildhub_indexer::Connector;
use buildhub_indexer::settings::KintoSettings;
use buildhub_kinto::{Collection, Query};
use buildhub_releases::{Product, Record};
use clap::ArgMatches;
use futures::{StreamExt as _, pin_mut};

use crate::CommandError;
use question::Question;

/// Channels that records can have (see the checks of `buildhub_releases`).
const CHANNELS: [&str; 5] = ["release", "beta", "aurora", "esr", "nightly"];

/// Records asked for at a time.
const PAGE: usize = 1_000;

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let question = Question::from_matches(matches)?;
    let target = Connector::from_variables(vars)?.target(KintoSettings::from_variables(vars)?)?;
    let limit = match matches.get_one::<usize>("limit").copied().unwrap_or_default() {
        0 => usize::MAX,
        limit => limit,
    };
    let mut writer = show::Writer::new(matches.get_flag("json"));
    if matches.get_flag("latest") {
        for query in latest_queries(&question) {
            ask(&target.collection, query, &question, 1, &mut writer).await?;
        }
    } else {
        ask(&target.collection, question.query(), &question, limit, &mut writer).await?;
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
        Some(channel) => vec![channel.clone()],
        None => CHANNELS.iter().flat_map(|name| [(*name).to_owned(), format!("{name}-old-id")]).collect(),
    };
    let pairs = products.iter().flat_map(|product| channels.iter().map(move |channel| (product, channel)));
    pairs
        .map(|(product, channel)| {
            question.common().eq("source.product", *product).eq("target.channel", channel.as_str())
        })
        .collect()
}

/// Writes the first `limit` records that answer the question, the newest first.
async fn ask(
    collection: &Collection,
    query: Query,
    question: &Question,
    limit: usize,
    writer: &mut show::Writer,
) -> Result<(), CommandError> {
    let is_filtered_here = question.range.is_some();
    let page = if is_filtered_here { PAGE } else { PAGE.min(limit) };
    let pages = collection.pages::<Record>(query.sort(["-build.id", "id"]).limit(page));
    pin_mut!(pages);
    let mut left = limit;
    while let Some(page) = pages.next().await {
        for record in page?.entries.into_iter().filter_map(buildhub_kinto::Entry::record) {
            if left == 0 {
                return Ok(());
            }
            if question.is_in_range(&record.data.target.version) {
                writer.write(record.data).map_err(CommandError::Output)?;
                left -= 1;
            }
        }
        if left == 0 {
            return Ok(());
        }
    }
    Ok(())
}
