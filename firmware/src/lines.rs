//! The analog lines: moves orders, edges, octets and packets between the brain, the circuits and the audio chains.
//!
//! ```text
//!  brain ── Signal ──> circuits ── pins, I2C        (executor net)
//!    │ ^─── Sense ──── hooks, circuits, codec
//!    ├───── Command ─> audio <── octets ── codec    (executor audio)
//!    ^───── Event ───────┤
//!                        └── packets ── rtp ── UDP  (executor net)
//! ```

pub mod audio;
pub mod circuit;
pub mod rtp;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::zerocopy_channel::{Channel, Receiver, Sender};
use gateway::LineOrder;
use gateway::budget::LINES;
use media::BLOCK;
use media::chain::PACKET_LEN;
use static_cell::{ConstStaticCell, StaticCell};

/// What is between codec and processor in 5 ms: of each frame an octet of each line.
pub type Block = [[u8; LINES]; BLOCK];

/// An RTP packet of a line.
pub struct Packet {
    line: u8,
    length: u16,
    bytes: [u8; PACKET_LEN],
}

impl Packet {
    const EMPTY: Packet = Packet {
        line: 0,
        length: 0,
        bytes: [0; PACKET_LEN],
    };

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Packets that wait for the other executor: one a line, which is what comes in 20 ms.
const WAITING: usize = LINES;

/// An end of a queue.
pub type Sends = Sender<'static, CriticalSectionRawMutex, Packet>;
/// The other end.
pub type Receives = Receiver<'static, CriticalSectionRawMutex, Packet>;
type Queue = Channel<'static, CriticalSectionRawMutex, Packet>;

/// The ends of the two queues of packets: for the chains, and for the sockets.
pub struct Queues {
    /// What the chains send and receive.
    pub audio: (Sends, Receives),
    /// What comes in at the sockets, and is to go out.
    pub rtp: (Sends, Receives),
}

/// The queues; once.
pub fn queues() -> Queues {
    static PACKETS: ConstStaticCell<[[Packet; WAITING]; 2]> =
        ConstStaticCell::new([const { [const { Packet::EMPTY }; WAITING] }; 2]);
    static OUT: StaticCell<Queue> = StaticCell::new();
    static IN: StaticCell<Queue> = StaticCell::new();
    let [out, inward] = PACKETS.take();
    let (out_end, out_begin) = OUT.init_with(|| Channel::new(out)).split();
    let (in_end, in_begin) = IN.init_with(|| Channel::new(inward)).split();
    Queues {
        audio: (out_end, in_begin),
        rtp: (in_end, out_begin),
    }
}

/// An order of the brain. False: nobody could take it.
pub fn order(line: u8, order: LineOrder) -> bool {
    match order {
        LineOrder::Circuit(signal) => circuit::order(line, signal),
        LineOrder::Peer(peer) => rtp::set_peer(line, peer),
        LineOrder::Audio(command) => audio::order(line, command),
    }
}
