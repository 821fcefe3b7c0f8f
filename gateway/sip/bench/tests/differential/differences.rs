//! Why we differ from others, class by class. What is in no class fails the test; so does a class that nothing is in.

use sip_bench::read::Unread::{self, CSeq, CallId, From, MaxForwards, Message, To, Via};

use crate::referee::Part;

/// What we take though it is outside the grammar: the part, what the standards say, and what for.
pub const LENIENT: [(Part, &str, &str); 11] = [
    (
        Part::Missing("Max-Forwards"),
        "RFC 3261 §16.3 (3)",
        "phones of RFC 2543 send none; a request without one may be passed on",
    ),
    (
        Part::StartLine,
        "RFC 3261 §7.2, §16.6",
        "a phrase is for people, and its space is often forgotten; odd bytes in a URI are passed on",
    ),
    (
        Part::Text,
        "RFC 3261 §8.2.2",
        "what is not understood is passed over, in whatever encoding",
    ),
    (
        Part::Value("Via"),
        "RFC 3261 §16.7 (3), §18.2.1",
        "lower Vias are given back unread; a branch is only compared",
    ),
    (
        Part::Value("From"),
        "RFC 3261 §12.1, §16.6",
        "names in Shift_JIS are in use; tags are only compared, odd bytes in a URI passed on",
    ),
    (Part::Value("To"), "RFC 3261 §12.1, §16.6", "as in From"),
    (
        Part::Value("Contact"),
        "RFC 3261 §8.1.3.5, §16.6",
        "as in From; in a response, one that cannot be read is no contact",
    ),
    (
        Part::Value("Route"),
        "RFC 3261 §16.6",
        "as in From; names may hold what they hold there",
    ),
    (
        Part::Value("Record-Route"),
        "RFC 3261 §16.7",
        "as in Route; what a response records is read where a dialog begins",
    ),
    (
        Part::Value("Call-ID"),
        "RFC 3261 §8.1.1.4",
        "compared byte by byte; one with white space is refused",
    ),
    (
        Part::Value("Content-Type"),
        "RFC 3261 §8.2.3",
        "read where a body is of use, and answered 415 there",
    ),
];

/// Where another differs from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// It cannot read this.
    Refuses(Unread),
    /// It reads another value of this.
    Reads(&'static str),
}
use Where::{Reads, Refuses};

/// A class of messages within the grammar that another reads otherwise.
pub struct Difference {
    pub whose: &'static str,
    pub places: &'static [Where],
    /// What such a message shows: a regular expression; after `!`, one that it does not match.
    pub shows: &'static str,
    pub rfc: &'static str,
    pub why: &'static str,
}

const fn row(
    whose: &'static str,
    places: &'static [Where],
    shows: &'static str,
    rfc: &'static str,
    why: &'static str,
) -> Difference {
    Difference {
        whose,
        places,
        shows,
        rfc,
        why,
    }
}

/// A URI of another scheme than sip and sips.
macro_rules! foreign {
    () => {
        concat!(
            "(?i:[a-rt-z][a-z0-9+.-]*|s|s[a-hj-z0-9+.-][a-z0-9+.-]*|si|si[a-oq-z0-9+.-][a-z0-9+.-]*",
            "|sip[a-rt-z0-9+.-][a-z0-9+.-]*|sips[a-z0-9+.-]+):"
        )
    };
}

/// The methods of the standards.
macro_rules! methods {
    () => {
        "(?:INVITE|ACK|BYE|CANCEL|REGISTER|OPTIONS|INFO|PRACK|SUBSCRIBE|NOTIFY|UPDATE|MESSAGE|REFER|PUBLISH)"
    };
}

const METHOD: &str = concat!("!^(?:SIP/2.0|", methods!(), ") ");
const CSEQ_METHOD: &str = concat!(r"!(?i)\r\nCSeq[ \t]*:\s*[0-9]+\s+", methods!(), r"\s");
const SCHEME: &str = concat!("^[^ ]+ ", foreign!());
const SCHEME_THERE: &str = concat!(r"\r\n(?i:From|To|f|t)[ \t]*:(?:[^\r\n]*<|\s*)", foreign!());
const VERSION: &str = r"!^(?:[^ ]+ [^ ]+ )?SIP/2\.0[ \r]";
const LINE_END: &str = "^[\r\n]";
const TRANSPORT: &str = concat!(
    r"(?i)\r\n(?:Via|v)\s*:\s*SIP\s*/\s*2\.0\s*/\s*(?:[^utsw\s]|u[^d]|ud[^p]|udp\S",
    r"|t[^cl]|tc[^p]|tcp\S|tl[^s]|tls[^\s-]|s[^c]|w[^s]|ws[^s\s]|wss\S)"
);
const URI_TRANSPORT: &str = r"(?:^[^ ]+ |<)[^ >]*;transport=";
const URI_PARAM: &str = r"^[^ ]+ [^ ]*;[^ =;]*[\[\]/:&+$]";

