//! SIP over WebSocket (RFC 7118): one message a frame, text or binary.

use futures_util::{SinkExt, StreamExt};
use sip::{Flow, Frame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Arrival, STREAM_MAX, Shared, WRITE_MAX};

/// Serves a connection until it ends; says why it did. Handshake and first message must come before `first`.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    stream: S,
    flow: Flow,
    first: Instant,
    mut messages: mpsc::Receiver<Vec<u8>>,
) -> &'static str {
    let config = WebSocketConfig::default()
        .max_message_size(Some(STREAM_MAX))
        .max_frame_size(Some(STREAM_MAX));
    let handshake = accept_hdr_async_with_config(stream, speaks_sip, Some(config));
    let mut socket = match timeout_at(first, handshake).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(_)) => return shared.broken("no WebSocket for SIP"),
        Err(_) => return shared.broken("too slow"),
    };
    let limits = &shared.limits;
    let mut deadline = first;
    let mut pings = false;
    loop {
        let received = tokio::select! {
            received = timeout_at(deadline, socket.next()) => received,
            Some(bytes) = messages.recv() => {
                let message = match String::from_utf8(bytes) {
                    Ok(text) => Message::text(text),
                    Err(other) => Message::binary(other.into_bytes()),
                };
                match timeout(WRITE_MAX, socket.send(message)).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(_)) | Err(_) => return "not written",
                }
            }
        };
        let message = match received {
            Err(_) => return shared.broken("too slow"),
            Ok(None) => return "closed by the peer",
            Ok(Some(Err(Error::Io(_)))) => return "reset",
            Ok(Some(Err(_))) => return shared.broken("no WebSocket"),
            Ok(Some(Ok(message))) => message,
        };
        let frame = match &message {
            // RFC 5626 §4.4.1, in a frame.
            Message::Text(_) | Message::Binary(_) => match message_bytes(&message) {
                b"\r\n\r\n" => Frame::Ping,
                b"\r\n" => Frame::Pong,
                bytes => Frame::Message(bytes),
            },
            // The socket has answered it; the engine hears that somebody is there.
            Message::Ping(_) | Message::Pong(_) => Frame::Pong,
            Message::Close(_) | Message::Frame(_) => continue,
        };
        pings |= frame == Frame::Ping || message.is_ping();
        if shared.inbox.send(Arrival::stream(flow, frame)).await.is_err() {
            return "the server stops";
        }
        deadline = Instant::now() + if pings { limits.silent } else { limits.idle };
    }
}

fn message_bytes(message: &Message) -> &[u8] {
    match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        _ => b"",
    }
}

/// Takes clients that offer the subprotocol `sip` (RFC 7118 §4.1), and no others.
#[expect(clippy::result_large_err, reason = "the library's type")]
fn speaks_sip(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut names = offered
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    if names.any(|name| name.trim() == "sip") {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some("subprotocol sip only".into()));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}
