//! The answers to those who ask: a redirect, a task, how far it is.
