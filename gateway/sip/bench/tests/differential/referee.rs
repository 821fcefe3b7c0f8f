//! The grammar of RFC 3261 §25.1 as regular expressions: a reading of a message that shares nothing with the core but the
//! standard. It says what is outside the grammar, and what the values are.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::Values;

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The start line, but for its version.
    StartLine,
    /// The version in it.
    Version,
    /// The empty line behind the headers.
    End,
    /// A header line's name, colon or end.
    Line,
    /// The text of a header that is nothing to us.
    Text,
    /// A header that must be there.
    Missing(&'static str),
    /// A header that may be there once only.
    Repeated(&'static str),
    /// The value of a header.
    Value(&'static str),
    /// Content-Length is more than there is.
    Length,
    /// The method in CSeq is not the request's.
    Method,
}

/// What the referee reads.
#[derive(Debug, Default)]
pub struct Reading {
    /// What is outside the grammar.
    pub outside: Vec<Part>,
    /// The values, where nothing is.
    pub values: Option<Values>,
}

/// Headers that are read: name, compact form, and whether there may be one only.
const HEADERS: [(&str, &str, bool); 11] = [
    ("Via", "v", false),
    ("From", "f", true),
    ("To", "t", true),
    ("Call-ID", "i", true),
    ("CSeq", "CSeq", true),
    ("Max-Forwards", "Max-Forwards", true),
    ("Content-Length", "l", true),
    ("Content-Type", "c", true),
    ("Contact", "m", false),
    ("Route", "Route", false),
    ("Record-Route", "Record-Route", false),
];

const LWS: &str = r"(?:(?:[ \t]*\r\n)?[ \t]+)";
const SWS: &str = r"(?:(?:[ \t]*\r\n)?[ \t]+)?";
const TOKEN: &str = r"[A-Za-z0-9\-.!%*_+`'~]+";
const UTF8: &str = r"(?:[\xC0-\xDF][\x80-\xBF]|[\xE0-\xEF][\x80-\xBF]{2}|[\xF0-\xF7][\x80-\xBF]{3})";
const OCTET: &str = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const NAME: &str =
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.?";
const PORT: &str = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4})";
const UNRESERVED: &str = r"A-Za-z0-9\-_.!~*'()";
const ESCAPED: &str = "%[0-9A-Fa-f]{2}";

