//! Who a call is from and who sent it on: Privacy (RFC 3323, RFC 3325), Diversion (RFC 5806), History-Info (RFC 7044).
use crate::addr::NameAddr;
use crate::fields::{number, port, unquote};
use crate::header::Name;
use crate::message::Message;
use crate::scan::{split_once, trim};

/// What a caller wants hidden: the values of Privacy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// `id`: the asserted identity (RFC 3325 §9.3).
    pub id: bool,
    /// `user`: name and address.
    pub user: bool,
    /// `header`: headers that tell of the caller.
    pub header: bool,
    /// `session`: where media come from.
    pub session: bool,
    /// `history`: who was called before (RFC 7044 §10.1.2).
    pub history: bool,
    /// `none`: nothing, whatever is usual.
    pub none: bool,
    /// `critical`: rather refuse the call than do without.
    pub critical: bool,
}

impl Privacy {
    /// Adds the values of one line: `user;id;critical`. A comma parts them too, as some write. Unknown ones are left out.
    fn add(&mut self, line: &[u8]) {
        for value in line.split(|b| matches!(b, b';' | b',')) {
            let known = [
                (&b"id"[..], &mut self.id),
                (b"user", &mut self.user),
                (b"header", &mut self.header),
                (b"session", &mut self.session),
                (b"history", &mut self.history),
                (b"none", &mut self.none),
                (b"critical", &mut self.critical),
            ];
            for (name, set) in known {
                *set |= trim(value).eq_ignore_ascii_case(name);
            }
        }
    }

    /// Is the caller not to be shown to who is called? `none` beside it (which RFC 3323 §4.2 forbids) shows nobody.
    pub const fn hides_caller(&self) -> bool {
        self.id || self.user || self.header
    }
}

/// Why a call was sent on (RFC 5806 §4, RFC 4458 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Always.
    Unconditional,
    /// The first was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The first was not there.
    Unavailable,
    /// Whoever was rung sent it on.
    Deflection,
    /// The hour.
    TimeOfDay,
    /// Something else, or not said.
    Unknown,
}

impl Why {
    const ALL: [Why; 7] = [
        Why::Unconditional,
        Why::Busy,
        Why::NoAnswer,
        Why::Unavailable,
        Why::Deflection,
        Why::TimeOfDay,
        Why::Unknown,
    ];

    /// The reason of a Diversion: `no-answer`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Why::Unconditional => "unconditional",
            Why::Busy => "user-busy",
            Why::NoAnswer => "no-answer",
            Why::Unavailable => "unavailable",
            Why::Deflection => "deflection",
            Why::TimeOfDay => "time-of-day",
            Why::Unknown => "unknown",
        }
    }

    /// The `cause` of a URI in History-Info (RFC 4458 §2, RFC 7544 §7): a SIP status.
    pub const fn cause(self) -> u16 {
        match self {
            Why::Unconditional | Why::TimeOfDay => 302,
            Why::Busy => 486,
            Why::NoAnswer => 408,
            Why::Unavailable => 503,
            Why::Deflection => 480,
            Why::Unknown => 404,
        }
    }
}

/// One value of Diversion: who sent the call on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diversion<'a> {
    /// Who.
    pub address: NameAddr<'a>,
    /// Why.
    pub why: Why,
    /// How many times it was sent on, this one included.
    pub counter: u32,
    /// It is not to be shown to who is called.
    pub private: bool,
}

impl<'a> Diversion<'a> {
    /// Reads `<sip:0312340000@x>;reason=no-answer;counter=1;privacy=off`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let address = NameAddr::parse(value).filter(|address| !address.is_star())?;
        let said = |name| address.param(name).map(unquote);
        let is = |text: &[u8], other: &str| text.eq_ignore_ascii_case(other.as_bytes());
        let why = said("reason").and_then(|said| Why::ALL.into_iter().find(|why| is(said, why.as_str())));
        Some(Diversion {
            address,
            why: why.unwrap_or(Why::Unknown),
            counter: said("counter").and_then(number).unwrap_or(1),
            private: said("privacy").is_some_and(|said| !is(said, "off")),
        })
    }
}

/// One value of History-Info: who was called on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History<'a> {
    /// Who; the URI without the headers that it may carry.
    pub uri: &'a [u8],
    /// Its place in the tree of targets: `1.2`.
    pub index: &'a [u8],
    /// The call was sent here for this reason (`cause` of the URI).
    pub why: Option<Why>,
    /// It is not to be shown (`?Privacy=history` at the URI).
    pub private: bool,
}

impl<'a> History<'a> {
    /// Reads `<sip:0663000001@x;cause=408>;index=1.1;mp=1`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let address = NameAddr::parse(value).filter(|address| !address.is_star())?;
        let (uri, headers) = split_once(address.uri, b'?').unwrap_or((address.uri, b""));
        let cause = address
            .parsed_uri()
            .and_then(|uri| port(uri.params.get("cause")?));
        let why = cause.map(|cause| {
            let known = Why::ALL.into_iter().find(|why| why.cause() == cause);
            known.unwrap_or(Why::Unknown)
        });
        let private = headers.split(|b| *b == b'&').any(|header| {
            let (name, value) = split_once(header, b'=').unwrap_or((header, b""));
            let mut privacy = Privacy::default();
            privacy.add(value);
            name.eq_ignore_ascii_case(b"Privacy") && (privacy.history || privacy.hides_caller())
        });
        Some(History {
            uri,
            index: address.param("index")?,
            why,
            private,
        })
    }
}

/// Who sent a call on to us last, and may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverted<'a> {
    /// The URI of who.
    pub uri: &'a [u8],
    /// Why.
    pub why: Why,
    /// How many times it was sent on.
    pub counter: u32,
}

impl<'a> Message<'a> {
    /// All Privacy lines (RFC 3323 §4.2).
    pub fn privacy(&self) -> Privacy {
        let mut privacy = Privacy::default();
        self.lines(Name::Privacy).for_each(|line| privacy.add(line));
        privacy
    }

    /// The Diversions, the last one first (RFC 5806 §4).
    pub fn diversions(&self) -> impl Iterator<Item = Diversion<'a>> + '_ {
        self.values(Name::Diversion).filter_map(Diversion::parse)
    }

    /// The entries of History-Info, the first target first (RFC 7044 §5).
    pub fn history(&self) -> impl Iterator<Item = History<'a>> + '_ {
        self.values(Name::HistoryInfo).filter_map(History::parse)
    }

    /// Who sent the call on last, by Diversion or else by History-Info (RFC 7544): there it is the target before the last that
    /// was taken for a cause. `None` too if that is not to be shown.
    pub fn diverted(&self) -> Option<Diverted<'a>> {
        if self.privacy().history {
            return None;
        }
        if self.has(Name::Diversion) {
            let last = self.diversions().next().filter(|last| !last.private)?;
            return Some(Diverted {
                uri: last.address.uri,
                why: last.why,
                counter: last.counter,
            });
        }
        let (mut before, mut found, mut counter) = (None, None, 0);
        for entry in self.history() {
            if let (Some(why), Some(by)) = (entry.why, before) {
                counter += 1;
                found = Some((by, why));
            }
            before = Some(entry);
        }
        let (by, why): (History<'a>, Why) = found?;
        (!by.private).then_some(Diverted {
            uri: by.uri,
            why,
            counter,
        })
    }
}

#[cfg(test)]
mod tests;
