//! Header field names.
use crate::scan::find;

macro_rules! names {
    ($($variant:ident $text:literal $($compact:literal)?;)*) => {
        /// A header field's name: those of RFC 3261 and of the extensions this project meets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Any name not listed here; compare the raw bytes.
            Other,
        }

        impl Name {
            /// The name's full form. `Other` has none: an empty string.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Name::$variant => $text,)*
                    Name::Other => "",
                }
            }

            const fn compact(letter: u8) -> Name {
                match letter.to_ascii_lowercase() {
                    $($($compact => Name::$variant,)?)*
                    _ => Name::Other,
                }
            }

            /// How many there are, `Other` among them.
            pub(crate) const COUNT: usize = Name::Other as usize + 1;

            /// Every listed name.
            pub const ALL: &'static [Name] = &[$(Name::$variant),*];
        }
    };
}

names! {
    Via "Via" b'v';
    From "From" b'f';
    To "To" b't';
    CallId "Call-ID" b'i';
    CSeq "CSeq";
    Contact "Contact" b'm';
    MaxBreadth "Max-Breadth";
    MaxForwards "Max-Forwards";
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    Route "Route";
    RecordRoute "Record-Route";
    Authorization "Authorization";
    ProxyAuthorization "Proxy-Authorization";
    WwwAuthenticate "WWW-Authenticate";
    ProxyAuthenticate "Proxy-Authenticate";
    AuthenticationInfo "Authentication-Info";
    Expires "Expires";
    MinExpires "Min-Expires";
    Accept "Accept";
    AcceptContact "Accept-Contact" b'a';
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" b'u';
    CallInfo "Call-Info";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" b'e';
    ContentLanguage "Content-Language";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event" b'o';
    FlowTimer "Flow-Timer";
    Geolocation "Geolocation";
    HistoryInfo "History-Info";
    Identity "Identity" b'y';
    InReplyTo "In-Reply-To";
    Join "Join";
    MimeVersion "MIME-Version";
    MinSe "Min-SE";
    Organization "Organization";
    PAccessNetworkInfo "P-Access-Network-Info";
    PAssertedIdentity "P-Asserted-Identity";
    PAssociatedUri "P-Associated-URI";
    PCalledPartyId "P-Called-Party-ID";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    RSeq "RSeq";
    Reason "Reason";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    RejectContact "Reject-Contact" b'j';
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" b'd';
    Require "Require";
    ResourcePriority "Resource-Priority";
    RetryAfter "Retry-After";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" b'x';
    SessionId "Session-ID";
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k';
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    UserToUser "User-to-User";
    Warning "Warning";
}

/// Names by [`slot`], with open addressing.
const SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;
const TABLE: [u8; SLOTS] = {
    let mut table = [EMPTY; SLOTS];
    let mut i = 0;
    while i < Name::ALL.len() {
        let mut slot = slot(key_of(Name::ALL[i].as_str().as_bytes()));
        while table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = i as u8;
        i += 1;
    }
    table
};

/// The first sixteen bytes of a name, as two words.
type Key = [u64; 2];

/// Fills a key: what no name holds.
const COLONS: u64 = u64::from_le_bytes([b':'; 8]);

/// The key of each name.
const KEYS: [Key; Name::ALL.len()] = {
    let mut keys = [[0; 2]; Name::ALL.len()];
    let mut i = 0;
    while i < keys.len() {
        keys[i] = key_of(Name::ALL[i].as_str().as_bytes());
        i += 1;
    }
    keys
};

const fn key(start: &[u8; 16]) -> Key {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *start;
    [
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([i, j, k, l, m, n, o, p]),
    ]
}

const fn key_of(name: &[u8]) -> Key {
    let mut start = [b':'; 16];
    let mut i = 0;
    while i < start.len() && i < name.len() {
        start[i] = name[i];
        i += 1;
    }
    key(&start)
}

