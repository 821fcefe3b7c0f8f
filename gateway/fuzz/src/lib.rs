//! What is fuzzed: one function a target, that takes any bytes and panics where something is not as it has to be.
#![forbid(unsafe_code)]

mod caller_id;
mod calls;
mod digest;
mod files;
mod framer;
mod line;
mod lldp;
mod message;
mod office;
mod rtp;
mod script;
mod sdp;
mod subscriptions;
mod transactions;
mod values;
mod writer;

/// A target: what is done with one input.
pub type Target = fn(&[u8]);

/// All targets by name, which is that of their folder in `corpus/`.
pub const TARGETS: [(&str, Target); 24] = [
    ("address", values::address),
    ("caller_id", caller_id::caller_id),
    ("calls", calls::calls),
    ("dhcp", office::dhcp),
    ("digest", digest::digest),
    ("dns", office::dns),
    ("fields", values::fields),
    ("framer", framer::framer),
    ("http", files::http),
    ("line", line::line),
    ("lldp", lldp::lldp),
    ("message", message::message),
    ("ntp", office::ntp),
    ("params", values::params),
    ("pnp", files::pnp),
    ("rtp", rtp::rtp),
    ("sdp", sdp::sdp),
    ("subscriptions", subscriptions::subscriptions),
    ("syslog", office::syslog),
    ("tftp", files::tftp),
    ("transactions", transactions::transactions),
    ("uri", values::uri),
    ("via", values::via),
    ("writer", writer::writer),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, target)| *target)
}