pub const DIFFERENCES: &[Difference] = &[
    // rsip 0.4.0
    row(
        "rsip",
        &[Refuses(Message)],
        LINE_END,
        "RFC 3261 §7.5",
        "passes over no line end before the message",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        r"\r\n[ \t]",
        "RFC 3261 §7.3.1",
        "knows no folded lines",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        r"\r\n[^:\r\n]+[ \t]+:",
        "RFC 3261 §7.3.1",
        "knows no white space before a colon",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        SCHEME,
        "RFC 3261 §8.2.2.1",
        "knows no Request-URI but sip and sips: cannot answer 416",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        VERSION,
        "RFC 3261 §7.1",
        "compares the version in capitals only",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        METHOD,
        "RFC 3261 §8.2.1",
        "knows no extension method: cannot answer 405 or 501",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        r"^[^ ]+ [^ ]*\[",
        "RFC 3261 §19.1.1",
        "knows no IPv6 address in a Request-URI",
    ),
    row(
        "rsip",
        &[Refuses(Message), Refuses(From), Refuses(To)],
        URI_TRANSPORT,
        "RFC 3261 §19.1.1",
        "knows no other transport in a URI",
    ),
    row(
        "rsip",
        &[Refuses(Message)],
        URI_PARAM,
        "RFC 3261 §25.1 (paramchar)",
        "knows only tokens in parameters of a URI",
    ),
    row(
        "rsip",
        &[Refuses(From), Refuses(To)],
        r"(?i)\r\n(?:From|To):[^\r\n]*\[",
        "RFC 3261 §19.1.1",
        "knows no IPv6 address there",
    ),
    row(
        "rsip",
        &[Refuses(Via)],
        r"(?i)\r\nv:",
        "RFC 3261 §7.3.3",
        "knows no compact names",
    ),
    row(
        "rsip",
        &[Refuses(From)],
        r"(?i)\r\nf:",
        "RFC 3261 §7.3.3",
        "knows no compact names",
    ),
    row(
        "rsip",
        &[Refuses(To)],
        r"(?i)\r\nt:",
        "RFC 3261 §7.3.3",
        "knows no compact names",
    ),
    row(
        "rsip",
        &[Refuses(CallId)],
        r"(?i)\r\ni:",
        "RFC 3261 §7.3.3",
        "knows no compact names",
    ),
    row(
        "rsip",
        &[Refuses(Via)],
        TRANSPORT,
        "RFC 3261 §20.42",
        "knows no other transport",
    ),
    row(
        "rsip",
        &[Refuses(CSeq)],
        r"(?i)\r\nCSeq:[^\r\n]*\t",
        "RFC 3261 §25.1 (LWS)",
        "knows no TAB in it",
    ),
    row(
        "rsip",
        &[Refuses(CSeq)],
        CSEQ_METHOD,
        "RFC 3261 §8.2.1",
        "knows no extension method in a CSeq",
    ),
    row(
        "rsip",
        &[Refuses(MaxForwards)],
        r"(?i)\r\nMax-Forwards:[^\r\n]*[ \t]\r\n",
        "RFC 3261 §7.3.1",
        "trims no white space",
    ),
    row(
        "rsip",
        &[Reads("body")],
        "",
        "RFC 3261 §18.3",
        "takes all that follows as the body, whatever Content-Length says",
    ),
    row(
        "rsip",
        &[Reads("branch"), Reads("from tag"), Reads("to tag")],
        r"=[ \t]|[ \t]=|[ \t][;:]|;[ \t]",
        "RFC 3261 §25.1 (EQUAL, SEMI)",
        "takes white space for a part of names and values",
    ),
    row(
        "rsip",
        &[Reads("call-id")],
        r"(?i)\r\nCall-ID:[^\r\n]*[ \t]\r\n",
        "RFC 3261 §7.3.1",
        "trims no white space",
    ),
    row(
        "rsip",
        &[Refuses(From), Refuses(To)],
        SCHEME_THERE,
        "RFC 3261 §20.20",
        "knows no URI but sip and sips",
    ),
    row(
        "rsip",
        &[Refuses(From), Refuses(To)],
        "(?i)\r\n(?:From|To):[^\r\n]*\"[^\"\r\n]*[<\\\\;]",
        "RFC 3261 §25.1 (quoted-string)",
        "looks for brackets within quotes",
    ),
    row(
        "rsip",
        &[Refuses(From), Refuses(To), Refuses(Via)],
        r"(?i)\r\n(?:From|To|Via):[^\r\n]*(?:[ \t][;=]|[;=][ \t]|[ \t]\r\n|\t)",
        "RFC 3261 §25.1 (SEMI, EQUAL, LWS)",
        "knows no white space around parts, and no TAB",
    ),
    row(
        "rsip",
        &[Refuses(Via)],
        r"(?i)\r\nVia:[^\r\n]*\[",
        "RFC 3261 §20.42",
        "cannot read IPv6 addresses there",
    ),
    row(
        "rsip",
        &[Refuses(Via)],
        r"(?i)\r\nVia:[ \t]*SIP[ \t]|/[ \t]|[ \t]/",
        "RFC 3261 §25.1 (SLASH)",
        "knows no white space around slashes",
    ),
    row(
        "rsip",
        &[Refuses(Via)],
        r"(?i)\r\nVia:[^\r\n]*:[ \t]",
        "RFC 3261 §25.1 (COLON)",
        "knows no white space before the port",
    ),
    // rsipstack 0.7.14
    row(
        "rsipstack",
        &[Refuses(Message)],
        LINE_END,
        "RFC 3261 §7.5",
        "passes over no line end before the message",
    ),
    row(
        "rsipstack",
        &[Refuses(Message)],
        VERSION,
        "RFC 3261 §7.1",
        "compares the version in capitals only",
    ),
    row(
        "rsipstack",
        &[Refuses(Message)],
        METHOD,
        "RFC 3261 §8.2.1",
        "knows no extension method: cannot answer 405 or 501",
    ),
    row(
        "rsipstack",
        &[Refuses(CSeq)],
        CSEQ_METHOD,
        "RFC 3261 §8.2.1",
        "knows no extension method in a CSeq",
    ),
    row(
        "rsipstack",
        &[Refuses(Via)],
        TRANSPORT,
        "RFC 3261 §20.42",
        "knows no other transport",
    ),
    row(
        "rsipstack",
        &[Refuses(Message), Refuses(From), Refuses(To)],
        URI_TRANSPORT,
        "RFC 3261 §19.1.1",
        "knows no other transport in a URI",
    ),
    row(
        "rsipstack",
        &[Refuses(Message), Refuses(From), Refuses(To)],
        r"(?:^[^ ]+ |<)sips?:[^ @<>]*[?;][^ <>]*@",
        "RFC 3261 §25.1 (user-unreserved)",
        "takes what may stand in a user part for its end",
    ),
    row(
        "rsipstack",
        &[Reads("body")],
        r"!(?i)\r\n(?:Content-Length|l)[ \t]*:",
        "RFC 3261 §18.3",
        "takes a datagram without Content-Length to have no body",
    ),
    row(
        "rsipstack",
        &[Reads("branch"), Reads("from tag"), Reads("to tag")],
        r"=[ \t\r]|[ \t]=|[ \t\n];|;[ \t\r]",
        "RFC 3261 §25.1 (EQUAL, SEMI)",
        "takes white space for a part of names and values",
    ),
    row(
        "rsipstack",
        &[Reads("from tag")],
        "=\"[^\"\r\n]*;",
        "RFC 3261 §25.1 (quoted-string)",
        "looks for semicolons within quotes",
    ),
    // ezk-sip-types 0.6.5
    row(
        "ezk",
        &[Refuses(Message)],
        LINE_END,
        "RFC 3261 §7.5",
        "passes over no line end before the message",
    ),
    row(
        "ezk",
        &[Refuses(Message)],
        r"!^(?:[^ ]+ [^ ]+ )?SIP/2\.0[ \r]",
        "RFC 3261 §7.1",
        "compares the version in capitals only",
    ),
    row(
        "ezk",
        &[Refuses(Message)],
        SCHEME,
        "RFC 3261 §8.2.2.1",
        "knows no Request-URI but sip and sips: cannot answer 416",
    ),
    row(
        "ezk",
        &[Refuses(From), Refuses(To)],
        SCHEME_THERE,
        "RFC 3261 §20.20",
        "knows no URI but sip and sips",
    ),
    row(
        "ezk",
        &[Refuses(From), Refuses(To)],
        "(?i)\r\n(?:From|To|f|t)[ \t]*:[^\r\n]*\"[^\"\r\n]*\\\\",
        "RFC 3261 §25.1 (quoted-pair)",
        "cannot read an escape before a closing quote",
    ),
    row(
        "ezk",
        &[Reads("from tag"), Reads("to tag")],
        r";(?:T[Aa][Gg]|t(?:A[Gg]|aG))=",
        "RFC 3261 §7.3.1",
        "compares names of parameters in small letters only",
    ),
    row(
        "ezk",
        &[Reads("branch"), Reads("from tag"), Reads("to tag")],
        "%",
        "RFC 3261 §25.1 (token)",
        "takes the percent sign of a token for an escape",
    ),
    row(
        "ezk",
        &[Reads("branch"), Reads("from tag"), Reads("to tag")],
        r";(?:branch|tag)\s*;",
        "RFC 3261 §7.3.1",
        "a parameter twice, at first without a value: that is none to us",
    ),
    row(
        "ezk",
        &[Reads("branch")],
        r"(?i)\r\n(?:Via|v)[ \t]*:[^\r\n]*[ \t]:",
        "RFC 3261 §25.1 (COLON)",
        "loses all that follows white space before the port",
    ),
    row(
        "ezk",
        &[Refuses(Via)],
        r"(?i)\r\n(?:Via|v)[ \t]*:[^\r\n]*:[ \t]",
        "RFC 3261 §25.1 (COLON)",
        "knows no white space before the port",
    ),
];
