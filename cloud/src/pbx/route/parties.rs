//! Who calls whom, as the headers of a request say it.

use std::fmt::{self, Write};

use shared::Number;
use shared::record::Party;
use shared::route::Caller;
use sip::identity::{Diverted, Why};
use sip::{Message, NameAddr, Scheme, Uri, fields, uri};

/// Longest user part of a URI that is looked at, in bytes.
const USER_MAX: usize = 64;
/// Longest display name that is passed on, in bytes with its escapes.
const NAME_MAX: usize = 64;

/// User part of the From of who withholds everything (RFC 3323 §4.1.1.3).
const NOBODY: &str = "anonymous";
/// RFC 3323 §4.1.1.3.
pub(super) const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// The number in a SIP or tel URI. Parameters of a telephone number (RFC 3261 §19.1.6) are not part of it.
pub(super) fn number(uri: Uri<'_>) -> Option<Number> {
    if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return None;
    }
    Number::parse(&user_of(uri)?).ok()
}

/// The user part of a URI, without parameters.
pub(super) fn user_of(uri: Uri<'_>) -> Option<String> {
    let mut buffer = [0; USER_MAX];
    let plain = uri::unescape(uri.user?, &mut buffer)?;
    let user = plain.split(|byte| *byte == b';').next()?;
    core::str::from_utf8(user).ok().map(str::to_string)
}

/// What a phone has dialled.
pub(in crate::pbx) fn dialled(message: &Message<'_>) -> Option<String> {
    user_of(message.parsed_request_uri()?)
}

/// The user part of a URI for the records, shortened if need be.
pub(super) fn party(uri: Option<Uri<'_>>) -> Party {
    let text = uri.and_then(user_of);
    let mut party = Party::new();
    for c in text
        .as_deref()
        .unwrap_or("unknown")
        .chars()
        .filter(|c| !c.is_control())
    {
        if party.push(c).is_err() {
            break;
        }
    }
    party
}

/// Who calls, as routing takes it: live, and when a record is asked again. `user` is the user part of From as the record
/// keeps it ([`recorded`]), `number` the number in it; `private`: it is not to be presented.
pub(crate) fn caller(user: &str, number: Option<Number>, private: bool) -> Caller {
    match number {
        Some(_) if private => Caller::Withheld,
        Some(number) => Caller::Number(number),
        None if user.eq_ignore_ascii_case(NOBODY) => Caller::Withheld,
        None => Caller::Unavailable,
    }
}

/// The caller of a call from outside for the records: who withholds what is no number is nobody.
pub(super) fn recorded(from: Option<Uri<'_>>, private: bool) -> Party {
    match from.and_then(number) {
        None if private => NOBODY.try_into().unwrap_or_default(),
        _ => party(from),
    }
}

/// What the called phones see: the caller as received, its number as one dials it.
pub(super) fn presented_from(
    caller: &NameAddr<'_>,
    calling: Option<Number>,
    withheld: bool,
    realm: &str,
) -> String {
    let mut from = String::new();
    if let Some(name) = caller.display.filter(|_| !withheld).and_then(quoted) {
        let _ = write!(from, "{name} ");
    }
    let _ = match calling.filter(|_| !withheld) {
        Some(number) => write!(from, "<sip:{}@{realm}>", number.digits()),
        None if withheld => write!(from, "{ANONYMOUS}"),
        None => write!(from, "<{}>", Uri8(caller.uri)),
    };
    from
}

/// Who was called before, and why the call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pbx) struct Sent {
    by: Number,
    why: Why,
    times: u32,
}

impl Sent {
    /// A number of the contract sends a call on, which may have been sent to it.
    pub fn on(before: Option<Sent>, by: Number, why: Why) -> Self {
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        Self { by, why, times }
    }

    /// As the carrier says it, of a number.
    pub fn before(diverted: &Diverted<'_>) -> Option<Self> {
        Some(Self {
            by: Uri::parse(diverted.uri).and_then(number)?,
            why: diverted.why,
            times: diverted.counter,
        })
    }

    /// The header lines for the box: who, why and how often (RFC 5806), and the way from there to `user` (RFC 7044).
    pub fn lines(&self, user: &str, realm: &str) -> String {
        let (by, why) = (self.by.digits(), self.why);
        format!(
            "Diversion: <sip:{by}@{realm}>;reason={};counter={}\r\n\
             History-Info: <sip:{by}@{realm}>;index=1, <sip:{user}@{realm};cause={}>;index=1.1;mp=1\r\n",
            why.as_str(),
            self.times,
            why.cause()
        )
    }
}

/// A display name as a quoted string, whether it was one or bare words; none that is too long or cannot be read.
pub(super) fn quoted(display: &[u8]) -> Option<String> {
    let mut buffer = [0; NAME_MAX];
    let name = core::str::from_utf8(fields::unescape_quoted(display, &mut buffer)?).ok()?;
    if name.chars().any(char::is_control) {
        return None;
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    (escaped.len() <= NAME_MAX).then(|| format!("\"{escaped}\""))
}

/// A URI of somebody else's: bytes that were checked when the message was read.
struct Uri8<'a>(&'a [u8]);

impl fmt::Display for Uri8<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.0).unwrap_or("sip:unknown@unknown.invalid"))
    }
}
