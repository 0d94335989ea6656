//! A bar on a terminal, log lines elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildhub_indexer::{LogProgress, Progress, Stage};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Whoever tells people how far it is, as fits where standard error goes.
pub(crate) fn progress() -> Arc<dyn Progress> {
    if crate::is_watched() { Arc::new(Bar::default()) } else { Arc::new(LogProgress::default()) }
}

/// One bar at a time, on standard error.
#[derive(Debug, Default)]
struct Bar(Mutex<Option<(Stage, ProgressBar)>>);

impl Progress for Bar {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        if let Ok(style) = ProgressStyle::with_template(template(stage, total.is_some())) {
            bar.set_style(style);
        }
        bar.set_message(stage.title());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((stage, bar));
    }

    fn advance(&self, by: u64) {
        if let Some((_, bar)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(by);
        }
    }

    fn end(&self) {
        let Some((stage, bar)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let (count, seconds) = (HumanCount(bar.position()), bar.elapsed().as_secs_f64());
        bar.finish_and_clear();
        bar.suspend(|| tracing::info!("{}: {count} {} in {seconds:.1} s", stage.title(), stage.unit()));
    }
}

fn template(stage: Stage, bounded: bool) -> &'static str {
    match (stage, bounded) {
        (Stage::Inventory, true) => "{msg:28} {wide_bar:.cyan/blue} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}",
        (Stage::Inventory, false) => "{msg:28} {spinner} {bytes} {bytes_per_sec}",
        (_, true) => "{msg:28} {wide_bar:.cyan/blue} {human_pos}/{human_len} {per_sec} ETA {eta}",
        (_, false) => "{msg:28} {spinner} {human_pos} {per_sec}",
    }
}
