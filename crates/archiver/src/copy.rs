//! One stream into the buckets of many regions.
