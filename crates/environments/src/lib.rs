//! Build environments: the root file systems that official builds are made in, published so that anyone can unpack one
//! and build in it.
//!
//! ```text
//! definition ──► lock ──► tree ──► archive ──► publication
//!  (people)    (exact)  (files)  (bytes)    (objects, index)
//!                 ▲        ▲
//!     rpm-repo: repo, solve │ rpm
//!   chroot-tar: an uploaded root
//! ```
//!
//! A *definition* is what people edit: packages and repositories, or an uploaded root; what is left out and why; who uses
//! it. A *lock* is what it means today, to the byte: its hash is the name of the build. A *tree* is every file of the
//! environment once, with its owner and mode. An *archive* is the tree as a compressed tar, named by its own hash: one
//! lock gives the same bytes on every machine.
//!
//! | module | holds |
//! |---|---|
//! | [`definition`] | what people write, checked |
//! | [`lock`] | what it means exactly; its key; what differs between two |
//! | [`digest`] | hashes as they are written |
//! | [`places`] | where a definition's addresses lead, and what is there |
//! | [`publish`] | what is published, where, in which order; the list of environments |
//! | [`build`] | all of it joined: a definition becomes a lock, a lock becomes what is published |
//! | [`unpack`] | an archive becomes a folder again |
//! | [`catalogue`] | what is published, for those who read it |
//! | [`settings`], [`variables`] | what a program is told |
//! | [`progress`] | how far work is |
//! | [`evr`] | versions of packages and rpm's order of them |
//! | [`keys`] | OpenPGP keys, and what they signed |
//! | [`repo`] | repositories of packages: metadata fetched, verified, read |
//! | [`solve`] | which packages a definition means |
//! | [`tree`] | files merged from packages or a root: conflicts, owners, times; their contents on disk |
//! | [`rpm`] | packages: headers, signatures, payloads, scriptlets |
//! | [`rpmdb`] | rpm's database: written, read, and packages removed from it |
//! | [`chroot`] | an uploaded root, read and judged |
//! | [`archive`] | a tree as a compressed tar |
//! | [`legal`] | licences, bill of materials, source packages |
//! | [`decompress`] | gzip, bzip2, xz and zstd, told apart and read |

pub mod archive;
pub mod build;
pub mod catalogue;
pub mod chroot;
pub mod decompress;
pub mod definition;
pub mod digest;
pub mod evr;
pub mod image;
pub mod keys;
pub mod legal;
pub mod lock;
pub mod places;
pub mod progress;
pub mod publish;
pub mod repo;
pub mod rpm;
pub mod rpmdb;
pub mod settings;
pub mod solve;
mod tar;
pub mod tree;
pub mod unpack;
pub mod variables;
