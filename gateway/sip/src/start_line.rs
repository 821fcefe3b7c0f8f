//! Request line and status line (RFC 3261 §7.1, §7.2).
use crate::fault::Fault;
use crate::fields::port;
use crate::message::StartLine;
use crate::method::Method;
use crate::scan::{is_token, split_once, trim, trim_end};
use crate::uri::Uri;

/// The bytes up to the first CRLF, or all.
pub(crate) fn first_line(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr_iter(b'\r', bytes).find(|&i| bytes.get(i + 1) == Some(&b'\n'));
    bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default()
}

/// Reads as much as is needed to answer: [`check`] tells whether it is right. Fails with [`Fault::NotSip`] where no start line
/// can be made out, and with [`Fault::Version`] or [`Fault::StartLine`] for a status line that nothing can be made of.
pub(crate) fn parse(line: &[u8]) -> Result<StartLine<'_>, Fault> {
    if is_version(line) {
        let (version, rest) = split_once(line, b' ').ok_or(Fault::StartLine)?;
        if !is_version_2(version) {
            return Err(Fault::Version);
        }
        // The space before an empty phrase is often forgotten.
        let (code, reason) = split_once(rest, b' ').unwrap_or((rest, b""));
        let code = port(code)
            .filter(|c| code.len() == 3 && (100..700).contains(c))
            .ok_or(Fault::StartLine)?;
        return Ok(StartLine::Status { code, reason });
    }
    let (method, rest) = split_once(line, b' ').ok_or(Fault::NotSip)?;
    let rest = trim_end(rest);
    let space = memchr::memrchr(b' ', rest).ok_or(Fault::NotSip)?;
    let (uri, last) = rest.split_at(space);
    if !is_token(method) || !is_version(trim(last)) {
        return Err(Fault::NotSip);
    }
    Ok(StartLine::Request {
        method: Method::parse(method),
        uri: trim(uri),
    })
}

/// What is wrong with a request line that [`parse`] took.
pub(crate) fn check(line: &[u8], start: &StartLine<'_>) -> Option<Fault> {
    let StartLine::Request { method, uri } = start else {
        return None;
    };
    let trimmed = trim_end(line);
    let last = memchr::memrchr(b' ', trimmed)
        .and_then(|i| trimmed.get(i + 1..))
        .unwrap_or_default();
    if !is_version_2(last) {
        return Some(Fault::Version);
    }
    // Exactly one space on either side of the URI, and none after the version.
    let exact = line.len() == method.as_bytes().len() + uri.len() + last.len() + 2;
    // Headers are not allowed in a Request-URI (RFC 3261 §19.1.1).
    let uri_valid = Uri::parse(uri).is_some_and(|u| u.headers.is_none());
    (!exact || !uri_valid).then_some(Fault::StartLine)
}

fn is_version(bytes: &[u8]) -> bool {
    bytes.get(..4).is_some_and(|b| b.eq_ignore_ascii_case(b"SIP/"))
}

fn is_version_2(bytes: &[u8]) -> bool {
    bytes.eq_ignore_ascii_case(b"SIP/2.0")
}
