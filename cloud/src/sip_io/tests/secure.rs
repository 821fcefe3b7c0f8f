//! TLS and WebSocket, with clients of the libraries that others use; and what their streams may bring.

use std::path::PathBuf;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

const HOST: &str = "cloud.test";

/// An edge with every transport, and the certificate that its clients trust.
struct World {
    io: SipIo,
    arrivals: mpsc::Receiver<Arrival>,
    root: CertificateDer<'static>,
    _files: tempfile::TempDir,
}

async fn world(limits: Limits) -> World {
    let made = rcgen::generate_simple_self_signed([HOST.to_string()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key): (PathBuf, PathBuf) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    assert!(tls::acceptor(&key, &key).is_err() && tls::acceptor(&cert, &cert).is_err());
    let acceptor = tls::acceptor(&cert, &key).unwrap();
    let local = "127.0.0.1:0".parse().unwrap();
    let listen = Listen {
        sip: local,
        tls: Some((local, acceptor.clone())),
        ws: Some(local),
        wss: Some((local, acceptor)),
    };
    let (io, arrivals) = SipIo::bind(&listen, limits).await.unwrap();
    World {
        io,
        arrivals,
        root: made.cert.der().clone(),
        _files: files,
    }
}

impl World {
    async fn tcp(&self, transport: Transport) -> TcpStream {
        TcpStream::connect(self.io.listens(transport).unwrap())
            .await
            .unwrap()
    }

    async fn tls(&self, transport: Transport) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let stream = self.tcp(transport).await;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }

    async fn message(&mut self) -> (Flow, Vec<u8>) {
        match next(&mut self.arrivals).await {
            Arrival::Message { flow, bytes } => (flow, bytes),
            other => panic!("{other:?}"),
        }
    }
}

async fn web<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    protocol: Option<&str>,
) -> Result<WebSocketStream<S>, Error> {
    let mut request = format!("ws://{HOST}/").into_client_request().unwrap();
    if let Some(protocol) = protocol {
        let headers = request.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    }
    let (socket, response) = client_async(request, stream).await?;
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
    Ok(socket)
}

#[tokio::test]
async fn sip_over_tls() {
    let mut world = world(Limits::default()).await;
    let mut client = world.tls(Transport::Tls).await;
    let both = [options(0), options(5), b"\r\n\r\n".to_vec()].concat();
    client.write_all(&both).await.unwrap();
    client.flush().await.unwrap();
    for expected in [options(0), options(5)] {
        assert_eq!(world.message().await.1, expected);
    }
    let Arrival::Ping(flow) = next(&mut world.arrivals).await else {
        panic!()
    };
    assert_eq!(flow.transport, Transport::Tls);
    assert_eq!(Some(flow.local), world.io.listens(Transport::Tls));
    assert!(world.io.send(&flow, b"\r\n"));
    let mut pong = [0; 2];
    timeout(PATIENCE, client.read_exact(&mut pong))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&pong, b"\r\n");
    drop(client);
    assert_eq!(next(&mut world.arrivals).await, Arrival::Closed(flow));
}

