//! What is published, for those who read it: the list, locks, and what of the list is meant.

use serde::de::DeserializeOwned;

use crate::definition::Label;
use crate::lock::{self, Lock, LockError};
use crate::places::{Address, FetchError, Places};
use crate::publish::{INDEX_LIMIT, Index, Listed, Use, VERSION, layout};

/// A place where environments are published.
#[derive(Debug)]
pub struct Catalogue<'a> {
    places: &'a Places,
    base: Address,
}

/// Why what is published cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It cannot be read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It cannot be read as what it should be.
    #[error("{address} is not what is published there as a rule: {reason}")]
    Damaged {
        /// What was read.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A lock is damaged.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Nothing is published that is meant.
    #[error("no published environment is {asked}; `buildhub env list --all` shows them")]
    None {
        /// What was asked for.
        asked: String,
    },
    /// More than one thing may be meant.
    #[error("{asked} may be {count} environments: {}", .some.join(", "))]
    Several {
        /// What was asked for.
        asked: String,
        /// How many there are.
        count: usize,
        /// The first of them.
        some: Vec<String>,
    },
}

/// Which environments are meant: those that somebody uses who fits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// The branch.
    pub branch: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// The build type.
    pub build_type: Option<String>,
    /// The channel.
    pub channel: Option<String>,
}

impl Question {
    /// Whether nothing is asked: everybody fits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a use fits.
    pub fn fits(&self, one: &Use) -> bool {
        let Label { branch, platform, product, build_type, channel } = &one.label;
        let fits = |asked: &Option<String>, is: Option<&String>| asked.is_none() || asked.as_ref() == is;
        fits(&self.branch, Some(branch))
            && fits(&self.platform, Some(platform))
            && fits(&self.product, Some(product))
            && fits(&self.build_type, build_type.as_ref())
            && fits(&self.channel, channel.as_ref())
    }

    fn describe(&self) -> String {
        let parts = [
            ("branch", &self.branch),
            ("platform", &self.platform),
            ("product", &self.product),
            ("build type", &self.build_type),
            ("channel", &self.channel),
        ];
        let said = parts.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        format!("of {}", said.collect::<Vec<_>>().join(", "))
    }
}

impl<'a> Catalogue<'a> {
    /// What is published at an address.
    pub fn new(places: &'a Places, base: Address) -> Self {
        Self { places, base }
    }

    pub(crate) fn places(&self) -> &Places {
        self.places
    }

    /// Where something of it is.
    pub fn address(&self, key: &str) -> Address {
        self.base.join(key)
    }

    /// All published environments; none where nothing was published yet.
    pub async fn index(&self) -> Result<Index, CatalogueError> {
        match self.json::<Index>(layout::INDEX, INDEX_LIMIT).await {
            Ok(index) if index.version == VERSION => Ok(index),
            Ok(index) => {
                let reason = format!("its version is {}, and this program knows {VERSION}", index.version);
                Err(CatalogueError::Damaged { address: self.address(layout::INDEX).to_string(), reason })
            }
            Err(CatalogueError::Fetch(error)) if error.is_not_found() => Ok(Index::empty()),
            Err(error) => Err(error),
        }
    }

    /// A lock by its key, whose bytes are what its key says.
    pub async fn lock(&self, key: &str) -> Result<Lock, CatalogueError> {
        let address = self.address(&layout::lock(key));
        let bytes = self.places.read(&address, lock::LIMIT).await?;
        let lock = Lock::parse(&bytes, &address.to_string())?;
        let found = lock.key()?;
        if found == key {
            return Ok(lock);
        }
        Err(CatalogueError::Damaged { address: address.to_string(), reason: format!("it is the lock {found}") })
    }

    /// The one environment that a name means: its archive's name, its hash or its lock's key (or the beginning of one, 8
    /// digits at least), or a label with slashes.
    pub fn named<'i>(index: &'i Index, name: &str) -> Result<&'i Listed, CatalogueError> {
        const LEAST: usize = 8;
        let digits = name.strip_suffix(".tar.xz").unwrap_or(name);
        let is_hash = digits.len() >= LEAST && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_meant = |listed: &&Listed| {
            let build = &listed.build;
            is_hash && (build.sha256.starts_with(digits) || build.lock.starts_with(digits))
                || listed.labels.iter().any(|one| one.label.to_string() == name)
        };
        one(&index.environments.iter().filter(is_meant).collect::<Vec<_>>(), name)
    }

    /// The one environment that a question means.
    pub fn asked<'i>(index: &'i Index, question: &Question) -> Result<&'i Listed, CatalogueError> {
        let is_meant = |listed: &&Listed| listed.labels.iter().any(|one| question.fits(one));
        one(&index.environments.iter().filter(is_meant).collect::<Vec<_>>(), &question.describe())
    }

    async fn json<T: DeserializeOwned>(&self, key: &str, limit: usize) -> Result<T, CatalogueError> {
        let address = self.address(key);
        let bytes = self.places.read(&address, limit).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| CatalogueError::Damaged { address: address.to_string(), reason: error.to_string() })
    }
}

fn one<'i>(found: &[&'i Listed], asked: &str) -> Result<&'i Listed, CatalogueError> {
    const SHOWN: usize = 5;
    match found {
        [listed] => Ok(listed),
        [] => Err(CatalogueError::None { asked: asked.to_owned() }),
        // Several locks may give the same bytes: then it is one archive, and the newest papers of it are meant.
        [first, others @ ..] if others.iter().all(|other| other.build.sha256 == first.build.sha256) => Ok(others
            .iter()
            .fold(first, |newest, other| if other.build.created > newest.build.created { other } else { newest })),
        several => {
            let some = several.iter().take(SHOWN).map(|listed| listed.build.name.clone()).collect();
            Err(CatalogueError::Several { asked: asked.to_owned(), count: several.len(), some })
        }
    }
}
