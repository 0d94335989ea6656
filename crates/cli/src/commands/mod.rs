//! One file a command. Each says whether all it was asked could be done.

pub(crate) mod archive;
pub(crate) mod convert;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod event;
pub(crate) mod find;
pub(crate) mod init;
pub(crate) mod latest;
pub(crate) mod load;
pub(crate) mod self_serve;
pub(crate) mod serve;
