//! What an order is refused with: the rule, what is wrong, and what to do next.

use std::fmt;

/// An order that was not carried out, and nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule it breaks: `R13`, or a word where no rule has a number.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
    /// What the person can do.
    pub next: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(rule: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            rule,
            what: what.into(),
            next: next.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.rule, self.what, self.next)
    }
}

impl std::error::Error for Refusal {}

/// An operation on the database failed.
#[derive(Debug)]
pub enum Error {
    /// The order breaks a rule.
    Refused(Refusal),
    /// The database or a file failed; nothing was changed.
    Failed(anyhow::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Result of an order.
pub type Result<T, E = Error> = std::result::Result<T, E>;
