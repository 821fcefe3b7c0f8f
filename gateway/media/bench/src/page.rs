//! A page to send by FAX: dense lines of letters that nobody can read, the same every time.

use crate::signal::Dice;
use std::path::Path;
use std::{fs, io};

/// Pixels of a row: 215 mm (ITU-T T.4 §2.1).
const WIDTH: usize = 1_728;
/// Rows: 297 mm at 7.7 a millimetre.
const ROWS: usize = 2_287;
/// Rows of a line of text, and of a letter in it. A letter is made of dots of 5 rows, 5 in a row and 7 high, one more for the space.
const LINE: usize = 100;
const DOT: usize = 5;
const LETTER: usize = 6 * DOT;
const MARGIN: usize = 120;

/// Letters that differ: as many as an alphabet has, five rows of dots each.
const ALPHABET: usize = 26;

/// Writes it as TIFF, uncompressed.
pub fn draw(file: &Path) -> io::Result<()> {
    let mut dice = Dice::new(20);
    let alphabet: Vec<[u8; 7]> = (0..ALPHABET)
        .map(|_| {
            std::array::from_fn(|_| {
                (dice.between(0.0, 1.0) * 32.0) as u8 & (dice.between(0.0, 1.0) * 32.0) as u8
                    | 1 << (dice.between(0.0, 1.0) * 5.0) as u8
            })
        })
        .collect();
    let mut rows = vec![[0u8; WIDTH / 8]; ROWS];
    for top in (MARGIN..ROWS - MARGIN - LINE).step_by(LINE) {
        // The last line of a paragraph is short.
        let end = if dice.between(0.0, 1.0) < 0.2 {
            WIDTH / 2
        } else {
            WIDTH - MARGIN
        };
        for left in (MARGIN..end - LETTER).step_by(LETTER) {
            if dice.between(0.0, 1.0) < 0.16 {
                continue;
            }
            let letter = alphabet[(dice.between(0.0, 1.0) * ALPHABET as f64) as usize];
            for (y, dots) in letter.iter().enumerate() {
                for x in (0..5).filter(|x| dots & 1 << x != 0) {
                    for row in &mut rows[top + y * DOT..top + (y + 1) * DOT] {
                        for pixel in left + x * DOT..left + (x + 1) * DOT {
                            row[pixel / 8] |= 0x80 >> (pixel % 8);
                        }
                    }
                }
            }
        }
    }
    fs::write(file, tiff(&rows.concat()))
}

/// A file of one strip (TIFF 6.0 §2 and §3): its header, its directory, the two resolutions and the pixels.
fn tiff(pixels: &[u8]) -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    const RATIONAL: u16 = 5;
    const ENTRIES: u32 = 12;
    const AFTER: u32 = 8 + 2 + ENTRIES * 12 + 4;
    let entries: [(u16, u16, u32); ENTRIES as usize] = [
        (256, LONG, WIDTH as u32),
        (257, LONG, ROWS as u32),
        (258, SHORT, 1),          // bits of a sample
        (259, SHORT, 1),          // not compressed
        (262, SHORT, 0),          // white is zero
        (273, LONG, AFTER + 16),  // offset of the strip
        (277, SHORT, 1),          // samples of a pixel
        (278, LONG, ROWS as u32), // rows of the strip
        (279, LONG, pixels.len() as u32),
        (282, RATIONAL, AFTER), // resolution across and down
        (283, RATIONAL, AFTER + 8),
        (296, SHORT, 2), // an inch
    ];
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((ENTRIES as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for value in [204u32, 1, 196, 1] {
        file.extend(value.to_le_bytes());
    }
    file.extend(pixels);
    file
}
