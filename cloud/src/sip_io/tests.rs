//! The sockets with real clients.

mod secure;

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

async fn edge(limits: Limits) -> (SipIo, mpsc::Receiver<Arrival>) {
    SipIo::bind(&Listen::plain("127.0.0.1:0".parse().unwrap()), limits)
        .await
        .unwrap()
}

fn options(len: usize) -> Vec<u8> {
    let mut message = b"OPTIONS sip:cloud SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
        .to_vec();
    message.extend(format!("Content-Length: {len}\r\n\r\n").bytes());
    message.extend(std::iter::repeat_n(b'x', len));
    message
}

async fn next(arrivals: &mut mpsc::Receiver<Arrival>) -> Arrival {
    timeout(PATIENCE, arrivals.recv())
        .await
        .expect("something arrives")
        .unwrap()
}

async fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    timeout(PATIENCE, stream.read_exact(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    bytes
}

/// Reads until the other side closes; a reset is as good.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("closed");
}

#[tokio::test]
async fn datagrams_and_streams() {
    let (io, mut arrivals) = edge(Limits::default()).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(b"whatever \xff", io.local()).await.unwrap();
    let Arrival::Datagram { flow, bytes } = next(&mut arrivals).await else {
        panic!()
    };
    assert_eq!(
        (flow.peer, bytes.as_slice()),
        (peer.local_addr().unwrap(), &b"whatever \xff"[..])
    );
    assert!(io.send(&flow, b"answer"));
    let mut buffer = [0; 16];
    let (len, from) = timeout(PATIENCE, peer.recv_from(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&buffer[..len], from), (&b"answer"[..], io.local()));

    // Two messages and a ping in one segment; a message in pieces.
    let mut stream = TcpStream::connect(io.local()).await.unwrap();
    let both = [options(0), options(5), b"\r\n\r\n".to_vec()].concat();
    stream.write_all(&both).await.unwrap();
    for expected in [options(0), options(5)] {
        assert!(matches!(next(&mut arrivals).await, Arrival::Message { bytes, .. } if bytes == expected));
    }
    assert!(matches!(next(&mut arrivals).await, Arrival::Ping(_)));
    for byte in options(3) {
        stream.write_all(&[byte]).await.unwrap();
    }
    let Arrival::Message { flow, .. } = next(&mut arrivals).await else {
        panic!()
    };
    assert!(io.send(&flow, b"SIP/2.0 200 OK"));
    assert_eq!(read(&mut stream, 14).await, b"SIP/2.0 200 OK");
    drop(stream);
    assert_eq!(next(&mut arrivals).await, Arrival::Closed(flow));
    assert!(!io.send(&flow, b"too late"));
    assert_eq!(io.connections(), 0);
}

#[tokio::test]
async fn what_breaks_a_bound_is_closed() {
    let limits = Limits {
        connections: 3,
        per_address: 2,
        first: Duration::from_millis(300),
        whole: Duration::from_millis(300),
        idle: Duration::from_secs(60),
        silent: Duration::from_millis(300),
    };
    let (io, mut arrivals) = edge(limits).await;
    // Garbage, a message beyond all bounds, silence, a message that never ends, pings that cease.
    let endless = options(600)[..300].to_vec();
    let cases: [(&str, Vec<u8>); 5] = [
        (
            "garbage",
            [b"\x16\x03\x01 this is no SIP\r\n".as_slice(), &[0; 9_000]].concat(),
        ),
        ("oversized", options(STREAM_MAX)),
        ("silent", Vec::new()),
        ("endless", endless),
        ("ceased", b"\r\n\r\n".to_vec()),
    ];
    for (name, bytes) in cases {
        let mut stream = TcpStream::connect(io.local()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        closed(&mut stream).await;
        // The ping itself arrives before the end.
        while !matches!(next(&mut arrivals).await, Arrival::Closed(_)) {
            assert_eq!(name, "ceased");
        }
    }
    assert_eq!(io.counters().broken.load(Ordering::Relaxed), 5);

    // More connections from one address than allowed.
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(io.local()).await.unwrap();
        stream.write_all(&options(0)).await.unwrap();
        assert!(matches!(next(&mut arrivals).await, Arrival::Message { .. }));
        held.push(stream);
    }
    let mut third = TcpStream::connect(io.local()).await.unwrap();
    closed(&mut third).await;
    assert_eq!(io.counters().refused.load(Ordering::Relaxed), 1);
    assert_eq!(io.connections(), 2);
}

/// A peer that does not read: its outbox fills, the connection is closed, nobody else waits.
#[tokio::test]
async fn a_peer_that_does_not_read_is_let_go() {
    let (io, mut arrivals) = edge(Limits::default()).await;
    let mut stream = TcpStream::connect(io.local()).await.unwrap();
    stream.write_all(&options(0)).await.unwrap();
    let Arrival::Message { flow, .. } = next(&mut arrivals).await else {
        panic!()
    };
    let big = vec![b'x'; STREAM_MAX];
    let mut sent = 0u32;
    while io.send(&flow, &big) {
        sent += 1;
        tokio::task::yield_now().await;
        assert!(sent < 100_000, "what waits is bounded");
    }
    assert_eq!(next(&mut arrivals).await, Arrival::Closed(flow));
    assert_eq!(io.connections(), 0);
}

#[tokio::test]
async fn the_unspecified_address_is_refused() {
    assert!(
        SipIo::bind(&Listen::plain("0.0.0.0:0".parse().unwrap()), Limits::default())
            .await
            .is_err()
    );
}
