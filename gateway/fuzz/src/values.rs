//! The typed views of header values, each on bytes of its own.

use sip::events::{Event, SubscriptionState};
use sip::fields::{Item, unescape_quoted};
use sip::identity::{Diversion, History};
use sip::refer::{REPLACES_MAX, ReferTo, ReferredBy, Replaces};
use sip::{Auth, CSeq, Host, NameAddr, Params, RAck, Reason, Scheme, Uri, Via};

/// Two URIs, a line each. What is read, written again, is what was read; equality goes both ways.
pub fn uri(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |&b| b == b'\n');
    let a = lines.next().and_then(read_uri);
    let b = lines.next().and_then(read_uri);
    if let (Some(a), Some(b)) = (a, b) {
        assert_eq!(a.equivalent(&b), b.equivalent(&a), "{a:?} {b:?}");
    }
}

/// Reads a URI and everything in it.
pub fn read_uri(bytes: &[u8]) -> Option<Uri<'_>> {
    let uri = Uri::parse(bytes)?;
    assert!(uri.equivalent(&uri), "{uri:?}");
    let written = write_uri(&uri);
    let again = Uri::parse(&written);
    assert_eq!(again, Some(uri), "{}", written.escape_ascii());
    let mut out = vec![0; bytes.len()];
    let plain = uri.unescaped_user(&mut out).map(<[u8]>::len);
    assert_eq!(
        plain.is_some(),
        uri.user.is_some() && uri.user.is_some_and(escapes_are_whole),
        "{uri:?}"
    );
    read_params(&uri.params);
    Some(uri)
}

fn escapes_are_whole(bytes: &[u8]) -> bool {
    bytes
        .split(|&b| b == b'%')
        .skip(1)
        .all(|after| after.len() >= 2 && after[..2].iter().all(u8::is_ascii_hexdigit))
}

fn write_uri(uri: &Uri<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match uri.scheme {
        Scheme::Sip => out.extend(b"sip:"),
        Scheme::Sips => out.extend(b"sips:"),
        Scheme::Tel => out.extend(b"tel:"),
        Scheme::Other(name) => out.extend([name, b":"].concat()),
    }
    out.extend(uri.user.unwrap_or_default());
    if let Some(password) = uri.password {
        out.extend([b":", password].concat());
    }
    if matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
        out.extend(uri.user.map_or(&b""[..], |_| b"@"));
        out.extend(host_port(&uri.host, uri.port));
    }
    out.extend(uri.params.as_bytes());
    if let Some(headers) = uri.headers {
        out.extend([b"?", headers].concat());
    }
    out
}

fn host_port(host: &Host<'_>, port: Option<u16>) -> Vec<u8> {
    let mut out = match host {
        Host::Name(name) => name.to_vec(),
        Host::V4(address) => address.to_string().into_bytes(),
        Host::V6(address) => format!("[{address}]").into_bytes(),
    };
    if let Some(port) = port {
        out.extend(format!(":{port}").bytes());
    }
    out
}

/// A Via. Its parts, written again, are the same Via.
pub fn via(bytes: &[u8]) {
    let Some(via) = Via::parse(bytes) else { return };
    read_params(&via.params);
    assert_eq!(
        via.branch,
        via.params
            .iter()
            .find(|(n, v)| n.eq_ignore_ascii_case(b"branch") && v.is_some())
            .and_then(|(_, v)| v)
    );
    assert!(via.unique_branch().is_none_or(|b| {
        via.branch
            .is_some_and(|all| all.ends_with(b) && all.len() == b.len() + 7)
    }));
    let written = [
        b"SIP/2.0/",
        via.transport,
        b" ",
        &host_port(&via.host, via.port),
        via.params.as_bytes(),
    ]
    .concat();
    assert_eq!(Via::parse(&written), Some(via), "{}", written.escape_ascii());
}

/// A name-addr. Its parts, written again, are the same.
pub fn address(bytes: &[u8]) {
    let Some(address) = NameAddr::parse(bytes) else {
        return;
    };
    if address.is_star() {
        return;
    }
    read_params(&address.params);
    assert!(address.params.is_valid());
    read_uri(address.uri).expect("an address has a readable URI");
    let quoted = bytes.trim_ascii().starts_with(b"\"");
    let display = address.display.unwrap_or_default();
    let display = if quoted {
        [b"\"", display, b"\""].concat()
    } else {
        display.to_vec()
    };
    let written = [&display[..], b"<", address.uri, b">", address.params.as_bytes()].concat();
    assert_eq!(
        NameAddr::parse(&written),
        Some(address),
        "{}",
        written.escape_ascii()
    );
    unquoted(display.as_slice());
}

