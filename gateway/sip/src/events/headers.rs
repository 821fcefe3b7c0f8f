//! Typed values of the headers of event notification (RFC 6665 §8.2).

use crate::fields::{Item, number};
use crate::header::Name;
use crate::message::Message;
use crate::scan::is_token;
use core::fmt;
use core::time::Duration;

/// Event: what is or shall be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The package with its templates: `dialog`, `presence.winfo`. Case matters (§8.4).
    pub package: &'a [u8],
    /// `id`, which tells several subscriptions of one dialog apart.
    pub id: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    /// Reads `dialog;id=7`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let Item { value, params } = Item::parse(value)?;
        is_token(value).then(|| Event {
            package: value,
            id: params.get("id"),
        })
    }

    /// True for the package given.
    pub fn is(&self, package: &str) -> bool {
        self.package == package.as_bytes()
    }
}

/// Why a subscription is over (§4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Another notifier may take it: subscribe anew at once.
    Deactivated,
    /// Subscribe anew later.
    Probation,
    /// The policy has changed: do not subscribe again.
    Rejected,
    /// It was not refreshed in time, or the subscriber ended it.
    Timeout,
    /// The policy could not be asked in time.
    GiveUp,
    /// What was watched is no more.
    NoResource,
    /// What was watched will never change.
    Invariant,
}

impl Reason {
    const ALL: [Self; 7] = [
        Self::Deactivated,
        Self::Probation,
        Self::Rejected,
        Self::Timeout,
        Self::GiveUp,
        Self::NoResource,
        Self::Invariant,
    ];

    /// As in a Subscription-State: `noresource`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
        }
    }
}

/// What a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Taken.
    Active,
    /// Neither taken nor refused yet.
    Pending,
    /// Over. No reason is given, or one that is not known, which counts as none (§4.1.3).
    Terminated(Option<Reason>),
}

/// Subscription-State.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// What it is.
    pub state: State,
    /// How long it lasts, whole seconds.
    pub expires: Option<Duration>,
    /// When it may be tried again, whole seconds.
    pub retry_after: Option<Duration>,
}

impl SubscriptionState {
    /// Reads `active;expires=3600`. `None` for a state that is not known.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let Item { value, params } = Item::parse(value)?;
        let is = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
        let named = |reason: &Reason| {
            let given = params.get("reason").unwrap_or_default();
            given.eq_ignore_ascii_case(reason.as_str().as_bytes())
        };
        let state = match () {
            () if is("active") => State::Active,
            () if is("pending") => State::Pending,
            () if is("terminated") => State::Terminated(Reason::ALL.into_iter().find(named)),
            () => return None,
        };
        let seconds = |name| Some(Duration::from_secs(number(params.get(name)?)?.into()));
        Some(Self {
            state,
            expires: seconds("expires"),
            retry_after: seconds("retry-after"),
        })
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            State::Active => f.write_str("active")?,
            State::Pending => f.write_str("pending")?,
            State::Terminated(None) => f.write_str("terminated")?,
            State::Terminated(Some(reason)) => write!(f, "terminated;reason={}", reason.as_str())?,
        }
        if let Some(expires) = self.expires {
            write!(f, ";expires={}", expires.as_secs())?;
        }
        if let Some(retry) = self.retry_after {
            write!(f, ";retry-after={}", retry.as_secs())?;
        }
        Ok(())
    }
}

/// Whether a document of this type, `application/..`, is taken by who sent `message` (RFC 3261 §20.1). Without an Accept,
/// what the package has by default is.
pub fn accepts(message: &Message<'_>, content_type: &str) -> bool {
    let mut types = message.values(Name::Accept).filter_map(Item::parse);
    !message.has(Name::Accept)
        || types.any(|item| {
            let zero = |q: &[u8]| q.starts_with(b"0") && q.iter().all(|b| matches!(b, b'0' | b'.'));
            let fits = item.is(content_type) || item.is("application/*") || item.is("*/*");
            fits && !item.params.get("q").is_some_and(zero)
        })
}
