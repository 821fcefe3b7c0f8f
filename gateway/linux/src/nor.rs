//! A NOR flash memory over a file: what the store was proved with, power cuts among it, holds for a disk too. A word that is
//! written and a sector that is erased is on the disk before anything else is changed.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use gateway::store::map::{EVENTS, FACTORY, SECTOR};

/// Bytes: up to the last partition that the store manages.
const SIZE: u32 = EVENTS.end();
const BLANK: [u8; SECTOR as usize] = [0xFF; SECTOR as usize];

/// The memory.
#[derive(Debug)]
pub struct FileNor(File);

/// It refuses, or the disk does.
#[derive(Debug)]
pub enum Fault {
    /// Outside of the memory or misaligned.
    Range,
    /// The disk failed.
    Disk,
}

impl FileNor {
    /// Opens the file, or makes it, for a box with this image of its factory data (empty: of nobody), and for this process
    /// alone.
    pub fn open(path: &Path, factory: &[u8]) -> Result<Self> {
        let told = || format!("state {}", path.display());
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(told)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("state {}: in use by another process", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(told),
        }
        let len = file.metadata().with_context(told)?.len();
        ensure!(
            len <= u64::from(SIZE),
            "state {}: not a state file",
            path.display()
        );
        let mut page = BLANK;
        let image = page.get_mut(..factory.len()).context("factory data too long")?;
        image.copy_from_slice(factory);
        if len < u64::from(SIZE) {
            // New, or the power went while it was made; a file of somebody else stays as it is.
            let mut begun = Vec::new();
            (&file).read_to_end(&mut begun).with_context(told)?;
            ensure!(
                is_begun(&begun, &page),
                "state {}: neither a state file nor empty; it was left alone",
                path.display()
            );
            file.write_all_at(&page, FACTORY.start.into())
                .with_context(told)?;
            for sector in (FACTORY.end()..SIZE).step_by(SECTOR as usize) {
                // The last sector makes the file whole: all else is on the disk before.
                if sector == SIZE - SECTOR {
                    file.sync_all().with_context(told)?;
                }
                file.write_all_at(&BLANK, sector.into()).with_context(told)?;
            }
            file.sync_all().with_context(told)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new("."))).with_context(told)?;
            folder.sync_all().with_context(told)?;
        }
        let mut found = [0; SECTOR as usize];
        file.read_exact_at(&mut found, FACTORY.start.into())
            .with_context(told)?;
        ensure!(
            found == page,
            "state {}: of another box; give this one a file of its own",
            path.display()
        );
        Ok(Self(file))
    }
}

impl From<std::io::Error> for Fault {
    fn from(_: std::io::Error) -> Self {
        Self::Disk
    }
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Range => NorFlashErrorKind::OutOfBounds,
            Self::Disk => NorFlashErrorKind::Other,
        }
    }
}

/// Whether a file that is too short is one that [`FileNor::open`] did not finish: what it writes, or holes where that was not on
/// the disk yet.
fn is_begun(file: &[u8], page: &[u8]) -> bool {
    file.iter().enumerate().all(|(at, byte)| {
        let expected = match at.checked_sub(FACTORY.start as usize) {
            None => 0,
            Some(at) => page.get(at).copied().unwrap_or(0xFF),
        };
        *byte == 0 || *byte == expected
    })
}

fn within(offset: u32, len: usize) -> Result<(), Fault> {
    let end = u64::from(offset) + len as u64;
    if end <= u64::from(SIZE) {
        Ok(())
    } else {
        Err(Fault::Range)
    }
}

impl ErrorType for FileNor {
    type Error = Fault;
}

impl ReadNorFlash for FileNor {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        within(offset, bytes.len())?;
        Ok(self.0.read_exact_at(bytes, offset.into())?)
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl NorFlash for FileNor {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        if !from.is_multiple_of(SECTOR) || !to.is_multiple_of(SECTOR) || from > to {
            return Err(Fault::Range);
        }
        within(to, 0)?;
        for sector in (from..to).step_by(SECTOR as usize) {
            self.0.write_all_at(&BLANK, sector.into())?;
        }
        Ok(self.0.sync_data()?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(Fault::Range);
        }
        within(offset, bytes.len())?;
        // Programming clears bits and sets none.
        let mut after = vec![0; bytes.len()];
        self.0.read_exact_at(&mut after, offset.into())?;
        after.iter_mut().zip(bytes).for_each(|(old, new)| *old &= new);
        self.0.write_all_at(&after, offset.into())?;
        Ok(self.0.sync_data()?)
    }
}

impl MultiwriteNorFlash for FileNor {}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway::store::ram::run;

    #[test]
    fn it_keeps_the_rules_of_a_nor_flash() {
        let folder = tempfile::tempdir().unwrap();
        let mut nor = FileNor::open(&folder.path().join("state"), &[]).unwrap();
        run(nor.write(4_096, &[0xF0, 1, 2, 3])).unwrap();
        // Bits are cleared, not set.
        run(nor.write(4_096, &[0x0F, 1, 2, 0xFF])).unwrap();
        let mut word = [0; 4];
        run(nor.read(4_096, &mut word)).unwrap();
        assert_eq!(word, [0, 1, 2, 3]);
        run(nor.erase(4_096, 8_192)).unwrap();
        run(nor.read(4_096, &mut word)).unwrap();
        assert_eq!(word, [0xFF; 4]);
        assert!(run(nor.write(2, &[0; 4])).is_err());
        assert!(run(nor.write(0, &[0; 3])).is_err());
        assert!(run(nor.write(SIZE, &[0; 4])).is_err());
        assert!(run(nor.erase(0, 1)).is_err());
        assert!(run(nor.erase(0, SIZE + SECTOR)).is_err());
        assert!(run(nor.read(SIZE - 2, &mut word)).is_err());
    }

    #[test]
    fn a_file_is_one_box_s_and_one_process_s() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let told = |factory: &[u8]| FileNor::open(&path, factory).map_err(|error| error.to_string());
        let nor = told(b"me").unwrap();
        assert!(told(b"me").unwrap_err().contains("in use"));
        drop(nor);
        assert!(told(b"you").unwrap_err().contains("of another box"));
        // The power went while it was made: it is made again.
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(10_000)
            .unwrap();
        let mut nor = told(b"me").unwrap();
        let mut word = [0; 4];
        run(nor.read(SIZE - 4, &mut word)).unwrap();
        assert_eq!(word, [0xFF; 4]);
        drop(nor);
        // As it was being made, with holes where the disk was not written yet.
        let mut begun = std::fs::read(&path).unwrap();
        begun.truncate(SIZE as usize - 4_096);
        begun.get_mut(SIZE as usize / 2..).unwrap().fill(0);
        std::fs::write(&path, begun).unwrap();
        let nor = told(b"me").unwrap();
        drop(nor);
        assert_eq!(*std::fs::read(&path).unwrap().last().unwrap(), 0xFF);
        assert_eq!(std::fs::read(&path).unwrap()[SIZE as usize / 2], 0xFF);
        // Somebody's file by mistake: left alone.
        std::fs::write(&path, "precious").unwrap();
        assert!(told(b"me").unwrap_err().contains("left alone"));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::write(&path, vec![0; SIZE as usize + 1]).unwrap();
        assert!(told(b"me").unwrap_err().contains("not a state file"));
    }
}
