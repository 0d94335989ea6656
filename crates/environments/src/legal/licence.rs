//! What a package says of its licence, read as an SPDX expression.

use spdx::{Expression, LicenseItem};

/// The expression, if it is one to the letter, and names no other document.
pub(super) fn expression(licence: &str) -> Option<Expression> {
    let expression = Expression::parse(licence).ok()?;
    let outside = |item: &LicenseItem| matches!(item, LicenseItem::Other(other) if other.doc_ref.is_some());
    let alone = !expression.requirements().any(|requirement| outside(&requirement.req.license));
    alone.then_some(expression)
}

/// Whether one of its licences is copyleft.
pub(super) fn is_copyleft(expression: &Expression) -> bool {
    expression.requirements().any(|requirement| requirement.req.license.id().is_some_and(spdx::LicenseId::is_copyleft))
}

/// The names beginning with `LicenseRef-` in it, which the document itself has to explain.
pub(super) fn own_names(expression: &Expression) -> impl Iterator<Item = String> {
    expression.requirements().filter_map(|requirement| match &requirement.req.license {
        LicenseItem::Other(other) => Some(format!("LicenseRef-{}", other.lic_ref)),
        LicenseItem::Spdx { .. } => None,
    })
}
