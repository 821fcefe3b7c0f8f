//! The analog lines: moves orders, edges, octets and packets between the brain, the circuits and the audio chains.
//!
//! ```text
//!  brain ── Signal ──> circuits ── pins, I2C        (executor audio)
//!    │ ^─── Sense ──── hooks, circuits, codec
//!    ├───── Command ─> audio <── octets ── codec
//!    ^───── Event ───────┤
//!                        └── packets ── rtp ── UDP  (executor net)
//! ```

pub mod audio;
pub mod circuit;
pub mod report;
pub mod rtp;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::zerocopy_channel::{Channel, Receiver, Sender};
use gateway::LineOrder;
use gateway::budget::LINES;
use media::BLOCK;
use media::chain::{PACKET_LEN, RECEIVE_LEN};
use static_cell::{ConstStaticCell, StaticCell};

/// What is between codec and processor in 5 ms: of each frame an octet of each line.
pub type Block = [[u8; LINES]; BLOCK];

/// An RTP packet of a line.
pub struct Packet<const LEN: usize> {
    line: u8,
    length: u16,
    bytes: [u8; LEN],
}

impl<const LEN: usize> Packet<LEN> {
    const EMPTY: Self = Packet {
        line: 0,
        length: 0,
        bytes: [0; LEN],
    };

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Packets that wait for the other executor: one a line, which is what comes in 20 ms.
const WAITING: usize = LINES;

/// A packet that goes out, and one that came in.
type Outgoing = Packet<PACKET_LEN>;
type Incoming = Packet<RECEIVE_LEN>;
type Queue<P> = Channel<'static, CriticalSectionRawMutex, P>;
/// An end of a queue.
type Sends<P> = Sender<'static, CriticalSectionRawMutex, P>;
type Receives<P> = Receiver<'static, CriticalSectionRawMutex, P>;

/// What the chains send to, and receive from.
pub type AudioEnds = (Sends<Outgoing>, Receives<Incoming>);
/// What comes in at the sockets, and is to go out.
pub type RtpEnds = (Sends<Incoming>, Receives<Outgoing>);

/// The ends of the two queues of packets; once.
pub fn queues() -> (AudioEnds, RtpEnds) {
    static OUT_PACKETS: ConstStaticCell<[Outgoing; WAITING]> =
        ConstStaticCell::new([const { Packet::EMPTY }; WAITING]);
    static IN_PACKETS: ConstStaticCell<[Incoming; WAITING]> =
        ConstStaticCell::new([const { Packet::EMPTY }; WAITING]);
    static OUT: StaticCell<Queue<Outgoing>> = StaticCell::new();
    static IN: StaticCell<Queue<Incoming>> = StaticCell::new();
    let (out_end, out_begin) = OUT.init_with(|| Channel::new(OUT_PACKETS.take())).split();
    let (in_end, in_begin) = IN.init_with(|| Channel::new(IN_PACKETS.take())).split();
    ((out_end, in_begin), (in_end, out_begin))
}

/// An order of the brain.
pub fn order(line: u8, order: LineOrder) {
    match order {
        LineOrder::Circuit(signal) => circuit::order(line, signal),
        LineOrder::Peer(peer) => rtp::set_peer(line, peer),
        LineOrder::Audio(command) => audio::command(line, command),
    }
}
