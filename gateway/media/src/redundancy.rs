//! Redundant audio (RFC 2198) of G.711: every frame is sent a second time with the one after it.

use crate::g711::Law;

/// Octets of the headers before two blocks.
pub const HEADERS_LEN: usize = 5;
/// Blocks that are read from one payload; more are not looked at.
const MAX_BLOCKS: usize = 8;

/// Why octets are not such a payload, or cannot be made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Shorter than its headers, or than they say.
    Truncated,
    /// More blocks than are read.
    TooMany,
    /// A block longer than 1,023 octets, one 16,384 or more samples ago, or a buffer too small.
    Unwritable,
}

/// A block of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// Payload type.
    pub payload_type: u8,
    /// By how many samples it is older than the packet's timestamp; 0 for the last one.
    pub offset: u16,
    /// Its octets.
    pub octets: &'a [u8],
}

/// Reads a payload: its blocks in their order, the primary one last. Those without octets are left out, as is usual at the beginning.
pub fn read(payload: &[u8]) -> Result<impl Iterator<Item = Block<'_>>, Error> {
    let mut blocks = [(0, 0, 0); MAX_BLOCKS];
    let (mut count, mut rest) = (0, payload);
    let last = loop {
        let (first, after) = rest.split_first().ok_or(Error::Truncated)?;
        if first & 0x80 == 0 {
            rest = after;
            break *first;
        }
        let (header, after) = rest.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        let fields = u32::from_be_bytes(*header);
        *blocks.get_mut(count).ok_or(Error::TooMany)? = (
            (fields >> 24 & 0x7F) as u8,
            (fields >> 10 & 0x3FFF) as u16,
            (fields & 0x3FF) as usize,
        );
        count += 1;
        rest = after;
    };
    let redundant: usize = blocks.iter().map(|(_, _, length)| length).sum();
    let primary = rest.len().checked_sub(redundant).ok_or(Error::Truncated)?;
    let all = blocks
        .into_iter()
        .take(count)
        .chain(core::iter::once((last, 0, primary)));
    Ok(all
        .map(move |(payload_type, offset, length)| {
            let (octets, after) = rest.split_at_checked(length).unwrap_or_default();
            rest = after;
            Block {
                payload_type,
                offset,
                octets,
            }
        })
        .filter(|block| !block.octets.is_empty()))
}

/// Writes a payload of two frames of one law, `before` being as many samples older as it has; gives its length.
pub fn write(law: Law, before: &[u8], primary: &[u8], buf: &mut [u8]) -> Result<usize, Error> {
    let length = before.len();
    if length > 0x3FF {
        return Err(Error::Unwritable);
    }
    let (headers, rest) = buf
        .split_first_chunk_mut::<HEADERS_LEN>()
        .ok_or(Error::Unwritable)?;
    let (old, rest) = rest.split_at_mut_checked(length).ok_or(Error::Unwritable)?;
    let new = rest.get_mut(..primary.len()).ok_or(Error::Unwritable)?;
    let fields = 1 << 31 | u32::from(law.payload_type()) << 24 | (length as u32) << 10 | length as u32;
    let [first @ .., last] = headers;
    *first = fields.to_be_bytes();
    *last = law.payload_type();
    old.copy_from_slice(before);
    new.copy_from_slice(primary);
    Ok(HEADERS_LEN + length + primary.len())
}
