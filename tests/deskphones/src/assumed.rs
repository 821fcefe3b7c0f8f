//! What no document at hand says, in one place; the table in the folder's README tells why each value.

use crate::Millis;

/// How long a phone listens for a network policy (TIA-1057) before it asks for an address.
pub const LLDP_WAIT: Millis = 3_000;
/// Interval of the first LLDP frames (TIA-1057 §11.2.1, medFastStart), and their number.
pub const LLDP_FAST: (Millis, u32) = (1_000, 4);
/// Interval of LLDP frames after that (IEEE 802.1AB §9.2.5.7, msgTxInterval).
pub const LLDP_INTERVAL: Millis = 30_000;
/// How long a phone waits for the NOTIFY of a PnP server, the SUBSCRIBE repeated meanwhile (RFC 3261 §17.1.2.2).
pub const PNP_WAIT: Millis = 5_000;
/// UDP port from which a phone subscribes: the capture of a GRP2612W has 5080, and a server must answer to it.
pub const PNP_PORT: u16 = 5_080;
/// How long a phone waits for the answer to a GET.
pub const HTTP_WAIT: Millis = 10_000;
/// How often it tries a server that refuses the connection or says nothing, and the pause between.
pub const TRIES: (u32, Millis) = (3, 5_000);
/// TFTP: repetition of what is not answered, and how often.
pub const TFTP_REPEAT: (Millis, u32) = (4_000, 5);
/// Time in which a phone takes new settings into use.
pub const APPLY: Millis = 3_000;
/// Time in which a phone writes new firmware, before it starts again.
pub const FLASH: Millis = 60_000;
/// When a Panasonic phone begins anew that found nothing (its provisioning retry interval).
pub const PANASONIC_RETRY: Millis = 30 * 60_000;
/// Repetition of a DNS query, and how often.
pub const DNS_REPEAT: (Millis, u32) = (2_000, 3);
/// Repetition of an NTP request that is not answered, and interval of those that are.
pub const NTP: (Millis, Millis) = (15_000, 3_600_000);
/// When a phone asks again for a server's name that nobody knew.
pub const NAME_RETRY: Millis = 20_000;
