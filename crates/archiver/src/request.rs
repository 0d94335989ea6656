//! What is asked for, its key and its task's id.
