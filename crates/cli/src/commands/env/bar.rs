//! A bar on a terminal, a log line a step elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildhub_environments::progress::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Whoever tells people how far it is, as fits where standard error goes.
pub(super) fn progress() -> Arc<dyn Progress> {
    if crate::is_watched() { Arc::new(Bar::default()) } else { Arc::new(Lines::default()) }
}

/// One bar, on standard error: gone when it is dropped.
#[derive(Debug, Default)]
struct Bar(Mutex<Option<(String, ProgressBar)>>);

impl Progress for Bar {
    fn at(&self, step: &str, done: u64, total: Option<u64>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = current.as_ref().is_some_and(|(name, bar)| name == step && bar.length() == total);
        if !is_same {
            if let Some((_, bar)) = current.take() {
                bar.finish_and_clear();
            }
            *current = Some((step.to_owned(), begin(step, total)));
        }
        if let Some((_, bar)) = &*current {
            bar.set_position(done);
        }
    }
}

fn begin(step: &str, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = match total {
        Some(_) => "{msg:28} {wide_bar:.cyan/blue} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}",
        None => "{msg:28} {spinner} {bytes} {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(step.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((_, bar)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

/// A line where a step begins.
#[derive(Debug, Default)]
struct Lines(Mutex<String>);

impl Progress for Lines {
    fn at(&self, step: &str, _done: u64, total: Option<u64>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != step {
            step.clone_into(&mut current);
            tracing::info!(total, "{step}");
        }
    }
}
