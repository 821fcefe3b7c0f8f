//! What the transports know of files: who asks, what they get, and how far it is.

use core::net::IpAddr;
use core::num::NonZeroU8;

use shared::hub::{FetchRefusal, Mac, PhoneModel};
use sip::Instant;

use super::name;
use crate::Station;
use crate::budget::POWER_PORTS;

/// Where something came from, as far as the network tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Hardware address of the sender; `None` where the network shim does not know, and then nothing is given that depends on
    /// it.
    pub mac: Option<Mac>,
    /// The port with power it is at, from 1; `None`: elsewhere in the office's network.
    pub port: Option<NonZeroU8>,
}

impl Host {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        mac: None,
        port: None,
    };

    /// Of who sent something. At a hub, whoever is at no one port of it may be anybody.
    pub fn of(station: Option<Station>, has_hub: bool) -> Self {
        let sure = station.filter(|station| !has_hub || station.port.is_some());
        let Some(Station { mac, port }) = sure else {
            return Self::UNKNOWN;
        };
        // The last port of a hub leads to the rest of the office's network.
        let port = port.filter(|port| usize::from(*port) < POWER_PORTS);
        Self {
            mac: Some(Mac(mac)),
            port: port.and_then(|port| NonZeroU8::new(port + 1)),
        }
    }
}

/// Who asks for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub ip: IpAddr,
    /// Who that is, where the box can tell.
    pub station: Option<Station>,
}

/// What a phone says of itself when it asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its model.
    pub model: Option<PhoneModel>,
}

impl Agent {
    /// From its User-Agent.
    pub fn of(text: &str) -> Self {
        Self {
            mac: name::mac_in(text),
            model: name::model_in(text),
        }
    }
}

/// How far a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// What must not be lost is on its way to flash.
    Wait,
    /// It may be sent.
    Ready,
    /// It is another by now, or cannot be had.
    Gone,
}

/// Where files come from.
pub trait Files {
    /// A file that was opened.
    type File: Copy;

    /// Opens what `path` names. `peek`: only its length is of interest.
    fn open(
        &mut self,
        now: Instant,
        from: Client,
        path: &str,
        agent: Agent,
        peek: bool,
    ) -> Result<Self::File, FetchRefusal>;

    /// How far it is.
    fn progress(&self, file: &Self::File) -> Progress;

    /// Its length, bytes.
    fn length(&self, file: &Self::File) -> usize;

    /// Where in the flash its bytes lie, if it is firmware: who owns the flash reads them, and [`Files::read`] gives none.
    fn place(&self, file: &Self::File) -> Option<u32>;

    /// Its bytes from `offset` on, as many as there are and `buffer` takes.
    fn read(&self, file: &Self::File, offset: usize, buffer: &mut [u8]) -> usize;

    /// All of it was sent, and as far as the transport tells it has come.
    fn delivered(&mut self, file: &Self::File);
}