fn quoted() -> String {
    format!(r#""(?:{LWS}|[!#-\[\]-~]|{UTF8}|\\[\x00-\x09\x0B\x0C\x0E-\x7F])*""#)
}

fn v4() -> String {
    format!(r"{OCTET}(?:\.{OCTET}){{3}}")
}

/// RFC 3986, to which RFC 5954 §4.1 has corrected it.
fn v6() -> String {
    let (h, last) = (
        "[0-9A-Fa-f]{1,4}",
        format!("(?:[0-9A-Fa-f]{{1,4}}:[0-9A-Fa-f]{{1,4}}|{})", v4()),
    );
    let before = |most: usize| format!("(?:(?:{h}:){{0,{most}}}{h})?::");
    let with = |groups: usize| format!("(?:{h}:){{{groups}}}{last}");
    let mut forms = vec![
        with(6),
        format!("::{}", with(5)),
        format!("(?:{h})?::{}", with(4)),
    ];
    forms.extend((1..=4).map(|most| format!("{}{}", before(most), with(4 - most))));
    forms.extend([format!("{}{h}", before(5)), before(6)]);
    format!("(?:{})", forms.join("|"))
}

fn host() -> String {
    format!(r"(?:{}|\[{}\]|{NAME})", v4(), v6())
}

/// A sip or sips URI, with or without what needs angle brackets around it.
fn sip_uri(bracketed: bool) -> String {
    let (divider, headers) = match bracketed {
        true => (";?,", format!(r"(?:\?(?:[{UNRESERVED}\[\]/?:+$=&]|{ESCAPED})+)?")),
        false => ("", String::new()),
    };
    let user = format!("(?:[{UNRESERVED}&=+$/{divider}]|{ESCAPED})+");
    let comma = if bracketed { "," } else { "" };
    let password = format!("(?:[{UNRESERVED}&=+${comma}]|{ESCAPED})*");
    let param = format!(r"(?:[{UNRESERVED}\[\]/:&+$]|{ESCAPED})+");
    let params = if bracketed {
        format!("(?:;{param}(?:={param})?)*")
    } else {
        String::new()
    };
    format!(
        "(?i:sips?):(?:{user}(?::{password})?@)?{}(?::{PORT})?{params}{headers}",
        host()
    )
}

/// Any URI; of one with a scheme of ours there is no other reading.
fn uri(bracketed: bool) -> String {
    let params = if bracketed {
        format!(r"(?:;[A-Za-z0-9\-]+(?:=(?:[{UNRESERVED}\[\]/:&+$]|{ESCAPED})+)?)*")
    } else {
        String::new()
    };
    let tel = format!(r"(?i:tel):\+?[0-9A-Fa-f*#\-.()]*[0-9A-Fa-f*#][0-9A-Fa-f*#\-.()]*{params}");
    let divider = if bracketed { ";?," } else { "" };
    let scheme = "(?:[A-RU-Za-ru-z]|[Ss][A-HJ-Za-hj-z0-9+.-]|[Tt][A-DF-Za-df-z0-9+.-])[A-Za-z0-9+.-]*";
    let other = format!(r"{scheme}:(?:[{UNRESERVED}/:@&=+$\[\]{divider}]|{ESCAPED})+");
    format!("(?:{}|{tel}|{other})", sip_uri(bracketed))
}

fn params() -> String {
    let value = format!("(?:{TOKEN}|{}|{}|{})", host(), v6(), quoted());
    format!("(?:{SWS};{SWS}{TOKEN}(?:{SWS}={SWS}{value})?)*")
}

fn via() -> String {
    format!(
        r"(?i:SIP){SWS}/{SWS}2\.0{SWS}/{SWS}{TOKEN}{LWS}{}(?:{SWS}:{SWS}{PORT})?",
        host()
    )
}

fn address() -> String {
    let display = format!("(?:(?:{TOKEN}{LWS})*(?:{TOKEN})?{SWS}|{}{SWS})", quoted());
    format!("(?:{display}<{}>|{})", uri(true), uri(false))
}

/// One or more, split by commas.
fn list(one: &str) -> String {
    format!("{one}(?:{SWS},{SWS}{one})*")
}

struct Grammar {
    request: Regex,
    status: Regex,
    line: Regex,
    text: Regex,
    vias: Regex,
    first_via: Regex,
    address: Regex,
    contacts: Regex,
    routes: Regex,
    call_id: Regex,
    cseq: Regex,
    number: Regex,
    param: Regex,
    token: Regex,
}

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(&format!("(?s-u){pattern}")).unwrap_or_else(|e| panic!("{e}"));
    let whole = |pattern: &str| regex(&format!("^(?:{pattern})$"));
    let (via, address, params) = (via(), address(), params());
    let word = r#"[A-Za-z0-9\-.!%*_+`'~()<>:\\"/\[\]?{}]+"#;
    let request_uri = uri(true).replace(&format!(r"(?:\?(?:[{UNRESERVED}\[\]/?:+$=&]|{ESCAPED})+)?"), "");
    Grammar {
        request: whole(&format!("({TOKEN}) {request_uri} ([^ ]+)")),
        status: whole(&format!(r"([^ ]+) ([1-6][0-9]{{2}}) (?:[\t -~]|{UTF8})*")),
        line: whole(&format!(r"({TOKEN})[ \t]*:((?:[^\r\n]|\r\n[ \t])*)")),
        text: whole(&format!(r"(?:[\t -~]|{UTF8}|\r\n[ \t])*")),
        vias: whole(&list(&format!("{via}{params}"))),
        first_via: regex(&format!("^{via}({params})(?:{SWS},|$)")),
        address: whole(&format!("{address}({params})")),
        contacts: whole(&format!(r"\*|{}", list(&format!("{address}{params}")))),
        routes: whole(&list(&format!(
            "(?:(?:{TOKEN}{LWS})*(?:{TOKEN})?{SWS}|{}{SWS})<{}>{params}",
            quoted(),
            uri(true)
        ))),
        call_id: whole(&format!("{word}(?:@{word})?")),
        cseq: whole(&format!("([0-9]+){LWS}({TOKEN})")),
        number: whole("[0-9]+"),
        token: whole(TOKEN),
        param: regex(&format!(
            r#";{SWS}({TOKEN})(?:{SWS}={SWS}({}|[^\s;,"<>]+))?"#,
            quoted()
        )),
    }
});

