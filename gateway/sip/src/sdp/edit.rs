//! Copies of a description with some things changed, and all else as it was, byte for byte.
use super::{Crypto, Direction, Media, Sdp, lines};
use crate::scan::{split_once, trim};
use crate::write::{Full, Writer};
use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};

/// What becomes of a medium; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Where it is received: its port, and an own `c=` line. Attributes that would lead around it go: `rtcp`, `candidate`,
    /// `remote-candidates` and `end-of-candidates`. Port 0 refuses or removes the medium (RFC 3264 §6, §8.2); address
    /// `0.0.0.0` holds it the old way (§8.4).
    pub target: Option<SocketAddr>,
    /// Its direction: holds it and resumes it (RFC 3264 §8.4).
    pub direction: Option<Direction>,
    /// Whether and with which keys it is encrypted.
    pub keys: Option<Keys<'a>>,
}

/// Encryption of a medium by keys in its description (RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys<'a> {
    /// None: `RTP/SAVP` becomes `RTP/AVP`.
    None,
    /// These and no others: `RTP/AVP` becomes `RTP/SAVP`.
    These(&'a [Crypto<'a>]),
}

impl Edit<'_> {
    /// Another place, and nothing else.
    pub const fn at(target: SocketAddr) -> Self {
        Edit {
            target: Some(target),
            direction: None,
            keys: None,
        }
    }
}

impl Keys<'_> {
    /// The protocol of a medium with such keys; one that is not RTP stays.
    fn protocol<'p>(&self, protocol: &'p [u8]) -> &'p [u8] {
        match (self, protocol) {
            (Keys::None, b"RTP/SAVP") => b"RTP/AVP",
            (Keys::None, b"RTP/SAVPF") => b"RTP/AVPF",
            (Keys::These(_), b"RTP/AVP") => b"RTP/SAVP",
            (Keys::These(_), b"RTP/AVPF") => b"RTP/SAVPF",
            (_, other) => other,
        }
    }
}

/// Copies `sdp` with its media changed as `edit(index, medium)` says. Refused media (port 0) are not asked for and stay.
/// `session` is the new address of the session's own `c=` line, which counts for no medium that has another; one that
/// holds (`0.0.0.0`) stays. Gives the length written.
pub fn rewrite<'e>(
    sdp: &Sdp<'_>,
    out: &mut [u8],
    session: Option<IpAddr>,
    mut edit: impl FnMut(usize, &Media<'_>) -> Edit<'e>,
) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    match session {
        None => _ = w.raw(sdp.session),
        Some(address) => write_session(&mut w, sdp, address),
    }
    let mut at = sdp.session.len();
    let mut media = sdp.media();
    let mut index = 0;
    while let Some(medium) = media.next() {
        let part = sdp.bytes.get(at..media.at).unwrap_or_default();
        at = media.at;
        let edit = match medium.port {
            0 => Edit::default(),
            _ => edit(index, &medium),
        };
        index += 1;
        match edit == Edit::default() {
            true => _ = w.raw(part),
            false => write_medium(&mut w, &medium, part, edit),
        }
    }
    w.end()
}

fn write_session(w: &mut Writer<'_>, sdp: &Sdp<'_>, address: IpAddr) {
    for line in sdp.session.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b"c=") && !sdp.address().is_some_and(|old| old.is_unspecified()) {
            write_connection(w, address, line_end(line));
        } else {
            w.raw(line);
        }
    }
}

fn write_medium(w: &mut Writer<'_>, medium: &Media<'_>, part: &[u8], edit: Edit<'_>) {
    let mut lines_left = part.split_inclusive(|&b| b == b'\n');
    let head = lines_left.next().unwrap_or_default();
    let end = line_end(head);
    w.raw(b"m=").raw(medium.kind).raw(b" ");
    match edit.target {
        Some(target) => _ = write!(w, "{}", target.port()),
        None => _ = w.raw(head.split(|&b| b == b' ').nth(1).unwrap_or_default()),
    }
    let protocol = edit
        .keys
        .map_or(medium.protocol, |keys| keys.protocol(medium.protocol));
    w.raw(b" ").raw(protocol).raw(b" ").raw(medium.formats).raw(end);
    let mut place = edit.target;
    for line in lines_left {
        // Title, then connection, then all else (RFC 8866 §5).
        if !line.starts_with(b"i=")
            && let Some(target) = place.take()
        {
            write_connection(w, target.ip(), end);
        }
        if !edit.replaces(line) {
            w.raw(line);
        }
    }
    // The description's last line may have no end, or half of one.
    if !w.written().ends_with(b"\n") {
        let half = w.written().ends_with(b"\r");
        w.raw(if half { b"\n" } else { end });
    }
    if let Some(target) = place {
        write_connection(w, target.ip(), end);
    }
    if let Some(direction) = edit.direction {
        w.raw(b"a=").raw(direction.as_str().as_bytes()).raw(end);
    }
    if let Some(Keys::These(keys)) = edit.keys {
        for key in keys {
            w.raw(b"a=crypto:");
            key.write(w);
            w.raw(end);
        }
    }
}

/// Attributes that would lead around another place.
const PLACE: [&[u8]; 4] = [b"rtcp", b"candidate", b"remote-candidates", b"end-of-candidates"];

impl Edit<'_> {
    /// Is this line of a medium replaced by what is written anew?
    fn replaces(&self, line: &[u8]) -> bool {
        let attribute = lines(line).next().and_then(|l| l.strip_prefix(b"a="));
        // A flag has no value, and so has what was cut off.
        let name = attribute.map(|a| split_once(a, b':').map_or(a, |(name, _)| name));
        let is_place = match name {
            Some(name) => PLACE.contains(&name),
            None => line.starts_with(b"c="),
        };
        let is_direction =
            attribute.is_some_and(|a| Direction::ALL.iter().any(|d| d.as_str().as_bytes() == trim(a)));
        self.target.is_some() && is_place
            || self.direction.is_some() && is_direction
            || self.keys.is_some() && name == Some(b"crypto")
    }
}

/// The end of new lines beside this one.
fn line_end(line: &[u8]) -> &'static [u8] {
    match line.ends_with(b"\n") && !line.ends_with(b"\r\n") {
        true => b"\n",
        false => b"\r\n",
    }
}

fn write_connection(w: &mut Writer<'_>, address: IpAddr, end: &[u8]) {
    let _ = write!(w, "c=IN {}", super::write::Address(address));
    w.raw(end);
}
