//! What self-serve gives as the reason of what it starts and ends. Reports tell by it what somebody asked for.

/// How all reasons of builds begin that somebody asked for.
const BY_HAND: &str = "Self-serve";
/// Of a build that is made again; who asked follows.
const REBUILT: &str = "Self-serve: Rebuilt by ";
/// Of a build that somebody asked for; who follows.
const REQUESTED: &str = "Self-serve: Requested by ";
/// Of what is ended; who asked follows.
const CANCELLED: &str = "Cancelled via self-serve by ";
/// Of a change that somebody told of.
pub(crate) const SUBMITTED: &str = "Submitted via self-serve";

pub(crate) fn rebuilt(who: &str) -> String {
    format!("{REBUILT}{who}")
}

pub(crate) fn requested(who: &str) -> String {
    format!("{REQUESTED}{who}")
}

pub(crate) fn cancelled(who: &str) -> String {
    format!("{CANCELLED}{who}")
}

/// Whether it is the reason of a build that somebody asked for.
pub(crate) fn is_by_hand(reason: &str) -> bool {
    reason.starts_with(BY_HAND)
}

/// Whether it is the reason of a build that was made again.
pub(crate) fn is_rebuilt(reason: &str) -> bool {
    reason.starts_with(REBUILT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_asked_for_is_told_from_what_follows_from_a_push() {
        assert!(is_by_hand(&rebuilt("alice")) && is_by_hand(&requested("alice")));
        assert!(is_rebuilt(&rebuilt("alice")) && !is_rebuilt(&requested("alice")));
        assert!(!is_by_hand("The AnyBranchScheduler scheduler named 'try' triggered this build"));
    }
}
