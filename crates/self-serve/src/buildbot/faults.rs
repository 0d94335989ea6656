//! Which faults of a master pass.
//!
//! A master answers 500 to whatever goes wrong in it, with the error as Python writes it: that its database is away, and
//! likewise that something it was asked for is not there. `buildbot/self_serve` says by a 400 what cannot be done; here is
//! what Buildbot itself cannot do, now or later.

use buildhub_http::StatusCode;

/// What is not there, or cannot be: asked for again it ends the same.
const LASTING: [&str; 4] = [
    // Builders of that name.
    "KeyError('builderNames not specified or not supported",
    // A request of that number that is open.
    "NotClaimedError",
    // A text that its database has room for.
    "value for column",
    // A piece that another store started, as the first version of `buildbot/self_serve` says it.
    "is known here as another's",
];
/// A priority cannot be changed, in Buildbot 4.1 to 4.3 without the repair.
const UNREPAIRED: &str = "got an unexpected keyword argument 'priority'";

/// Whether the same may be done the next time.
pub(super) fn is_passing(status: StatusCode, reason: &str) -> bool {
    let is_its_fault = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    is_its_fault && !is_lacking(status, reason) && !LASTING.iter().any(|text| reason.contains(text))
}

/// Whether it is what a master cannot do without `buildbot/self_serve`.
pub(super) fn is_lacking(status: StatusCode, reason: &str) -> bool {
    status == StatusCode::NOT_IMPLEMENTED || status.is_server_error() && reason.contains(UNREPAIRED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_passes_unless_it_is_one_that_cannot() {
        let fault = StatusCode::INTERNAL_SERVER_ERROR;
        for passing in [
            "OperationalError('(sqlite3.OperationalError) database is locked')",
            "RuntimeError('the scheduler try-changes is not ready yet')",
            "ConnectionDone()",
            // What a master says that is being stopped or configured anew.
            r#"AttributeError("'NoneType' object has no attribute 'force'")"#,
            "",
        ] {
            assert!(is_passing(fault, passing), "{passing}");
            assert!(!is_passing(StatusCode::BAD_REQUEST, passing), "{passing}");
        }
        for lasting in [
            "KeyError('builderNames not specified or not supported')",
            "NotClaimedError()",
            "RuntimeError('value for column reason is greater than max of 256 characters')",
            r#"ValueError("the piece 7.1 is known here as another's: bob asked for the newest")"#,
        ] {
            assert!(!is_passing(fault, lasting) && !is_lacking(fault, lasting), "{lasting}");
        }
        let unrepaired = r#"TypeError("Connection.execute() got an unexpected keyword argument 'priority'")"#;
        assert!(!is_passing(fault, unrepaired) && is_lacking(fault, unrepaired));
        assert!(is_lacking(StatusCode::NOT_IMPLEMENTED, "action: set_priority is not supported"));
    }
}
