//! What nobody works on any more: found, and sent again or removed.
