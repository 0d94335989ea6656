//! Jobs, carried out.

mod message;

pub use message::Message;