/// Where in the table a name with this key is looked for first, in any case.
const fn slot(key: Key) -> usize {
    const SMALL: u64 = u64::from_le_bytes([0x20; 8]);
    let mixed = (key[0] | SMALL) ^ (key[1] | SMALL).rotate_left(29);
    // With this factor, found by trying, nearly all have the slot to themselves.
    (mixed.wrapping_mul(0x5EC8_B9D3_80A8_2F27) >> 56) as usize
}

impl Name {
    /// The header of this name, in any case, full or compact form (RFC 3261 §7.3.3).
    pub fn parse(name: &[u8]) -> Name {
        match name {
            [] => return Name::Other,
            [letter] => return Name::compact(*letter),
            _ => {}
        }
        let mut slot = slot(key_of(name));
        while let Some(&candidate) = Name::ALL.get(usize::from(TABLE[slot])) {
            if candidate.as_str().as_bytes().eq_ignore_ascii_case(name) {
                return candidate;
            }
            slot = (slot + 1) % SLOTS;
        }
        Name::Other
    }

    /// The name at the beginning of a header line and its length, where it is written as the standards do, with its colon
    /// right behind it; `None` says nothing.
    #[inline]
    pub(crate) fn before_colon(line: &[u8]) -> Option<(Name, usize)> {
        let start: &[u8; 16] = line.first_chunk()?;
        let len = find(start, b':')?;
        let [low, high] = key(start);
        let filled = |word, len: usize| {
            let name = (1 << (8 * len)) - 1;
            word & name | COLONS & !name
        };
        let key = match len {
            ..8 => [filled(low, len), COLONS],
            _ => [low, filled(high, len - 8)],
        };
        let mut slot = slot(key);
        loop {
            let index = usize::from(TABLE[slot]);
            if *KEYS.get(index)? == key {
                return Some((*Name::ALL.get(index)?, len));
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for &name in Name::ALL {
            assert_eq!(Name::parse(name.as_str().as_bytes()), name);
            assert_eq!(Name::parse(name.as_str().to_ascii_uppercase().as_bytes()), name);
            assert_eq!(Name::parse(name.as_str().to_ascii_lowercase().as_bytes()), name);
        }
    }

    // The registry of header field names at IANA.
    #[test]
    fn compact_forms() {
        let table: [(u8, &str); 20] = [
            (b'a', "Accept-Contact"),
            (b'b', "Referred-By"),
            (b'c', "Content-Type"),
            (b'd', "Request-Disposition"),
            (b'e', "Content-Encoding"),
            (b'f', "From"),
            (b'i', "Call-ID"),
            (b'j', "Reject-Contact"),
            (b'k', "Supported"),
            (b'l', "Content-Length"),
            (b'm', "Contact"),
            (b'o', "Event"),
            (b'r', "Refer-To"),
            (b's', "Subject"),
            (b't', "To"),
            (b'u', "Allow-Events"),
            (b'v', "Via"),
            (b'x', "Session-Expires"),
            (b'y', "Identity"),
            (b'n', ""),
        ];
        for (letter, want) in table {
            assert_eq!(Name::parse(&[letter]).as_str(), want);
            assert_eq!(Name::parse(&[letter.to_ascii_uppercase()]).as_str(), want);
        }
    }

    #[test]
    fn what_stands_before_a_colon() {
        type Case<'a> = (&'a [u8], Option<(Name, usize)>);
        let table: [Case; 9] = [
            (b"Via: SIP/2.0/UDP h", Some((Name::Via, 3))),
            (b"Max-Forwards: 70\r\n", Some((Name::MaxForwards, 12))),
            (b"Session-Expires: 90", Some((Name::SessionExpires, 15))),
            (b"User-Agent:                ", Some((Name::UserAgent, 10))),
            (b"via: SIP/2.0/UDP h", None),
            (b"Via : SIP/2.0/UDP h", None),
            (b"Via\0: SIP/2.0/UDP h", None),
            (b":               ", None),
            (b"Via: 1", None),
        ];
        for (line, want) in table {
            assert_eq!(Name::before_colon(line), want, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn others_are_others() {
        for name in [&b""[..], b"X-Box", b"Viaa", b"Fro", b"C%6Fntact", b"\xFF\xFE"] {
            assert_eq!(Name::parse(name), Name::Other);
        }
    }
}
