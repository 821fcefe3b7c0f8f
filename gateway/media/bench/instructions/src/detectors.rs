//! The detectors of push buttons and of FAX tones, with digits and pauses of 60 ms.

use core::hint::black_box;

use media::dtmf::{Digit, Generator};
use media::{BLOCK, dtmf, fax};

use crate::{count, figure};

/// Blocks of two seconds, and of a digit or a pause.
const BLOCKS: usize = 400;
const LONG: usize = 12;

/// Prints the figures of both.
pub fn print() {
    let (mut digits, mut tones) = (dtmf::Detector::new(), fax::Detector::new());
    print_one("dtmf", size_of_val(&digits), |samples| {
        for millisecond in samples.as_chunks().0 {
            black_box(digits.push(millisecond));
        }
    });
    print_one("fax", size_of_val(&tones), |samples| {
        for millisecond in samples.as_chunks().0 {
            black_box(tones.push(millisecond));
        }
    });
}

fn print_one(name: &str, bytes: usize, mut hear: impl FnMut(&[i16; BLOCK])) {
    let (mut sum, mut worst) = (0, 0);
    let mut sound = None;
    for block in 0..BLOCKS {
        if block.is_multiple_of(LONG) {
            let digit = Digit::from_code((block / LONG % 16) as u8);
            sound = digit
                .filter(|_| (block / LONG).is_multiple_of(2))
                .map(Generator::new);
        }
        let samples = [(); BLOCK].map(|()| sound.as_mut().map_or(0, Generator::next_sample));
        let taken = count(|| hear(black_box(&samples)));
        sum += taken;
        worst = worst.max(taken);
    }
    let mean = sum / (BLOCKS * BLOCK) as u32;
    figure(
        format_args!("media.{name}.instructions_per_sample"),
        mean,
        "instructions",
    );
    let worst = worst / BLOCK as u32;
    figure(
        format_args!("media.{name}.worst_block.instructions_per_sample"),
        worst,
        "instructions",
    );
    figure(format_args!("media.{name}.bytes"), bytes, "bytes");
}
