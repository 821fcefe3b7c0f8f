//! A box and a carrier that speak SIP by hand: built as text, read and authenticated by rsip, an independent voice.
#![allow(dead_code, reason = "each test program uses a part")]

use std::net::SocketAddr;

use rsip::headers::auth::Algorithm;
use rsip::prelude::*;
use rsip::services::DigestGenerator;
use rsip::{Method, Request, Response, SipMessage};
use shared::factory::Factory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::PATIENCE;

/// One side of a wire.
pub enum Wire {
    Tcp(TcpStream, Vec<u8>),
    Udp(UdpSocket, SocketAddr),
}

impl Wire {
    pub fn local(&self) -> SocketAddr {
        match self {
            Self::Tcp(stream, _) => stream.local_addr().unwrap(),
            Self::Udp(socket, _) => socket.local_addr().unwrap(),
        }
    }

    fn transport(&self) -> &'static str {
        match self {
            Self::Tcp(..) => "TCP",
            Self::Udp(..) => "UDP",
        }
    }

    pub async fn send(&mut self, text: &str) {
        match self {
            Self::Tcp(stream, _) => stream.write_all(text.as_bytes()).await.unwrap(),
            Self::Udp(socket, peer) => {
                socket.send_to(text.as_bytes(), *peer).await.unwrap();
            }
        }
    }

    pub async fn next(&mut self) -> SipMessage {
        let bytes = timeout(PATIENCE, self.bytes())
            .await
            .expect("a SIP message comes");
        SipMessage::try_from(bytes.as_slice()).unwrap()
    }

    async fn bytes(&mut self) -> Vec<u8> {
        match self {
            Self::Udp(socket, _) => {
                let mut buffer = vec![0; 65_536];
                let (len, _) = socket.recv_from(&mut buffer).await.unwrap();
                buffer.truncate(len);
                buffer
            }
            Self::Tcp(stream, held) => loop {
                if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
                    let head = String::from_utf8(held[..end].to_vec()).unwrap();
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("Content-Length:"))
                        .map_or(0, |value| value.trim().parse::<usize>().unwrap());
                    if held.len() >= end + 4 + length {
                        return held.drain(..end + 4 + length).collect();
                    }
                }
                let mut buffer = [0; 4_096];
                let len = stream.read(&mut buffer).await.unwrap();
                assert!(len > 0, "the connection was closed");
                held.extend_from_slice(&buffer[..len]);
            },
        }
    }

    /// The next request with this method; what else comes is passed over.
    pub async fn request(&mut self, method: Method) -> Request {
        loop {
            if let SipMessage::Request(request) = self.next().await
                && request.method == method
            {
                return request;
            }
        }
    }

    /// The next final response to this method.
    pub async fn response(&mut self, method: Method) -> Response {
        loop {
            if let SipMessage::Response(response) = self.next().await
                && response.status_code.code() >= 200
                && response.cseq_header().unwrap().typed().unwrap().method == method
            {
                return response;
            }
        }
    }

    /// Answers a request; `more` are whole header lines.
    pub async fn answer(&mut self, request: &Request, status: &str, more: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for header in request.headers.iter() {
            match header {
                rsip::Header::Via(_)
                | rsip::Header::From(_)
                | rsip::Header::CallId(_)
                | rsip::Header::CSeq(_) => {
                    text.push_str(&format!("{header}\r\n"));
                }
                rsip::Header::To(to) if to.value().contains(";tag=") => {
                    text.push_str(&format!("{header}\r\n"))
                }
                rsip::Header::To(_) => text.push_str(&format!("{header};tag=answered\r\n")),
                _ => {}
            }
        }
        text.push_str(more);
        text.push_str(&with_body(body));
        self.send(&text).await;
    }
}

pub fn with_body(body: &str) -> String {
    match body.len() {
        0 => "Content-Length: 0\r\n\r\n".into(),
        len => format!("Content-Type: application/sdp\r\nContent-Length: {len}\r\n\r\n{body}"),
    }
}

