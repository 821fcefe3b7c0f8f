//! What an order is refused with: the rule, what is wrong, and what to do next.

use std::fmt;

use contract::Lang;

/// What was asked breaks a rule of this program, not one of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is about, as a word.
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

/// Something was not carried out; nothing was changed.
#[derive(Debug)]
pub enum Error {
    /// It breaks a rule of the contract.
    Order(contract::Refusal),
    /// It breaks another rule.
    Refused(Refusal),
    /// The database or a file failed.
    Failed(anyhow::Error),
}

impl Error {
    /// What to tell whoever asked. Only the rules of contracts are there in Japanese.
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::Order(refusal) => {
                let text = refusal.text(lang);
                match lang {
                    Lang::En => format!("{}: {}. {}", refusal.rule(), text.what, text.next),
                    Lang::Ja => format!("{}: {}。{}", refusal.rule(), text.what, text.next),
                }
            }
            Self::Refused(refusal) => refusal.to_string(),
            Self::Failed(error) => format!("{error:#}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl std::error::Error for Error {}

impl From<contract::Refusal> for Error {
    fn from(refusal: contract::Refusal) -> Self {
        Self::Order(refusal)
    }
}

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