fn unquoted(text: &[u8]) {
    let mut out = vec![0; text.len()];
    let plain = unescape_quoted(text, &mut out).map(<[u8]>::len);
    assert!(plain.is_none_or(|len| len <= text.len()));
}

/// Parameters.
pub fn params(bytes: &[u8]) {
    read_params(&Params::new(bytes));
}

/// Each parameter is found by its name, and valid ones, written again, are the same.
pub fn read_params(params: &Params<'_>) {
    // Many are read, few are looked for: a look takes as long as there are bytes.
    for (name, _) in params.iter().take(8) {
        if let Ok(name) = std::str::from_utf8(name) {
            let first = params
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
            assert_eq!(
                params.get(name),
                first.map(|(_, value)| value.unwrap_or_default())
            );
            assert!(params.has(name));
        }
    }
    if params.is_valid() {
        let written: Vec<u8> = params
            .iter()
            .flat_map(|(name, value)| match value {
                Some(value) => [b";", name, b"=", value].concat(),
                None => [b";", name].concat(),
            })
            .collect();
        let again = Params::new(&written);
        assert!(
            again.is_valid() && again.iter().eq(params.iter()),
            "{}",
            written.escape_ascii()
        );
    }
}

/// Who sent a call on: values are found again in a message that carries them.
fn sent_on(bytes: &[u8]) {
    if let Some(diversion) = Diversion::parse(bytes) {
        assert!(!diversion.address.is_star());
    }
    if let Some(entry) = History::parse(bytes) {
        assert!(!entry.uri.contains(&b'?') && bytes.windows(entry.uri.len()).any(|part| part == entry.uri));
    }
}

/// The small values: CSeq, RAck, Reason, token with parameters, authentication, numbers.
pub fn fields(bytes: &[u8]) {
    sent_on(bytes);
    if let Some(cseq) = CSeq::parse(bytes) {
        let written = [cseq.seq.to_string().as_bytes(), b" ", cseq.method.as_bytes()].concat();
        assert_eq!(CSeq::parse(&written), Some(cseq));
        assert_eq!(
            RAck::parse(&[b"7 ", bytes].concat()).map(|r| (r.rseq, r.cseq)),
            Some((7, cseq))
        );
    }
    if let Some(rack) = RAck::parse(bytes) {
        assert!(rack.cseq.seq < 1 << 31);
    }
    if let Some(reason) = Reason::parse(bytes) {
        assert!(!reason.protocol.is_empty());
        reason.text.map(unquoted);
    }
    if let Some(r) = Replaces::parse(bytes) {
        let parts = [r.call_id, b";to-tag=", r.to_tag, b";from-tag=", r.from_tag].concat();
        let written = Replaces::parse(&parts).expect("what was read");
        assert_eq!(
            (written.call_id, written.to_tag, written.from_tag),
            (r.call_id, r.to_tag, r.from_tag)
        );
    }
    if let Some(to) = ReferTo::parse(bytes) {
        let _ = (to.method(), to.replaces(&mut [0; REPLACES_MAX]).is_ok());
    }
    if let Some(by) = ReferredBy::parse(bytes) {
        assert!(NameAddr::parse(bytes).is_some_and(|address| address == by.address));
    }
    if let Some(state) = SubscriptionState::parse(bytes) {
        assert_eq!(
            SubscriptionState::parse(state.to_string().as_bytes()),
            Some(state)
        );
    }
    if let Some(event) = Event::parse(bytes) {
        assert_eq!(
            Event::parse(event.package).map(|event| event.package),
            Some(event.package)
        );
    }
    if let Some(item) = Item::parse(bytes) {
        let packed: Vec<u8> = item
            .value
            .iter()
            .copied()
            .filter(|b| !b" \t\r\n".contains(b))
            .collect();
        assert!(std::str::from_utf8(&packed).is_ok_and(|v| item.is(v)) || !packed.is_ascii());
        read_params(&item.params);
    }
    if let Some(auth) = Auth::parse(bytes) {
        for (name, value) in auth.params().take(8) {
            assert!(!name.is_empty());
            unquoted(value);
            let first = auth
                .params()
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v);
            assert_eq!(
                std::str::from_utf8(name).ok().and_then(|name| auth.param(name)),
                first
            );
        }
    }
    let number = std::str::from_utf8(bytes)
        .ok()
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(sip::fields::number(bytes), number.and_then(|t| t.parse().ok()));
    unquoted(bytes);
}
