//! Sizes and symbols of a 32-bit little-endian ELF image (TIS ELF 1.2, figures 1-9 and 1-15).

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// What an image takes of its microcontroller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes to be written to the flash memory: code, constants and the start values of variables.
    pub image: u64,
    /// Bytes of RAM in use for the whole run: all sections there; the stacks of `main` and interrupts are not.
    pub ram: u64,
    /// Bytes of code.
    pub text: u64,
    /// Bytes of constants.
    pub rodata: u64,
}

const SHT_PROGBITS: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_NOBITS: u32 = 8;
const SHF_WRITE: u32 = 1;
const SHF_ALLOC: u32 = 2;
const SHF_EXECINSTR: u32 = 4;
/// Bytes of a symbol: name, value, size, info and section.
const SYMBOL: usize = 16;
/// Cortex-M: below is code, SRAM and peripherals' RAM begin here (ARMv7-M, B3.1).
const SRAM: u32 = 0x2000_0000;

/// An image.
pub struct Elf {
    file: Vec<u8>,
    sections: Vec<Section>,
}

struct Section {
    kind: u32,
    flags: u32,
    address: u32,
    offset: u32,
    size: u32,
    link: u32,
}

impl Elf {
    /// Reads the image at `path`.
    pub fn read(path: &Path) -> Result<Elf> {
        let file = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        Elf::of(file).with_context(|| format!("{}", path.display()))
    }

    fn of(file: Vec<u8>) -> Result<Elf> {
        ensure!(
            file.starts_with(&[0x7F, b'E', b'L', b'F', 1, 1]),
            "not a 32-bit little-endian ELF file"
        );
        let sections = headers(&file).context("section headers are cut short")?;
        Ok(Elf { file, sections })
    }

    /// Its sizes, from the section headers.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        for section in &self.sections {
            let size = u64::from(section.size);
            if section.flags & SHF_ALLOC == 0 {
                continue;
            }
            if section.kind != SHT_NOBITS {
                sizes.image += size;
            }
            if section.address >= SRAM {
                sizes.ram += size;
            }
            if section.kind == SHT_PROGBITS {
                match section.flags & (SHF_WRITE | SHF_EXECINSTR) {
                    0 => sizes.rodata += size,
                    SHF_EXECINSTR => sizes.text += size,
                    _ => {}
                }
            }
        }
        sizes
    }

    /// Its symbols: mangled name and size in bytes.
    pub fn symbols(&self) -> Vec<(String, u32)> {
        let table = self.sections.iter().find(|section| section.kind == SHT_SYMTAB);
        let names = table.and_then(|table| self.sections.get(table.link as usize));
        let (Some(symbols), Some(names)) = (
            table.and_then(|table| self.bytes(table)),
            names.and_then(|names| self.bytes(names)),
        ) else {
            return Vec::new();
        };
        let symbol = |symbol: &[u8]| {
            let name = names.get(word(symbol, 0)? as usize..)?;
            let name = name.split(|byte| *byte == 0).next()?;
            Some((String::from_utf8_lossy(name).into_owned(), word(symbol, 8)?))
        };
        symbols.chunks_exact(SYMBOL).filter_map(symbol).collect()
    }

    fn bytes(&self, section: &Section) -> Option<&[u8]> {
        self.file
            .get(section.offset as usize..)?
            .get(..section.size as usize)
    }
}

/// Reads the sizes of the image at `path`.
pub fn sizes(path: &Path) -> Result<Sizes> {
    Ok(Elf::read(path)?.sizes())
}

fn half(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*file.get(at..)?.first_chunk()?))
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?))
}

fn headers(file: &[u8]) -> Option<Vec<Section>> {
    let (table, size, count) = (
        word(file, 0x20)? as usize,
        usize::from(half(file, 0x2E)?),
        usize::from(half(file, 0x30)?),
    );
    let section = |index| {
        let header = table + index * size;
        Some(Section {
            kind: word(file, header + 4)?,
            flags: word(file, header + 8)?,
            address: word(file, header + 12)?,
            offset: word(file, header + 16)?,
            size: word(file, header + 20)?,
            link: word(file, header + 24)?,
        })
    };
    (0..count).map(section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these sections (type, flags, address, size, link), their contents behind the header.
    fn file(sections: &[(u32, u32, u32, u32, u32)], contents: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 0x34];
        file[..6].copy_from_slice(&[0x7F, b'E', b'L', b'F', 1, 1]);
        file[0x20..0x24].copy_from_slice(&(0x34 + contents.len() as u32).to_le_bytes());
        file[0x2E] = 40;
        file[0x30] = sections.len() as u8;
        file.extend(contents);
        let mut offset = 0x34;
        for (kind, flags, address, size, link) in sections {
            let words = [0, *kind, *flags, *address, offset, *size, *link, 0, 0, 0];
            file.extend(words.into_iter().flat_map(u32::to_le_bytes));
            offset += size;
        }
        file
    }

    #[test]
    fn code_counts_as_image_variables_as_both_and_zeroed_ones_as_ram() {
        let file = file(
            &[
                (1, 6, 0x0000_0000, 1000, 0), // .text
                (1, 2, 0x0000_1000, 200, 0),  // .rodata
                (1, 3, 0x2000_0000, 100, 0),  // .data
                (8, 3, 0x2000_0064, 5000, 0), // .bss
                (1, 0, 0x0000_0000, 9999, 0), // .debug_info
            ],
            &[],
        );
        let cut = file[..file.len() - 30].to_vec();
        assert_eq!(
            Elf::of(file).unwrap().sizes(),
            Sizes {
                image: 1300,
                ram: 5100,
                text: 1000,
                rodata: 200,
            }
        );
        assert!(Elf::of(cut).is_err());
    }

    #[test]
    fn symbols_have_names_and_sizes() {
        // Two symbols: name, value, size, info and section; then their names.
        let symbols = [0, 0, 0, 0, 1, 0x1000, 4004, 0]
            .into_iter()
            .flat_map(u32::to_le_bytes);
        let contents: Vec<u8> = symbols.chain(*b"\0RUNS\0").collect();
        let sections = [(2, 0, 0, 32, 1), (3, 0, 0, 6, 0)];
        let elf = Elf::of(file(&sections, &contents)).unwrap();
        assert_eq!(elf.symbols(), [("".into(), 0), ("RUNS".into(), 4004)]);
        assert!(Elf::of(file(&[], &[])).unwrap().symbols().is_empty());
    }
}
