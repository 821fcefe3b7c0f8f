//! SIP messages in the log (`RUST_LOG=sip=debug`), typed by rsip.
//!
//! rsip is a view behind our own parser, which alone judges what came from the network: it never sees a message that
//! was not accepted.

use std::fmt;

use rsip::prelude::*;
use sip::{Flow, Message};
use tracing::{Level, debug, enabled};

/// What a line of the log says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Method and Request-URI, or status code and the method it answers.
    pub what: String,
    /// User and host of From.
    pub from: String,
    /// User and host of To.
    pub to: String,
    /// Call-ID.
    pub call_id: String,
    /// Sequence number.
    pub cseq: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} from {} to {} ({} {})",
            self.what, self.from, self.to, self.call_id, self.cseq
        )
    }
}

/// Logs a message.
pub fn message(way: &str, flow: &Flow, bytes: &[u8]) {
    if !enabled!(target: "sip", Level::DEBUG) {
        return;
    }
    let parsed = if flow.is_reliable() {
        Message::parse_stream(bytes)
    } else {
        Message::parse_datagram(bytes)
    };
    match parsed {
        Ok(message) => match summary(&message) {
            Some(summary) => debug!(target: "sip", way, peer = %flow.peer, "{summary}"),
            None => debug!(target: "sip", way, peer = %flow.peer, method = ?message.method(), "not typed"),
        },
        Err(rejected) => debug!(target: "sip", way, peer = %flow.peer, fault = ?rejected.fault, "not SIP"),
    }
}

/// The typed view of an accepted message; nothing where rsip cannot read what the standard allows.
pub fn summary(message: &Message<'_>) -> Option<Summary> {
    let typed = rsip::SipMessage::try_from(message.raw()).ok()?;
    let cseq = typed.cseq_header().ok()?.typed().ok()?;
    let what = match &typed {
        rsip::SipMessage::Request(request) => format!("{} {}", request.method, request.uri),
        rsip::SipMessage::Response(response) => format!("{} {}", response.status_code.code(), cseq.method),
    };
    let place = |uri: rsip::Uri| match uri.user() {
        Some(user) => format!("{user}@{}", uri.host()),
        None => uri.host().to_string(),
    };
    Some(Summary {
        what,
        from: place(typed.from_header().ok()?.typed().ok()?.uri),
        to: place(typed.to_header().ok()?.typed().ok()?.uri),
        call_id: typed.call_id_header().ok()?.value().to_string(),
        cseq: cseq.seq,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses() {
        let text = "INVITE sip:0312340000@pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
            From: \"A\" <sip:0901@carrier.example>;tag=1\r\nTo: <sip:0312340000@pbx.example>\r\nCall-ID: abc\r\n\
            CSeq: 7 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        assert_eq!(
            summary(&message).unwrap().to_string(),
            "INVITE sip:0312340000@pbx.example from 0901@carrier.example to 0312340000@pbx.example (abc 7)"
        );
        let text = text.replacen(
            "INVITE sip:0312340000@pbx.example SIP/2.0",
            "SIP/2.0 486 Busy Here",
            1,
        );
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        assert_eq!(summary(&message).unwrap().what, "486 INVITE");
    }

    /// What rsip cannot read is no fault of the message (compact names, RFC 3261 §7.3.3).
    #[test]
    fn what_rsip_cannot_read_is_accepted_all_the_same() {
        let text = "OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
            t: <sip:a@b>\r\ni: abc\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nl: 0\r\n\r\n";
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        assert_eq!(summary(&message), None);
    }
}
