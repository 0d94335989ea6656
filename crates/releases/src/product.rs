//! The products of the archive and sets of them.

use std::fmt;
use std::str::FromStr;

/// A product of the archive: the folder below `pub/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Firefox for desktops.
    Firefox,
    /// Thunderbird.
    Thunderbird,
    /// Firefox for Android and Maemo until version 68: folder `mobile`, product `fennec`.
    Fennec,
    /// Firefox Developer Edition; its files are named `firefox`.
    Devedition,
    /// Firefox Focus for Android.
    Focus,
    /// Firefox for Android since version 79.
    Fenix,
}

impl Product {
    /// Every product, in the order in which messages list them.
    pub const ALL: [Self; 6] =
        [Self::Firefox, Self::Thunderbird, Self::Fennec, Self::Devedition, Self::Focus, Self::Fenix];

    /// The folder below `pub/`, as the setting `PRODUCTS` names the product.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Firefox => "firefox",
            Self::Thunderbird => "thunderbird",
            Self::Fennec => "mobile",
            Self::Devedition => "devedition",
            Self::Focus => "focus",
            Self::Fenix => "fenix",
        }
    }

    /// The name in records (`source.product`) and ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fennec => "fennec",
            other => other.folder(),
        }
    }

    /// What the names of its files start with, in lower case.
    pub const fn file_prefix(self) -> &'static str {
        match self {
            Self::Devedition => "firefox",
            other => other.name(),
        }
    }

    /// Whether the archive keeps this product the way it keeps Firefox for Android since 2021: one folder per
    /// architecture named after product and version, no locale folder.
    pub(crate) const fn is_android_only(self) -> bool {
        matches!(self, Self::Focus | Self::Fenix)
    }

    /// The product of a folder below `pub/`.
    pub(crate) fn of_folder(folder: &str) -> Option<Self> {
        // The names again, because a match on constants compares words where a loop over them calls for each.
        Some(match folder {
            "firefox" => Self::Firefox,
            "thunderbird" => Self::Thunderbird,
            "mobile" => Self::Fennec,
            "devedition" => Self::Devedition,
            "focus" => Self::Focus,
            "fenix" => Self::Fenix,
            _ => return None,
        })
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Product {
    type Err = UnknownProduct;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of_folder(text).ok_or_else(|| UnknownProduct { name: text.to_owned() })
    }
}

/// A name that is the folder of no product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no product; allowed are firefox, thunderbird, mobile, devedition, focus, fenix")]
pub struct UnknownProduct {
    /// The name as it was given.
    pub name: String,
}

/// A set of products.
///
/// The default is the four that the original Buildhub knew; Focus and Fenix are asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products(u8);

impl Products {
    /// The set with nothing in it.
    pub const NONE: Self = Self(0);

    /// The set of the products whose folders are named. An empty list is the empty set.
    ///
    /// ```
    /// use buildhub_releases::{Product, Products};
    /// let products = Products::parse(["firefox", "mobile"])?;
    /// assert!(products.contains(Product::Fennec) && !products.contains(Product::Thunderbird));
    /// assert!(Products::parse(["netscape"]).unwrap_err().to_string().contains("allowed are firefox"));
    /// # Ok::<(), buildhub_releases::UnknownProduct>(())
    /// ```
    pub fn parse<'a>(folders: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownProduct> {
        folders.into_iter().try_fold(Self::NONE, |set, folder| Ok(set.with(folder.parse()?)))
    }

    /// This set and one product more.
    #[must_use]
    pub const fn with(self, product: Product) -> Self {
        Self(self.0 | 1 << product as u8)
    }

    /// Whether a product is in the set.
    pub const fn contains(self, product: Product) -> bool {
        self.0 & (1 << product as u8) != 0
    }

    /// The products of the set.
    pub fn iter(self) -> impl Iterator<Item = Product> {
        Product::ALL.into_iter().filter(move |product| self.contains(*product))
    }
}

impl Default for Products {
    fn default() -> Self {
        Self::NONE.with(Product::Firefox).with(Product::Thunderbird).with(Product::Fennec).with(Product::Devedition)
    }
}

impl FromIterator<Product> for Products {
    fn from_iter<I: IntoIterator<Item = Product>>(products: I) -> Self {
        products.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_found_by_its_folder() {
        for product in Product::ALL {
            assert_eq!(product.folder().parse(), Ok(product));
        }
        assert_eq!("mobile".parse::<Product>().map(Product::name), Ok("fennec"));
    }

    #[test]
    fn an_unknown_product_says_what_is_allowed() {
        let fault = "Firefox".parse::<Product>().unwrap_err().to_string();
        for product in Product::ALL {
            assert!(fault.contains(product.folder()), "{fault}");
        }
    }

    #[test]
    fn the_default_is_what_the_original_knew() {
        let names: Vec<_> = Products::default().iter().map(Product::folder).collect();
        assert_eq!(names, ["firefox", "thunderbird", "mobile", "devedition"]);
    }
}