#[tokio::test]
async fn sip_over_web_socket() {
    let mut world = world(Limits::default()).await;
    let plain = world.tcp(Transport::Ws).await;
    let secure = world.tls(Transport::Wss).await;
    talk(
        &mut world,
        web(plain, Some("chat, sip")).await.unwrap(),
        Transport::Ws,
    )
    .await;
    talk(
        &mut world,
        web(secure, Some("sip")).await.unwrap(),
        Transport::Wss,
    )
    .await;
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    world: &mut World,
    mut client: WebSocketStream<S>,
    transport: Transport,
) {
    let text = String::from_utf8(options(3)).unwrap();
    let mut binary = options(0);
    binary.splice(0..0, []);
    let shift_jis = [&b"OPTIONS sip:a SIP/2.0\r\nSubject: \x93\xfa\r\n\r\n"[..]].concat();
    for message in [
        Message::text(text),
        Message::binary(binary),
        Message::binary(shift_jis),
    ] {
        let bytes = message.clone().into_data();
        client.send(message).await.unwrap();
        let (flow, got) = world.message().await;
        assert_eq!((flow.transport, got), (transport, bytes.to_vec()));
    }
    // Keep-alives: SIP's own, and the socket's, which it answers itself.
    client.send(Message::text("\r\n\r\n")).await.unwrap();
    let Arrival::Ping(flow) = next(&mut world.arrivals).await else {
        panic!()
    };
    client.send(Message::text("\r\n")).await.unwrap();
    assert_eq!(next(&mut world.arrivals).await, Arrival::Pong(flow));
    client
        .send(Message::Ping(Bytes::from_static(b"7")))
        .await
        .unwrap();
    assert_eq!(next(&mut world.arrivals).await, Arrival::Pong(flow));
    let mut hear = async || timeout(PATIENCE, client.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(hear().await, Message::Pong(Bytes::from_static(b"7")));
    // What is text goes out as text, what is not as bytes.
    assert!(world.io.send(&flow, b"SIP/2.0 200 OK\r\n\r\n"));
    assert_eq!(hear().await, Message::text("SIP/2.0 200 OK\r\n\r\n"));
    assert!(world.io.send(&flow, b"\x93\xfa"));
    assert_eq!(hear().await, Message::binary(b"\x93\xfa".to_vec()));
    client.close(None).await.unwrap();
    while client.next().await.is_some() {}
    assert_eq!(next(&mut world.arrivals).await, Arrival::Closed(flow));
}

#[tokio::test]
async fn who_does_not_speak_it_is_closed() {
    let limits = Limits {
        first: Duration::from_millis(300),
        silent: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut world = world(limits).await;
    // Another subprotocol, none, and no WebSocket at all.
    for protocol in [Some("xmpp"), None] {
        let stream = world.tcp(Transport::Ws).await;
        let refused = web(stream, protocol).await.unwrap_err();
        assert!(
            matches!(refused, Error::Http(ref response) if response.status() == 400),
            "{refused}"
        );
    }
    let raw = [
        (Transport::Ws, options(0)),
        (Transport::Wss, options(0)),
        (Transport::Tls, options(0)),
        // Nothing at all: the handshakes have a limit too.
        (Transport::Tls, Vec::new()),
        (Transport::Ws, Vec::new()),
    ];
    for (transport, bytes) in raw {
        let mut stream = world.tcp(transport).await;
        stream.write_all(&bytes).await.unwrap();
        closed(&mut stream).await;
    }
    // A message beyond all bounds, and one that pings no more.
    for message in [
        Message::binary(vec![b'x'; STREAM_MAX + 1]),
        Message::Ping(Bytes::new()),
    ] {
        let stream = world.tcp(Transport::Ws).await;
        let mut client = web(stream, Some("sip")).await.unwrap();
        // It may be closed while we still write.
        let _ = client.send(message).await;
        while let Some(Ok(_)) = timeout(PATIENCE, client.next()).await.expect("closed") {}
    }
    let mut ended = 0;
    while ended < 9 {
        match next(&mut world.arrivals).await {
            Arrival::Closed(_) => ended += 1,
            Arrival::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.io.counters().broken.load(Ordering::Relaxed), 9);
    assert_eq!(world.io.connections(), 0);
}

/// One meaning for one stream: whatever its pieces, it is the same messages, or it is closed where its frame is lost.
#[tokio::test]
async fn lengths_on_streams() {
    let with = |length: &str, body: &str| {
        let text = String::from_utf8(options(0)).unwrap();
        (text
            .replace("Content-Length: 0\r\n", length)
            .replace("\r\n\r\n", &format!("\r\n\r\n{body}")))
        .into_bytes()
    };
    let good = options(4);
    // What is told of each: whole messages before the fault.
    let table = [
        (with("", ""), 0),
        (with("Content-Length: 0\r\nl: 4\r\n", "xxxx"), 0),
        (with("Content-Length: -1\r\n", ""), 0),
        (with("Content-Length: 4, 4\r\n", "xxxx"), 0),
        // Too short: the rest is taken for the next message, and is none.
        (with("Content-Length: 2\r\n", "xxxx no header\r\n\r\n"), 1),
        // Too long: the next message is swallowed, which is what its sender said.
        ([with("Content-Length: 8192\r\n", ""), good.clone()].concat(), 0),
    ];
    for (bytes, whole) in table {
        for piece in [1, 7, bytes.len() + good.len()] {
            let mut world = world(Limits::default()).await;
            let mut client = world.tcp(Transport::Tcp).await;
            let stream = [&good[..], &bytes].concat();
            for part in stream.chunks(piece) {
                if client.write_all(part).await.is_err() {
                    break;
                }
            }
            let mut messages = 0;
            while let Arrival::Message { .. } = next(&mut world.arrivals).await {
                messages += 1;
            }
            assert_eq!(messages, 1 + whole, "{}", bytes.escape_ascii());
        }
    }
    // Pipelined, split at every byte.
    let stream = [good.clone(), b"\r\n\r\n".to_vec(), options(0), good].concat();
    let mut world = world(Limits::default()).await;
    for at in 0..stream.len() {
        let mut client = world.tcp(Transport::Tcp).await;
        client.set_nodelay(true).unwrap();
        let (first, second) = stream.split_at(at);
        client.write_all(first).await.unwrap();
        client.write_all(second).await.unwrap();
        drop(client);
        let mut messages = Vec::new();
        loop {
            match next(&mut world.arrivals).await {
                Arrival::Message { bytes, .. } => messages.extend(bytes),
                Arrival::Ping(_) => messages.extend(b"\r\n\r\n"),
                Arrival::Closed(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(messages, stream, "{at}");
    }
}
