//! How long to wait before the next attempt.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Waits between attempts: of a request, or of a write that another was faster with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    most: Duration,
}

impl Backoff {
    /// Before the first repetition at most `base`, before each further one twice as much, never above `most`.
    pub const fn new(base: Duration, most: Duration) -> Self {
        Self { base, most }
    }

    /// The longest wait before repetition `number` (0 for the first).
    pub fn ceiling(self, number: u32) -> Duration {
        let factor = 1u32.checked_shl(number).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.most)
    }

    /// The wait before repetition `number`: full jitter, so that clients that failed together do not come back together
    /// (AWS Architecture Blog, "Exponential Backoff and Jitter").
    pub(crate) fn jittered(self, number: u32) -> Duration {
        self.ceiling(number).mul_f64(fastrand::f64())
    }

    /// Waits before repetition `number`.
    pub async fn pause(self, number: u32) {
        tokio::time::sleep(self.jittered(number)).await;
    }
}

/// What `Retry-After` asks for, as seconds or as an HTTP-date (one in the past asks for nothing).
/// A value that is neither is passed over.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:00 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("-1"), None);
    }

    proptest! {
        #[test]
        fn a_wait_never_passes_its_ceiling_and_ceilings_never_fall(number in 0u32..200) {
            let most = Duration::from_secs(30);
            let backoff = Backoff::new(Duration::from_millis(500), most);
            prop_assert!(backoff.jittered(number) <= backoff.ceiling(number));
            prop_assert!(backoff.ceiling(number) <= backoff.ceiling(number + 1));
            prop_assert!(backoff.ceiling(number) <= most);
        }
    }
}
