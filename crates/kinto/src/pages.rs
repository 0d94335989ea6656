//! Lists, page by page.

use buildhub_http::{Answer, Method, Repeat, Request, Url};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::client::parse;
use crate::collection::{Head, etag, stored};
use crate::{Collection, KintoError, Query, Stored};

/// A record of a list, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<T> {
    /// A record.
    Record(Stored<T>),
    /// A deleted record; only lists with [`Query::since`] hold them.
    Deleted {
        /// Its id.
        id: String,
        /// When it was deleted, in milliseconds.
        last_modified: u64,
    },
}

impl<T> Entry<T> {
    /// The record, if it is one.
    pub fn record(self) -> Option<Stored<T>> {
        match self {
            Self::Record(stored) => Some(stored),
            Self::Deleted { .. } => None,
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its entries.
    pub entries: Vec<Entry<T>>,
    /// The moment of the collection's last change when the page was made, in milliseconds. The *first* page's is what
    /// to give [`Query::since`] next time: whatever changed while the list was read is listed again then.
    pub timestamp: u64,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

impl Collection {
    /// The records a query finds, a page at a time; the next page is asked for when the stream is. After an error the
    /// stream ends.
    ///
    /// Without an order of its own a query goes from the record written longest ago to the newest: a record written
    /// while the list is read moves to the end and is listed (again) there, so none is missed.
    pub fn pages<T>(&self, query: Query) -> impl Stream<Item = Result<Page<T>, KintoError>> + Send + use<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let collection = self.clone();
        let first = self.first(query);
        futures::stream::try_unfold(Some(first), move |next| {
            let collection = collection.clone();
            async move {
                let Some(request) = next else { return Ok(None) };
                collection.page(&request).await.map(Some)
            }
        })
    }

    /// All records a query finds, deleted ones left out. They are all held in memory: for lists known to be short,
    /// [`Collection::pages`] for others.
    pub async fn list<T>(&self, query: Query) -> Result<Vec<Stored<T>>, KintoError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut pages = std::pin::pin!(self.pages(query));
        let mut records = Vec::new();
        while let Some(page) = pages.try_next().await? {
            records.extend(page.entries.into_iter().filter_map(Entry::record));
        }
        Ok(records)
    }

    /// The first page of a query alone: with [`Query::limit`], the first few records it finds.
    pub async fn first_page<T>(&self, query: Query) -> Result<Page<T>, KintoError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut pages = std::pin::pin!(self.pages(query));
        pages.next().await.unwrap_or(Ok(Page { entries: Vec::new(), timestamp: 0 }))
    }

    fn first(&self, query: Query) -> Request {
        let query = if query.is_sorted() { query } else { query.sort(["last_modified"]) };
        let mut request = self.list_request(Method::GET);
        request.url.query_pairs_mut().extend_pairs(query.pairs());
        request
    }

    async fn page<T: DeserializeOwned>(&self, request: &Request) -> Result<(Page<T>, Option<Request>), KintoError> {
        let what = self.what("list", "");
        let answer = self.client.call(&what, request, Repeat::Safe).await?;
        let next = self.next(&what, &answer)?;
        let wire: Wire<'_> = parse(&what, &answer.body)?;
        let entries = wire.data.into_iter().map(|raw| entry(&what, raw)).collect::<Result<_, _>>()?;
        Ok((Page { entries, timestamp: etag(&what, &answer)? }, next))
    }

    /// The request for the page after this one. The address is the server's own, absolute: it is followed only where
    /// our credentials may go.
    fn next(&self, what: &str, answer: &Answer) -> Result<Option<Request>, KintoError> {
        let Some(text) = answer.header("next-page") else { return Ok(None) };
        let foreign = || KintoError::ForeignPage { what: what.to_owned(), url: text.to_owned() };
        let url: Url = text.parse().map_err(|_| foreign())?;
        if url.origin() != self.client.server().origin() {
            return Err(foreign());
        }
        Ok(Some(self.client.signed(Request::get(url))))
    }
}

fn entry<T: DeserializeOwned>(what: &str, raw: &RawValue) -> Result<Entry<T>, KintoError> {
    let head: Head = parse(what, raw.get().as_bytes())?;
    if head.deleted {
        return Ok(Entry::Deleted { id: head.id, last_modified: head.last_modified });
    }
    stored(what, head, raw).map(Entry::Record)
}
