//! Sizes of a 32-bit little-endian ELF image, from its section headers (TIS ELF 1.2, figure 1-9).

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// What an image takes of its microcontroller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes to be written to the flash memory: code, constants and the start values of variables.
    pub image: u64,
    /// Bytes of RAM in use for the whole run: all sections there; the stacks of `main` and interrupts are not.
    pub ram: u64,
}

const SHT_NOBITS: u32 = 8;
const SHF_ALLOC: u32 = 2;
/// Cortex-M: below is code, SRAM and peripherals' RAM begin here (ARMv7-M, B3.1).
const SRAM: u32 = 0x2000_0000;

/// Reads the sizes of the image at `path`.
pub fn sizes(path: &Path) -> Result<Sizes> {
    let file = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
    of(&file).with_context(|| format!("{}", path.display()))
}

fn of(file: &[u8]) -> Result<Sizes> {
    ensure!(
        file.starts_with(&[0x7F, b'E', b'L', b'F', 1, 1]),
        "not a 32-bit little-endian ELF file"
    );
    let half = |at: usize| Some(u16::from_le_bytes(*file.get(at..)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?));
    let headers = || {
        let (table, size, count) = (
            word(0x20)? as usize,
            usize::from(half(0x2E)?),
            usize::from(half(0x30)?),
        );
        (0..count)
            .map(|index| {
                let header = table + index * size;
                Some((
                    word(header + 4)?,
                    word(header + 8)?,
                    word(header + 12)?,
                    word(header + 20)?,
                ))
            })
            .collect::<Option<Vec<_>>>()
    };
    let mut sizes = Sizes { image: 0, ram: 0 };
    for (kind, flags, address, size) in headers().context("section headers are cut short")? {
        if flags & SHF_ALLOC == 0 {
            continue;
        }
        if kind != SHT_NOBITS {
            sizes.image += u64::from(size);
        }
        if address >= SRAM {
            sizes.ram += u64::from(size);
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_counts_as_image_variables_as_both_and_zeroed_ones_as_ram() {
        // (type, flags, address, size)
        let sections = [
            (1, 6, 0x0000_0000, 1000), // .text
            (1, 3, 0x2000_0000, 100),  // .data
            (8, 3, 0x2000_0064, 5000), // .bss
            (1, 0, 0x0000_0000, 9999), // .debug_info
        ];
        let mut file = vec![0; 0x34];
        file[..6].copy_from_slice(&[0x7F, b'E', b'L', b'F', 1, 1]);
        file[0x20..0x24].copy_from_slice(&0x34u32.to_le_bytes());
        file[0x2E] = 40;
        file[0x30] = sections.len() as u8;
        for (kind, flags, address, size) in sections {
            let words = [0u32, kind, flags, address, 0, size, 0, 0, 0, 0];
            file.extend(words.into_iter().flat_map(u32::to_le_bytes));
        }
        assert_eq!(
            of(&file).unwrap(),
            Sizes {
                image: 1100,
                ram: 5100
            }
        );
        assert!(of(&file[..file.len() - 30]).is_err());
    }
}
