//! The firmware of phones in flash: bytes at a place. What lies where the configuration says.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;

use super::map::{PHONE_FIRMWARE, SECTOR};
use super::{Fault, MAX_PIECE, Reply, Store};

impl<F: MultiwriteNorFlash> Store<F> {
    /// Reads bytes of the phones' firmware from a place in the partition.
    pub async fn read_file(&mut self, place: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        let start = address(place, bytes.len())?;
        self.flash.read_bytes(start, bytes).await
    }

    pub(super) async fn read_piece(&mut self, place: u32, len: u16) -> Result<Reply, Fault> {
        let mut data = Vec::new();
        data.resize(usize::from(len), 0).map_err(|_| Fault::Refused)?;
        self.read_file(place, &mut data).await?;
        Ok(Reply::Data(data))
    }

    pub(super) async fn write_file(&mut self, place: u32, data: &[u8]) -> Result<Reply, Fault> {
        // The last word is filled up with what erased flash holds.
        let mut words = [0xFF; MAX_PIECE];
        let room = words.get_mut(..data.len()).ok_or(Fault::Refused)?;
        room.copy_from_slice(data);
        let padded = words
            .get(..data.len().next_multiple_of(4))
            .ok_or(Fault::Refused)?;
        let start = address(place, padded.len())?;
        let in_sector = place % SECTOR;
        // Behind the sector nothing is erased.
        if !place.is_multiple_of(4) || in_sector + padded.len() as u32 > SECTOR {
            return Err(Fault::Refused);
        }
        if in_sector == 0 {
            self.flash.erase_range(start, start + SECTOR).await?;
        }
        self.flash.write_bytes(start, padded).await?;
        Ok(Reply::Stored)
    }
}

/// Where so many bytes of the partition begin.
fn address(place: u32, len: usize) -> Result<u32, Fault> {
    let end = (place as usize).checked_add(len).ok_or(Fault::Refused)?;
    match end <= PHONE_FIRMWARE.len as usize {
        true => Ok(PHONE_FIRMWARE.start + place),
        false => Err(Fault::Refused),
    }
}
