//! Streams.

use crate::script::Script;
use sip::{Fault, Frame, Framer, Message};

/// The first bytes say who opened the connection, how large the buffer is and in which pieces the stream arrives. Pieces make
/// no difference, and each frame is read as a message.
pub fn framer(bytes: &[u8]) {
    let mut script = Script(bytes);
    let opened = script.below(2) == 1;
    let capacity = [64, 512, 4096][script.below(3)];
    let pieces = script.bytes(4);
    let stream = script.0;
    let whole = frames(opened, capacity, stream, &[]);
    assert_eq!(frames(opened, capacity, stream, pieces), whole);
    for frame in whole.iter().flatten() {
        let _ = Message::parse_stream(frame);
    }
}

fn frames(opened: bool, capacity: usize, stream: &[u8], pieces: &[u8]) -> Vec<Result<Vec<u8>, Fault>> {
    let buffer = vec![0; capacity];
    let mut framer = if opened {
        Framer::opened(buffer)
    } else {
        Framer::accepted(buffer)
    };
    let mut pieces = pieces.iter().map(|&p| usize::from(p) + 1).cycle();
    let (mut out, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let (mut now, later) = rest.split_at(pieces.next().unwrap_or(usize::MAX).min(rest.len()));
        rest = later;
        while !now.is_empty() {
            let taken = framer.push(now);
            assert!(taken > 0, "a framer that is read out takes at least one byte");
            now = &now[taken..];
            while let Some(frame) = framer.next() {
                match frame {
                    Ok(Frame::Message(message)) => out.push(Ok(message.to_vec())),
                    Ok(Frame::Ping) => out.push(Ok(b"ping".to_vec())),
                    Ok(Frame::Pong) => out.push(Ok(b"pong".to_vec())),
                    Err(fault) => {
                        out.push(Err(fault));
                        return out;
                    }
                }
            }
            assert!(framer.pending() <= capacity);
        }
    }
    out
}
