//! Rich dependencies: expressions of dependencies (rpm, "Boolean Dependencies").

use std::collections::HashMap;
use std::sync::Arc;

use crate::evr::Evr;
use crate::repo::{Comparison, Dependency};

/// How deep expressions may stand in one another.
const DEPTH_MAX: usize = 16;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// Something that is provided.
    Plain(Dependency),
    /// All of them: `(a and b)`.
    And(Vec<Self>),
    /// One of them at least: `(a or b)`.
    Or(Vec<Self>),
    /// The first where the second holds, else the third: `(a if b else c)`.
    If(Box<Self>, Box<Self>, Option<Box<Self>>),
    /// The first where the second does not hold, else the third: `(a unless b else c)`.
    Unless(Box<Self>, Box<Self>, Option<Box<Self>>),
    /// One package that is all of them: `(a with b)`.
    With(Vec<Self>),
    /// A package that is the first and not the second: `(a without b)`.
    Without(Box<Self>, Box<Self>),
}

/// Expressions by their text, each read once.
#[derive(Debug, Default)]
pub(super) struct Expressions(HashMap<Arc<str>, Result<Arc<Expression>, String>>);

impl Expressions {
    pub(super) fn get(&mut self, text: &Arc<str>) -> Result<Arc<Expression>, String> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let read = parse(text).map(Arc::new);
        self.0.insert(Arc::clone(text), read.clone());
        read
    }
}

/// Whether a dependency's name is an expression.
pub(super) fn is_rich(name: &str) -> bool {
    name.starts_with('(')
}

/// Reads an expression, or a plain dependency.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let mut reader = Reader { rest: text.trim() };
    let expression = reader.expression(0)?;
    if reader.rest.is_empty() { Ok(expression) } else { Err(format!("{:?} stands behind its end", reader.rest)) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn expression(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX}"));
        }
        let Some(rest) = self.rest.strip_prefix('(') else { return self.plain() };
        self.rest = rest.trim_start();
        let first = self.expression(depth + 1)?;
        let mut all = vec![first];
        let mut operator: Option<&str> = None;
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(')') {
                self.rest = rest;
                return combine(operator, all);
            }
            let word = self.word();
            let chained = matches!((operator, word), (Some("if" | "unless"), "else"))
                || operator.is_none()
                || (operator == Some(word) && matches!(word, "and" | "or" | "with"));
            if !chained
                || !matches!(word, "and" | "or" | "if" | "unless" | "else" | "with" | "without")
                || all.len() > 64
            {
                return Err(format!("{word:?} is not expected in it"));
            }
            operator = operator.or(Some(word));
            self.rest = self.rest.trim_start();
            let next = self.expression(depth + 1)?;
            all.push(next);
        }
    }

    /// `name`, or `name operator version`.
    fn plain(&mut self) -> Result<Expression, String> {
        let name = self.word();
        if name.is_empty() {
            return Err("a name is missing in it".into());
        }
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|char| !matches!(char, '<' | '>' | '=')).unwrap_or(self.rest.len());
        let (operator, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        if operator.is_empty() {
            return Ok(Expression::Plain(Dependency { name: name.into(), version: None }));
        }
        let comparison = Comparison::parse(operator).ok_or_else(|| format!("{operator:?} compares nothing"))?;
        self.rest = rest.trim_start();
        let version = self.word();
        if version.is_empty() {
            return Err(format!("a version is missing behind {name:?}"));
        }
        Ok(Expression::Plain(Dependency { name: name.into(), version: Some((comparison, Evr::parse(version))) }))
    }

    /// Everything up to a space, or to a parenthesis that was not opened in it: `libc.so.6()(64bit)` is one word.
    fn word(&mut self) -> &'a str {
        let mut open = 0usize;
        let end = self.rest.find(|char: char| match char {
            '(' => {
                open += 1;
                false
            }
            ')' if open == 0 => true,
            ')' => {
                open -= 1;
                false
            }
            other => other.is_whitespace(),
        });
        let (word, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or_default();
        self.rest = rest;
        word
    }
}

fn combine(operator: Option<&str>, all: Vec<Expression>) -> Result<Expression, String> {
    let count = all.len();
    let mut parts = all.clone().into_iter();
    let mut next = || parts.next().map(Box::new);
    match (operator, count) {
        (None, 1) => all.into_iter().next().ok_or_else(String::new),
        (Some("and"), _) => Ok(Expression::And(all)),
        (Some("or"), _) => Ok(Expression::Or(all)),
        (Some("with"), _) => Ok(Expression::With(all)),
        (Some(operator), _) => match (operator, next(), next(), next()) {
            ("if", Some(then), Some(condition), otherwise) if count <= 3 => {
                Ok(Expression::If(then, condition, otherwise))
            }
            ("unless", Some(then), Some(condition), otherwise) if count <= 3 => {
                Ok(Expression::Unless(then, condition, otherwise))
            }
            ("without", Some(one), Some(other), None) => Ok(Expression::Without(one, other)),
            _ => Err(format!("{operator:?} has not the parts it needs")),
        },
        (None, _) => Err("an operator is missing in it".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Expression {
        parse(text).unwrap()
    }

    #[test]
    fn rich_dependencies_are_read_as_rpm_writes_them() {
        let (a, b, c) = (plain("a"), plain("b >= 2:1.0-3"), plain("libc.so.6(GLIBC_2.4)(64bit)"));
        let Expression::Plain(dependency) = &b else { panic!() };
        assert_eq!(dependency.to_string(), "b >= 2:1.0-3");
        let boxed = |expression: &Expression| Box::new(expression.clone());
        let text = "(a or b >= 2:1.0-3 or libc.so.6(GLIBC_2.4)(64bit))";
        assert_eq!(parse(text), Ok(Expression::Or(vec![a.clone(), b.clone(), c.clone()])));
        assert_eq!(parse("(a if b >= 2:1.0-3)"), Ok(Expression::If(boxed(&a), boxed(&b), None)));
        let nested = parse("((a and b >= 2:1.0-3) if libc.so.6(GLIBC_2.4)(64bit) else a)");
        let both = Expression::And(vec![a.clone(), b.clone()]);
        assert_eq!(nested, Ok(Expression::If(boxed(&both), boxed(&c), Some(boxed(&a)))));
        assert_eq!(parse("(a without b >= 2:1.0-3)"), Ok(Expression::Without(boxed(&a), boxed(&b))));
        assert_eq!(parse("(a)"), Ok(a));
    }

    #[test]
    fn what_is_no_rich_dependency_is_an_error() {
        let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
        for text in ["(", "()", "(a", "(a b)", "(a and)", "(a and b or c)", "(a if b if c)", "(a) b", "(a >= )", &deep]
        {
            parse(text).unwrap_err();
        }
    }
}
