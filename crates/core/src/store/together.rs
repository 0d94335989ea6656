//! Requests that belong together.

use futures::stream::{FuturesUnordered, StreamExt as _};

/// Runs works, at most `at_once` of them at the same time, and gives what came of them, in any order. When one fails no more
/// is begun and its error is the answer, but only when those that are under way have ended: a request that nobody waits for
/// may still be carried out. A part that arrives after its upload was given up stays, and is paid for (AWS,
/// "`AbortMultipartUpload`").
pub async fn all_or_none<T, E, F>(works: impl IntoIterator<Item = F>, at_once: usize) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut works = works.into_iter();
    let mut going: FuturesUnordered<F> = works.by_ref().take(at_once).collect();
    let mut done = Vec::new();
    while let Some(end) = going.next().await {
        match end {
            Ok(value) => done.push(value),
            Err(error) => {
                settled(going).await;
                return Err(error);
            }
        }
        going.extend(works.next());
    }
    Ok(done)
}

/// Waits for what is under way, whatever comes of it.
pub async fn settled<F: Future>(going: FuturesUnordered<F>) {
    going.for_each(|_| async {}).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_that_fails_is_told_when_those_beside_it_have_ended_and_no_more_is_begun() {
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let works = (0..10).map(|number| {
            let (begun, ended) = (&begun, &ended);
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                if number == 1 {
                    return Err(number);
                }
                // The one that fails is through before any other.
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(number)
            }
        });
        assert_eq!(all_or_none(works, 3).await, Err(1));
        assert_eq!((begun.into_inner(), ended.into_inner()), (3, 2));
    }

    #[tokio::test]
    async fn no_more_than_allowed_are_under_way() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let works = (0..20).map(|number| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, ()>(number)
            }
        });
        let mut done = all_or_none(works, 4).await.unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..20).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 4);
    }
}