pub fn sdp(target: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8\r\na=sendrecv\r\n",
        ip = target.ip(),
        port = target.port()
    )
}

/// Where a session description wants its audio.
pub fn audio(body: &[u8]) -> SocketAddr {
    let text = std::str::from_utf8(body).unwrap();
    let value = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    let ip = value("c=IN IP4 ");
    let port = value("m=audio ").split(' ').next().unwrap();
    format!("{ip}:{port}").parse().unwrap()
}

/// A header that rsip has no type for.
pub fn other<'m>(request: &'m Request, name: &str) -> Option<&'m str> {
    request.headers.iter().find_map(|header| match header {
        rsip::Header::Other(key, value) if key.eq_ignore_ascii_case(name) => Some(value.as_str()),
        _ => None,
    })
}

/// Connects to the server as a box and registers with `password`; the final response tells.
pub async fn register(server: SocketAddr, factory: &Factory, password: &str) -> (Wire, Response) {
    let stream = TcpStream::connect(server).await.unwrap();
    let mut wire = Wire::Tcp(stream, Vec::new());
    let response = register_on(&mut wire, factory, password).await;
    (wire, response)
}

pub async fn register_on(wire: &mut Wire, factory: &Factory, password: &str) -> Response {
    let (id, local) = (factory.box_id.to_string(), wire.local());
    let wants = format!(
        "Contact: <sip:{local};transport=tcp;bnc>;boot=1;expires=300\r\nRequire: gin\r\nSupported: gin, path\r\n"
    );
    register_as(wire, &id, factory.realm(), password, &wants).await
}

/// Registers as a phone, by whatever it has.
pub async fn register_phone(wire: &mut Wire, user: &str, realm: &str, password: &str) -> Response {
    let wants = format!("Contact: <sip:{user}@{}>\r\nExpires: 3600\r\n", wire.local());
    register_as(wire, user, realm, password, &wants).await
}

/// Registers with these header lines, challenge and all.
async fn register_as(wire: &mut Wire, user: &str, realm: &str, password: &str, wants: &str) -> Response {
    let (local, transport) = (wire.local(), wire.transport());
    let register = |cseq: u32, authorization: &str| {
        format!(
            "REGISTER sip:{realm} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bKreg{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{realm}>;tag=r\r\nTo: <sip:{user}@{realm}>\r\nCall-ID: reg-{local}\r\n\
             CSeq: {cseq} REGISTER\r\n{wants}{authorization}Content-Length: 0\r\n\r\n"
        )
    };
    wire.send(&register(1, "")).await;
    let challenge = wire.response(Method::Register).await;
    assert_eq!(challenge.status_code.code(), 401);
    let authorization = proof(
        &challenge,
        "Authorization",
        Method::Register,
        realm,
        user,
        password,
    );
    wire.send(&register(2, &authorization)).await;
    wire.response(Method::Register).await
}

/// The header line that answers a challenge, by MD5; `target` is the URI without its scheme.
pub fn proof(
    challenge: &Response,
    header: &str,
    method: Method,
    target: &str,
    user: &str,
    password: &str,
) -> String {
    let challenges = challenge.headers.iter().filter_map(|header| match header {
        rsip::Header::WwwAuthenticate(challenge) => challenge.typed().ok(),
        rsip::Header::ProxyAuthenticate(challenge) => challenge.typed().ok().map(|challenge| challenge.0),
        _ => None,
    });
    let challenge = challenges
        .into_iter()
        .find(|challenge| matches!(challenge.algorithm, None | Some(Algorithm::Md5)))
        .expect("MD5 is offered");
    let uri = rsip::Uri::try_from(format!("sip:{target}").as_str()).unwrap();
    let digest = DigestGenerator {
        username: user,
        password,
        nonce: &challenge.nonce,
        uri: &uri,
        realm: &challenge.realm,
        method: &method,
        qop: None,
        algorithm: Algorithm::Md5,
    };
    format!(
        "{header}: Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{}\", \
         algorithm=MD5\r\n",
        challenge.realm,
        challenge.nonce,
        digest.compute()
    )
}
