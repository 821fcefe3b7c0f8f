//! SIP on a stream: TCP, or TLS over it.

use std::time::Duration;

use sip::{Flow, Frame, Framer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::{Arrival, STREAM_MAX, Shared, WRITE_MAX};

/// Serves a connection until it ends; says why it did.
pub(super) async fn serve<S: AsyncRead + AsyncWrite>(
    shared: &Shared,
    stream: S,
    flow: Flow,
    first: Instant,
    messages: mpsc::Receiver<Vec<u8>>,
) -> &'static str {
    let (read, write) = tokio::io::split(stream);
    tokio::select! {
        reason = receive(shared, read, flow, first) => reason,
        () = send(write, messages) => "not written",
    }
}

/// Reads until the connection ends or breaks a bound; says why. Something whole must come before `first`.
async fn receive<S: AsyncRead>(
    shared: &Shared,
    mut read: ReadHalf<S>,
    flow: Flow,
    first: Instant,
) -> &'static str {
    let limits = &shared.limits;
    let mut framer = Framer::accepted(vec![0; STREAM_MAX]);
    let mut buffer = [0; 4_096];
    let mut deadline = first;
    let mut pings = false;
    loop {
        let len = match timeout_at(deadline, read.read(&mut buffer)).await {
            Err(_) => return shared.broken("too slow"),
            Ok(Ok(0)) => return "closed by the peer",
            Ok(Ok(len)) => len,
            Ok(Err(_)) => return "reset",
        };
        let mut received = buffer.get(..len).unwrap_or_default();
        let mut whole = false;
        while !received.is_empty() {
            let taken = framer.push(received);
            received = received.get(taken..).unwrap_or_default();
            while let Some(frame) = framer.next() {
                whole = true;
                match frame {
                    Ok(frame) => {
                        pings |= frame == Frame::Ping;
                        // A connection waits for the engine: TCP slows its peer down.
                        if shared.inbox.send(Arrival::stream(flow, frame)).await.is_err() {
                            return "the server stops";
                        }
                    }
                    Err(fault) => {
                        debug!(peer = %flow.peer, ?fault, "SIP stream");
                        return shared.broken("not SIP");
                    }
                }
            }
        }
        // Half a message has to become whole in time, however busily its bytes drip.
        let now = Instant::now();
        if framer.pending() == 0 {
            deadline = now + if pings { limits.silent } else { limits.idle };
        } else if whole {
            deadline = now + limits.whole;
        } else {
            deadline = deadline.min(now + limits.whole);
        }
    }
}

async fn send<S: AsyncWrite>(mut write: WriteHalf<S>, mut messages: mpsc::Receiver<Vec<u8>>) {
    let within = |limit: Duration| Instant::now() + limit;
    while let Some(bytes) = messages.recv().await {
        let written = async {
            write.write_all(&bytes).await?;
            // TLS may hold back what was written.
            write.flush().await
        };
        match timeout_at(within(WRITE_MAX), written).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    let _ = timeout(WRITE_MAX, write.shutdown()).await;
}
