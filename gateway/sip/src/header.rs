//! Header field names.

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

/// Names by [`hash`], with open addressing: at under a half full, a lookup compares one name in most cases.
const SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;
const TABLE: [u8; SLOTS] = {
    let mut table = [EMPTY; SLOTS];
    let mut i = 0;
    while i < Name::ALL.len() {
        let mut slot = hash(Name::ALL[i].as_str().as_bytes());
        while table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = i as u8;
        i += 1;
    }
    table
};

const fn letter(name: &[u8], at: usize) -> usize {
    (name[at] | 0x20) as usize
}

/// Length, first, middle and last letter tell nearly all names apart.
const fn hash(name: &[u8]) -> usize {
    let len = name.len();
    len.wrapping_mul(7)
        .wrapping_add(letter(name, 0).wrapping_mul(31))
        .wrapping_add(letter(name, len / 2).wrapping_mul(17))
        .wrapping_add(letter(name, len - 1).wrapping_mul(5))
        % SLOTS
}

impl Name {
    /// The header of this name, in any case, full or compact form (RFC 3261 §7.3.3).
    pub fn parse(name: &[u8]) -> Name {
        match name {
            [] => return Name::Other,
            [letter] => return Name::compact(*letter),
            _ => {}
        }
        let mut slot = hash(name);
        while let Some(&candidate) = Name::ALL.get(usize::from(TABLE[slot])) {
            if candidate.as_str().as_bytes().eq_ignore_ascii_case(name) {
                return candidate;
            }
            slot = (slot + 1) % SLOTS;
        }
        Name::Other
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
    fn others_are_others() {
        for name in [&b""[..], b"X-Box", b"Viaa", b"Fro", b"C%6Fntact", b"\xFF\xFE"] {
            assert_eq!(Name::parse(name), Name::Other);
        }
    }
}
