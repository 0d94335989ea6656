//! One message of the queue: lease, copy, result.
