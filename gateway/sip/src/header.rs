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

            /// The header of this name, in any case, full or compact form (RFC 3261 §7.3.3).
            pub fn parse(name: &[u8]) -> Name {
                if let [letter] = name {
                    return match letter.to_ascii_lowercase() {
                        $($($compact => Name::$variant,)?)*
                        _ => Name::Other,
                    };
                }
                // Length and first letter decide before a comparison is made.
                let Some(first) = name.first().map(u8::to_ascii_lowercase) else { return Name::Other };
                $(
                    const { assert!($text.len() > 1) };
                    if $text.len() == name.len()
                        && $text.as_bytes()[0].to_ascii_lowercase() == first
                        && $text.as_bytes().eq_ignore_ascii_case(name)
                    {
                        return Name::$variant;
                    }
                )*
                Name::Other
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
