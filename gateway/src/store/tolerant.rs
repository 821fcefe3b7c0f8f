//! A flash memory in which a torn word is no more than a word with unknown content.
//!
//! Memories with error correction refuse to read a word whose programming or erasure was cut. Here such a word reads as
//! zeros: the check sums above find it, as they find any other damage, and the next erasure cures it.

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::Fault;

pub(super) struct Tolerant<F>(F);

impl<F: MultiwriteNorFlash> Tolerant<F> {
    pub(super) const fn new(flash: F) -> Self {
        Self(flash)
    }

    pub(super) fn inner(&mut self) -> &mut F {
        &mut self.0
    }

    pub(super) async fn read_bytes(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.read(offset, bytes).await.map_err(|_| Fault::Flash)
    }

    pub(super) async fn write_bytes(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.write(offset, bytes).await.map_err(|_| Fault::Flash)
    }

    pub(super) async fn erase_range(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.erase(from, to).await.map_err(|_| Fault::Flash)
    }
}

impl<F: ErrorType> ErrorType for Tolerant<F> {
    type Error = F::Error;
}

impl<F: NorFlash> ReadNorFlash for Tolerant<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        match self.0.read(offset, bytes).await {
            Err(error) if error.kind() == NorFlashErrorKind::Other => {}
            result => return result,
        }
        // Split at word boundaries, so that only the torn word is lost.
        let step = F::READ_SIZE.max(F::WRITE_SIZE);
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = (step - at as usize % step).min(rest.len());
            let (word, behind) = rest.split_at_mut(len);
            match self.0.read(at, word).await {
                Err(error) if error.kind() == NorFlashErrorKind::Other => word.fill(0),
                result => result?,
            }
            at += len as u32;
            rest = behind;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: NorFlash> NorFlash for Tolerant<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write(offset, bytes).await
    }
}

impl<F: MultiwriteNorFlash> MultiwriteNorFlash for Tolerant<F> {}
