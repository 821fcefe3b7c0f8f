//! Every capacity of the box, with its arithmetic. The figures are those of the STM32H753 (1 MB RAM in banks, of which
//! 512 KiB are ours) and of the largest office we promise to serve.

/// Terminals with an ID (R5), and IDs.
pub const IDS: usize = shared::id::IdKey::COUNT;
/// Phones that may be registered under one ID at once: the one in use and the one that replaces it (R6).
pub const BINDINGS_PER_ID: usize = 2;
/// Registrations: one an ID and half as many again for phones that take another's place, 224 bytes each, 21 KiB.
pub const BINDINGS: usize = IDS + IDS / 2;
/// Answers to REGISTERs that wait until flash has followed, 856 bytes each, 7 KiB. A sector is erased in some 50 ms,
/// once in 18 writes; of 64 phones that come within half a second 7 come meanwhile. A phone whose answer finds no room
/// repeats its REGISTER.
pub const HELD: usize = 8;
/// Longest answer to a REGISTER that can wait, bytes: two contacts with their GRUUs (some 200 each), the addresses it says back
/// (some 430).
pub const HELD_MAX: usize = 832;
/// Phones whose connection was closed and whose calls wait for them, 88 bytes each. Calls of one more end at once.
pub const PARTED: usize = 8;
/// Addresses that are remembered for what they asked, 48 bytes each, 3 KiB: as many as phones.
pub const SOURCES: usize = 64;
/// Calls that only emergency calls may use.
pub const EMERGENCY_CALLS: usize = 2;
/// Calls at once: 32 and those kept for emergencies, 552 bytes each, 18 KiB, without their texts.
pub const CALLS: usize = 32 + EMERGENCY_CALLS;
/// Phones ringing at once: four groups of 64.
pub const BRANCHES: usize = 256;
/// One leg a caller, one a branch: 290, 160 bytes each, 45 KiB, without their texts.
pub const LEGS: usize = CALLS + BRANCHES;
/// Blocks of 62 bytes for what is kept of messages: session descriptions, addresses, the header lines that answers repeat; 62
/// KiB. An answered call as phones and carriers make them takes 20, the largest of those we know 29 (`sip/tests/calls.rs`), a
/// phone that rings 1. So it is 34 calls of the usual size while 256 phones ring (936), or 34 of the largest (986), and what is
/// kept. A call with descriptions of 4,096 bytes and the longest of everything else takes some 200: there is room for 4.
pub const BLOCKS: usize = 1_024;
/// Blocks that new calls leave to emergency calls and to what calls under way still say: two large calls, and some answers.
pub const KEPT_BLOCKS: usize = 88;
/// An INVITE a branch and a call, the CANCELs of two groups that are answered at the same moment, and 32 requests within
/// calls: 448, 64 bytes each, 28 KiB. What is over but for stragglers needs no room of its own: it is evicted.
pub const TRANSACTIONS: usize = BRANCHES + CALLS + 2 * (IDS - 1) + 32;
/// Subscriptions of phones to lines and mail boxes: 12 keys on each of 64 phones, 42 bytes each, 32 KiB.
pub const LAMPS: usize = 12 * IDS;
/// Blocks of their texts: one for a Call-ID and a tag of 60 bytes together, which most phones' are, and an eighth more, 53 KiB.
pub const LAMP_BLOCKS: usize = LAMPS + LAMPS / 8;
/// Calls that are parked at once, each two of [`CALLS`] and two of [`LEGS`] as any call that was transferred: eight of 34, and a
/// player each. A slot has no room of its own but 4 bytes for its lamp.
pub const PARKED: usize = shared::dial::ParkSlot::COUNT as usize;
/// Announcements and parked calls at once that are played to.
pub const PLAYERS: usize = 4;
/// Analog ports, 1,720 bytes each, 7 KiB. Of each 280 for a dialog, of which it has three (one at the handset, one on hold, one that
/// says good-bye), and 690 for what the answer to an INVITE repeats, until somebody lifts the handset: a call to a group rings them
/// all.
pub const LINES: usize = shared::analog::PORTS as usize;
/// Ports with power (PoE), 44 bytes each: those of one controller.
pub const POWER_PORTS: usize = shared::hub::PORTS as usize;
/// What the board's supply has for them, 0.1 W: 60 W. Four devices of class 0 or 3 are promised 61.6 W: the last of them is fed
/// as soon as the first three are measured.
pub const POWER_SUPPLY: u16 = 600;
/// Ports of the hub that have neighbours, the ports with power and the uplink, 184 bytes each, 1 KiB.
pub const HUB_PORTS: usize = POWER_PORTS + 1;
/// UDP port of the first announcement's RTP; player `p` uses this + 2·p.
pub const RTP_PORT: u16 = 16_384;
/// UDP port of an analog line's RTP, behind the players'.
pub const fn line_port(line: u8) -> u16 {
    RTP_PORT + 2 * (PLAYERS as u16 + line as u16)
}
/// UDP port for the phones' SIP.
pub const SIP_PORT: u16 = 5_060;
/// Largest SIP message over UDP after reassembly, bytes; beyond it a counted drop.
pub const DATAGRAM_MAX: usize = 4_096;
/// Largest SIP message over the trunk's TCP, bytes; beyond it the connection is closed and counted.
pub const STREAM_MAX: usize = 8_192;
/// Answers of name servers that are kept, 280 bytes each, 3 KiB: the names of time, provisioning and firmware servers that phones
/// of a few kinds ask for; all phones of a kind ask for the same.
pub const DNS_CACHE: usize = 10;
/// Longest answer that is kept, bytes: a name of 60 with its address by way of two others.
pub const DNS_CACHED_MAX: usize = 256;
/// Names that name servers are asked for at once, 280 bytes each, 1 KiB.
pub const DNS_ASKED: usize = 4;
/// Phones that wait for an answer, 16 bytes each: half of an office that is powered in one go, the rest asks again.
pub const DNS_WAITING: usize = 32;
/// Addresses that the box leases, 24 bytes each, 1.5 KiB.
pub const DHCP_LEASES: usize = IDS;
/// Addresses that are tried before they are offered. One takes 0.8 s, so that it is 10 phones a second.
pub const DHCP_TRIALS: usize = 8;
/// Phones whose logs are counted and the last warning kept, 166 bytes each, 1.3 KiB: those that were heard last.
pub const LOGS: usize = 8;
/// Longest line of a log that is kept, bytes.
pub const LOG_LINE: usize = 96;
/// UDP port at which phones ask for files by TFTP.
pub const TFTP_PORT: u16 = 69;
/// TCP port at which phones ask for files by HTTP.
pub const HTTP_PORT: u16 = 80;
/// Phones that fetch files by HTTP at once, each on one connection; whoever comes meanwhile gets no answer and tries again after 1 s, 3 s,
/// 7 s (`netshim`). A file is there in some milliseconds.
pub const HTTP_CONNECTIONS: usize = 2;
/// Of them those that may fetch firmware, which takes a minute: the rest is left to the other files.
pub const DOWNLOADS: usize = HTTP_CONNECTIONS - 1;
/// The longest a phone may ring before the call is given up.
pub const RING_MS: u64 = 180_000;

const _: () = assert!(PLAYERS <= 8 && PARKED <= PLAYERS && RTP_PORT.is_multiple_of(2));

/// Most bytes of the room the brain keeps everything in, [`crate::storage::BoxStorage`]: the above, 9 KiB for the trunk's
/// messages, 6 KiB for the pieces of a configuration and the events on their way. So much on the part; with 64-bit addresses, or
/// where the feature `std` of `sip` makes room for IPv6 and any number of entries, it is more.
pub const STORAGE_MAX: usize = 302 * 1_024;
/// Most bytes of the brain's own state: the configuration, of which there is one (15 KiB), the answers that are being written, and of phones'
/// files what each was given (1 KiB), who waits, who fetches (5 KiB), and which firmware there is and how far it is (1 KiB).
pub const BRAIN_MAX: usize = 39 * 1_024;
