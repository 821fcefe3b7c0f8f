//! What a box is given at the factory: who it is, where its cloud is, whose configuration it believes.
//!
//! The image is `"DWBF"`, version, length of the postcard body (little endian), the body, and the CRC-32 (ISO-HDLC) of
//! all before it. The rest of the partition is not looked at.

use core::fmt;

use heapless::String;
use serde::{Deserialize, Serialize};

use crate::id::BoxId;

/// Most bytes of an encoded image.
pub const MAX_FACTORY: usize = 256;

const MAGIC: [u8; 4] = *b"DWBF";
const VERSION: u16 = 1;
const HEADER: usize = 8;

/// The factory data of one box.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factory {
    /// Its identity; user name towards the cloud.
    pub box_id: BoxId,
    /// Its password towards the cloud, used as 64 hexadecimal digits.
    pub secret: [u8; 32],
    /// Name or address of the cloud.
    pub cloud_host: String<64>,
    /// TCP port of the cloud's SIP.
    pub sip_port: u16,
    /// TCP port of the cloud's MQTT broker.
    pub mqtt_port: u16,
    /// SIP domain and digest realm of the trunk; the host if empty.
    pub realm: String<64>,
    /// Ed25519 public key that signs its configuration.
    pub config_key: [u8; 32],
}

impl fmt::Debug for Factory {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory")
            .field("box_id", &self.box_id)
            .field("cloud_host", &self.cloud_host)
            .field("sip_port", &self.sip_port)
            .field("mqtt_port", &self.mqtt_port)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// A factory image cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactoryError {
    /// It does not begin as one: the partition is blank or holds something else.
    Absent,
    /// A version this program does not know.
    Version,
    /// Cut short, changed, or not what it should contain.
    Damaged,
    /// The buffer is too small ([`MAX_FACTORY`] is enough).
    Room,
}

impl fmt::Display for FactoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no factory data",
            Self::Version => "factory data of an unknown version",
            Self::Damaged => "factory data damaged",
            Self::Room => "buffer too small for factory data",
        })
    }
}

impl core::error::Error for FactoryError {}

impl Factory {
    /// The password towards the cloud as text.
    pub fn password(&self) -> String<64> {
        let mut text = String::new();
        for nibble in self.secret.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            // 64 characters fit the capacity.
            let _ = text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    }

    /// SIP domain of the trunk.
    pub fn realm(&self) -> &str {
        if self.realm.is_empty() {
            &self.cloud_host
        } else {
            &self.realm
        }
    }

    /// Writes the image and returns it.
    pub fn encode<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], FactoryError> {
        let (header, rest) = buf.split_first_chunk_mut::<HEADER>().ok_or(FactoryError::Room)?;
        let body = postcard::to_slice(self, rest)
            .map_err(|_| FactoryError::Room)?
            .len();
        let [m0, m1, m2, m3] = MAGIC;
        let ([v0, v1], [l0, l1]) = (VERSION.to_le_bytes(), (body as u16).to_le_bytes());
        *header = [m0, m1, m2, m3, v0, v1, l0, l1];
        let end = HEADER + body;
        let check = crc32(buf.get(..end).ok_or(FactoryError::Room)?);
        buf.get_mut(end..end + 4)
            .ok_or(FactoryError::Room)?
            .copy_from_slice(&check.to_le_bytes());
        buf.get(..end + 4).ok_or(FactoryError::Room)
    }

    /// Reads an image from the beginning of a partition.
    pub fn decode(image: &[u8]) -> Result<Self, FactoryError> {
        let rest = image.strip_prefix(&MAGIC).ok_or(FactoryError::Absent)?;
        let [v0, v1, l0, l1, ..] = *rest else {
            return Err(FactoryError::Damaged);
        };
        if u16::from_le_bytes([v0, v1]) != VERSION {
            return Err(FactoryError::Version);
        }
        let end = HEADER + usize::from(u16::from_le_bytes([l0, l1]));
        let covered = image.get(..end).ok_or(FactoryError::Damaged)?;
        let check = image.get(end..end + 4).ok_or(FactoryError::Damaged)?;
        if check != crc32(covered).to_le_bytes() {
            return Err(FactoryError::Damaged);
        }
        let body = covered.get(HEADER..).ok_or(FactoryError::Damaged)?;
        match postcard::take_from_bytes(body) {
            Ok((factory, [])) => Ok(factory),
            _ => Err(FactoryError::Damaged),
        }
    }
}

/// CRC-32 (ISO-HDLC: polynomial 0x04C1_1DB7 reflected, as in Ethernet and zip), bit by bit: small, and fast enough for
/// the few hundred bytes it guards.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
