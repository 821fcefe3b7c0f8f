//! SIP and SDP for the box and the cloud: zero-copy message view, writer, stream framing, transactions, digest.
//!
//! Everything works on bytes in the caller's memory: no heap, no clock, no I/O. See the folder's README for a map.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod addr;
pub mod b2bua;
pub mod digest;
pub mod events;
pub mod fault;
pub mod fields;
pub mod flow;
pub mod header;
mod heap;
pub mod identity;
mod index;
pub mod message;
pub mod method;
pub mod params;
pub mod pool;
pub mod refer;
pub mod scan;
pub mod sdp;
mod siphash;
mod start_line;
pub mod storage;
pub mod stream;
pub mod text;
pub mod time;
pub mod transaction;
pub mod uri;
pub mod via;
pub mod write;

pub use addr::NameAddr;
pub use fault::{Fault, Rejected};
pub use fields::{Auth, CSeq, RAck, Reason};
pub use flow::{Flow, Path, Transport};
pub use header::Name;
pub use message::{Message, StartLine};
pub use method::Method;
pub use params::Params;
pub use stream::{Frame, Framer};
pub use time::Instant;
pub use uri::{Host, Scheme, Uri};
pub use via::Via;
pub use write::{Full, Writer, reason_phrase, write_response_head};
