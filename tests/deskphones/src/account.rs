//! What settings come to, whatever the vendor calls them.

use crate::Millis;
use crate::agent::Terms;
use crate::firmware::Wanted;

/// A server, by name or address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Name or address; empty for none.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Server {
    /// `host` or `host:port`, or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.trim().split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text.trim(), 5_060),
        };
        (!host.is_empty()).then(|| Server {
            host: host.to_owned(),
            port,
        })
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// SIP user.
    pub user: String,
    /// Name in answers to challenges.
    pub auth: String,
    /// Password; empty if none was ever given.
    pub password: String,
    /// SIP domain.
    pub domain: String,
    /// Where everything is sent.
    pub proxy: Server,
    /// Where it is sent when the first is silent.
    pub backup: Option<Server>,
    /// Lifetime of the registration, and its retries.
    pub terms: Terms,
    /// Name for people.
    pub display: String,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// A line of the phone.
    Line,
    /// A lamp for somebody's calls.
    Lamp,
    /// A place to park a call.
    Park,
    /// A number to call.
    Speed,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number, from 1.
    pub number: u8,
    /// What it does.
    pub does: KeyUse,
    /// For which account, from 0.
    pub account: u8,
    /// Number or user.
    pub value: String,
    /// What is written beside it.
    pub label: String,
}

/// All that the model of a phone makes use of.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Lines that have a user and a server.
    pub accounts: Vec<Account>,
    /// Keys that are in use.
    pub keys: Vec<Key>,
    /// The event of the NOTIFY that has the phone fetch its configuration, and the answer.
    pub resync: Option<(String, u16)>,
    /// Clock.
    pub clock: Option<String>,
    /// Where log lines go.
    pub syslog: Option<String>,
    /// Language of the display, as the vendor writes it.
    pub language: String,
    /// How often it asks for its configuration by itself.
    pub asks_every: Option<Millis>,
    /// Firmware that it is to look for.
    pub firmware: Option<Wanted>,
}

/// Terms of a registration from what the vendors configure: all in seconds but `renew`, per mille of the lifetime.
pub fn terms(expires: u32, renew: u64, retry: u32) -> Terms {
    let retry = Millis::from(retry) * 1_000;
    Terms {
        expires,
        renew: (renew, renew),
        retry: (retry, retry),
        silence: (retry, retry),
    }
}
