//! The messages whose reading is measured.

/// An INVITE as a desk phone sends it: 737 bytes, 12 headers.
pub const INVITE: &[u8] = b"INVITE sip:0312340002@denwaban.example SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK776asdhds83;rport\r\n\
Max-Forwards: 70\r\n\
From: \"Reception\" <sip:0312340001@denwaban.example>;tag=1928301774\r\n\
To: <sip:0312340002@denwaban.example>\r\n\
Call-ID: a84b4c76e66710d4@192.0.2.11\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:0312340001@192.0.2.11:5060>\r\n\
User-Agent: Grandstream GXP1625 1.0.7.707\r\n\
Allow: INVITE, ACK, OPTIONS, CANCEL, BYE, REFER, NOTIFY, INFO, UPDATE, MESSAGE\r\n\
Supported: replaces, timer\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 191\r\n\
\r\n\
v=0\r\no=- 20518 0 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\n\
m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
a=sendrecv\r\n";

/// An HTTP request of the same size: the same header lines and body below a request line of the same length.
pub fn http() -> Vec<u8> {
    let (line, rest) = INVITE.split_at(INVITE.iter().position(|&b| b == b'\r').unwrap_or(0));
    let path = "0".repeat(line.len() - "POST / HTTP/1.1".len());
    [format!("POST /{path} HTTP/1.1").as_bytes(), rest].concat()
}

const _: () = assert!(INVITE.len() == 737);
