//! What lies between a phone and the box: proxies on the way (RFC 3327), and who keeps the way open (RFC 5626).

use super::No;
use heapless::Vec;
use sip::b2bua::ROUTE_MAX;
use sip::{Flow, Message, Name, NameAddr, Scheme, Uri, Writer};

/// Longest Path that is kept, bytes: one proxy, or two with short names. Nothing where calls have no room for a route.
const PATH_MAX: usize = if ROUTE_MAX < 96 { ROUTE_MAX } else { 96 };
/// Extensions that a REGISTER may require.
pub(super) const EXTENSIONS: &[&str] = if PATH_MAX == 0 {
    &["outbound", "gruu"]
} else {
    &["outbound", "gruu", "path"]
};
/// How often a phone has to be heard on its connection, seconds.
const FLOW_TIMER: u8 = 120;

/// The Path of a REGISTER as Route for the phone. A phone that knows nothing of it is told (RFC 3327 §5.3): somebody else may
/// have put it there.
pub(super) fn read(request: &Message<'_>) -> Result<Vec<u8, PATH_MAX>, No> {
    if request.unsupported(EXTENSIONS).next().is_some() {
        return Err(No::Status(420));
    }
    let mut path = Vec::new();
    for value in request.values(Name::Path) {
        if PATH_MAX == 0 || !request.supports("path") {
            return Err(No::Status(420));
        }
        let uri = NameAddr::parse(value).and_then(|proxy| proxy.parsed_uri());
        let is_sip = |uri: &Uri<'_>| matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
        if !uri.is_some_and(|uri| is_sip(&uri) && uri.param("lr").is_some()) {
            return Err(No::Status(400));
        }
        let comma: &[u8] = if path.is_empty() { b"" } else { b", " };
        let pushed = path
            .extend_from_slice(comma)
            .and_then(|()| path.extend_from_slice(value));
        pushed.map_err(|_| No::Status(400))?;
    }
    Ok(path)
}

/// Whether this registration is one flow of a phone's (RFC 5626 §6): it says which, and the first hop keeps it open. That is the
/// box itself for a connection, else a proxy that says so in its Path. Over datagrams the box does not: they are kept open
/// by STUN, and nothing in an office's network has to be kept open.
pub(super) fn outbound(flow: &Flow, request: &Message<'_>) -> Result<bool, No> {
    let mut flows = request
        .contacts()
        .filter(|contact| contact.param("reg-id").is_some() && contact.param("+sip.instance").is_some());
    if flows.next().is_none() || !request.supports("outbound") {
        return Ok(false);
    }
    if flows.next().is_some() {
        return Err(No::Status(400));
    }
    if request.values(Name::Via).count() == 1 {
        return Ok(flow.is_reliable());
    }
    let first_hop = request.addresses(Name::Path).last();
    let keeps = first_hop.is_some_and(|hop| hop.parsed_uri().is_some_and(|uri| uri.param("ob").is_some()));
    if keeps { Ok(true) } else { Err(No::Status(439)) }
}

/// What the answer to such a registration says: that it is one, and how often the phone has to be heard.
pub(super) fn write_outbound(w: &mut Writer<'_>, flow: &Flow, request: &Message<'_>) {
    if matches!(outbound(flow, request), Ok(true)) {
        w.header(Name::Require, "outbound");
        if flow.is_reliable() && request.values(Name::Via).count() == 1 {
            w.header(Name::FlowTimer, FLOW_TIMER);
        }
    }
    w.header(Name::Supported, "outbound, gruu");
    if PATH_MAX != 0 {
        w.header(Name::Supported, "path");
    }
}