fn trim(bytes: &[u8]) -> &[u8] {
    let space = |b: &u8| b" \t\r\n".contains(b);
    let start = bytes.iter().position(|b| !space(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !space(b)).map_or(start, |i| i + 1);
    &bytes[start..end]
}

fn number(digits: &[u8]) -> Option<u64> {
    GRAMMAR.number.is_match(digits).then(|| {
        str::from_utf8(digits)
            .expect("digits")
            .parse()
            .unwrap_or(u64::MAX)
    })
}

/// The first value of a parameter of this name.
fn param(params: &[u8], name: &str) -> Option<Vec<u8>> {
    let all = GRAMMAR.param.captures_iter(params);
    let mut named = all.filter(|param| param[1].eq_ignore_ascii_case(name.as_bytes()));
    named.find_map(|param| Some(param.get(2)?.as_bytes().to_vec()))
}

/// Reads a datagram.
pub fn read(bytes: &[u8]) -> Reading {
    let mut outside = Vec::new();
    let start = bytes
        .iter()
        .position(|b| !b"\r\n".contains(b))
        .unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    let (head, body) = match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(end) => (&bytes[..end + 2], &bytes[end + 4..]),
        None => {
            outside.push(Part::End);
            (bytes, &bytes[bytes.len()..])
        }
    };

    // Lines, folds in them.
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut from = 0;
    for at in head
        .windows(2)
        .enumerate()
        .filter(|(_, two)| two == b"\r\n")
        .map(|(at, _)| at)
    {
        if !matches!(head.get(at + 2), Some(b' ' | b'\t')) || lines.is_empty() {
            lines.push(&head[from..at]);
            from = at + 2;
        }
    }
    lines.push(&head[from..]);
    lines.retain(|line| !line.is_empty());
    let Some((start, lines)) = lines.split_first() else {
        return Reading {
            outside: vec![Part::StartLine],
            values: None,
        };
    };
    let (request, status) = (GRAMMAR.request.captures(start), GRAMMAR.status.captures(start));
    let is_status = start.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"SIP/"));
    let version = match (&request, &status) {
        (_, Some(status)) if is_status => &status[1],
        (Some(request), _) if !is_status => &request[2],
        _ => {
            outside.push(Part::StartLine);
            b"SIP/2.0"
        }
    };
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        outside.push(Part::Version);
    }

    let mut found: [Vec<&[u8]>; HEADERS.len()] = Default::default();
    for line in lines {
        match GRAMMAR.line.captures(line) {
            None => outside.push(Part::Line),
            Some(parts) => {
                let value = trim(parts.get(2).expect("a value").as_bytes());
                let is = |name: &str| parts[1].eq_ignore_ascii_case(name.as_bytes());
                match HEADERS
                    .iter()
                    .position(|(name, compact, _)| is(name) || is(compact))
                {
                    Some(i) => found[i].push(value),
                    None if GRAMMAR.text.is_match(value) => {}
                    None => outside.push(Part::Text),
                }
            }
        }
    }
    let [
        vias,
        froms,
        tos,
        call_ids,
        cseqs,
        hops,
        lengths,
        types,
        contacts,
        routes,
        records,
    ] = &found;
    for (values, (name, _, once)) in found.iter().zip(HEADERS) {
        let needed = matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq")
            || name == "Max-Forwards" && !is_status;
        match values.len() {
            0 if needed => outside.push(Part::Missing(name)),
            0 | 1 => {}
            _ if once => outside.push(Part::Repeated(name)),
            _ => {}
        }
    }
    let mut check = |name, right: bool| {
        if !right {
            outside.push(Part::Value(name));
        }
    };
    let all = |values: &[&[u8]], grammar: &Regex| values.iter().all(|value| grammar.is_match(value));
    // A branch and a tag are tokens, and a port is a number (RFC 3581 §3).
    let token = |value: Vec<u8>| GRAMMAR.token.is_match(&value);
    let port = |value: Vec<u8>| number(&value).is_some_and(|port| port < 65_536);
    let first_via = vias.first().and_then(|value| GRAMMAR.first_via.captures(value));
    let params_right = first_via.is_none_or(|via| {
        param(&via[1], "branch").is_none_or(token) && param(&via[1], "rport").is_none_or(port)
    });
    check("Via", all(vias, &GRAMMAR.vias) && params_right);
    let address = |values: &[&[u8]]| {
        let mut params = values
            .iter()
            .filter_map(|value| Some(GRAMMAR.address.captures(value)?.get(1)?.as_bytes()));
        values.is_empty()
            || params.clone().count() == values.len()
                && params.all(|params| param(params, "tag").is_none_or(token))
    };
    check("From", address(froms));
    check("To", address(tos));
    check("Contact", all(contacts, &GRAMMAR.contacts));
    check("Route", all(routes, &GRAMMAR.routes));
    check("Record-Route", all(records, &GRAMMAR.routes));
    check("Call-ID", all(call_ids, &GRAMMAR.call_id));
    let cseq = cseqs.first().and_then(|value| GRAMMAR.cseq.captures(value));
    let seq = cseq
        .as_ref()
        .and_then(|cseq| number(&cseq[1]))
        .filter(|seq| *seq < 1 << 31);
    check("CSeq", cseqs.is_empty() || seq.is_some());
    let max_forwards = hops
        .first()
        .and_then(|value| number(value))
        .filter(|hops| *hops < 256);
    check("Max-Forwards", hops.is_empty() || max_forwards.is_some());
    let length = lengths
        .first()
        .and_then(|value| number(value))
        .filter(|length| *length <= u32::MAX.into());
    check("Content-Length", lengths.is_empty() || length.is_some());
    check(
        "Content-Type",
        types
            .iter()
            .all(|value| !value.is_empty() && GRAMMAR.text.is_match(value)),
    );
    let length = length.map_or(body.len(), |length| usize::try_from(length).unwrap_or(usize::MAX));
    if length > body.len() {
        outside.push(Part::Length);
    }
    if let (Some(method), Some(cseq)) = (start.split(|b| *b == b' ').next(), &cseq)
        && !is_status
        && *method != cseq[2]
    {
        outside.push(Part::Method);
    }
    let values = outside.is_empty().then(|| {
        let params = |value: &[u8], grammar: &Regex| grammar.captures(value).expect("as checked")[1].to_vec();
        Values {
            status: status
                .filter(|_| is_status)
                .map(|status| number(&status[2]).expect("digits") as u16),
            branch: param(&params(vias[0], &GRAMMAR.first_via), "branch"),
            from_tag: param(&params(froms[0], &GRAMMAR.address), "tag"),
            to_tag: param(&params(tos[0], &GRAMMAR.address), "tag"),
            call_id: call_ids[0].to_vec(),
            cseq: seq.expect("as checked") as u32,
            max_forwards: max_forwards.map(|hops| hops as u32),
            body: body[..length].to_vec(),
        }
    });
    outside.sort();
    outside.dedup();
    Reading { outside, values }
}
