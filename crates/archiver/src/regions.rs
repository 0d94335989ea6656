//! The buckets, in their order.
