//! Request line and status line (RFC 3261 §7.1, §7.2).
use crate::fault::Fault;
use crate::fields::port;
use crate::message::StartLine;
use crate::method::Method;
use crate::scan::{find, find_either, is, is_token, split_once, trim, trim_end, trim_start};
use crate::uri::Uri;

/// The bytes up to the first CRLF, or all.
pub(crate) fn first_line(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    loop {
        match bytes.get(end..).and_then(|rest| find(rest, b'\r')) {
            None => return bytes,
            Some(i) => end += i,
        }
        if bytes.get(end + 1) == Some(&b'\n') {
            return bytes.get(..end).unwrap_or_default();
        }
        end += 1;
    }
}

/// Reads a start line, and tells what is wrong with one that was read as far as is needed to answer. Fails with
/// [`Fault::NotSip`] where no start line can be made out, and with [`Fault::Version`] or [`Fault::StartLine`] for a status line
/// that nothing can be made of.
pub(crate) fn parse(line: &[u8]) -> Result<(StartLine<'_>, Option<Fault>), Fault> {
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
        // As in header lines: others might take it for a line end.
        let broken = find_either(reason, b'\r', b'\n').is_some();
        return Ok((StartLine::Status { code, reason }, broken.then_some(Fault::Line)));
    }
    let (method, rest) = split_once(line, b' ').ok_or(Fault::NotSip)?;
    let rest = trim_end(rest);
    let space = rest.iter().rposition(|&b| b == b' ').ok_or(Fault::NotSip)?;
    let (uri, last) = rest.split_at(space);
    let version = last.get(1..).unwrap_or_default();
    let uri = trim(uri);
    if !is_token(method) || !is_version(trim_start(version)) {
        return Err(Fault::NotSip);
    }
    // Exactly one space on either side of the URI, and none after the version.
    let exact = line.len() == method.len() + uri.len() + version.len() + 2;
    // Headers are not allowed in a Request-URI (RFC 3261 §19.1.1).
    let uri_valid = || Uri::parse(uri).is_some_and(|u| u.headers.is_none());
    let fault = if !is_version_2(version) {
        Some(Fault::Version)
    } else if !exact || !uri_valid() {
        Some(Fault::StartLine)
    } else {
        None
    };
    let method = Method::parse(method);
    Ok((StartLine::Request { method, uri }, fault))
}

fn is_version(bytes: &[u8]) -> bool {
    bytes.get(..4).is_some_and(|b| is(b, b"SIP/"))
}

fn is_version_2(bytes: &[u8]) -> bool {
    is(bytes, b"SIP/2.0")
}
