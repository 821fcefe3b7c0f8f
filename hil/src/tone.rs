//! Sound files (WAV, 16 bit, mono) and the level of a tone in them.

use anyhow::{Context, Result, bail, ensure};
use std::f64::consts::PI;
use std::path::Path;

/// Samples per second of everything the rig plays and records: G.711.
pub const RATE: u32 = 8000;

/// A sine of `frequency` Hz and `seconds` at -10 dBFS.
pub fn sine(frequency: f64, seconds: f64) -> Vec<i16> {
    let amplitude = 32767.0 * 10f64.powf(-10.0 / 20.0);
    let sample = |n: u32| (amplitude * (2.0 * PI * frequency * f64::from(n) / f64::from(RATE)).sin()) as i16;
    (0..(seconds * f64::from(RATE)) as u32).map(sample).collect()
}

/// Writes samples as a WAV file.
pub fn write_wav(path: &Path, samples: &[i16]) -> Result<()> {
    let data = u32::try_from(samples.len() * 2)?;
    let mut file = Vec::with_capacity(samples.len() * 2 + 44);
    file.extend(b"RIFF");
    file.extend((data + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend(1u16.to_le_bytes()); // PCM
    file.extend(1u16.to_le_bytes()); // mono
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend(2u16.to_le_bytes());
    file.extend(16u16.to_le_bytes());
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file).with_context(|| format!("{}", path.display()))
}

/// Reads a mono WAV file of 16 bit at [`RATE`]; one that is still being written (its lengths are wrong) is read to its
/// end.
pub fn read_wav(path: &Path) -> Result<Vec<i16>> {
    let file = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
    ensure!(
        file.len() >= 12 && &file[..4] == b"RIFF" && &file[8..12] == b"WAVE",
        "{} is no WAV",
        path.display()
    );
    let mut rest = &file[12..];
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        match &head[..4] {
            b"fmt " => {
                ensure!(body.len() >= 16, "{} is cut short", path.display());
                let rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
                ensure!(
                    body[2] == 1 && rate == RATE && body[14] == 16,
                    "{} is not mono 8 kHz",
                    path.display()
                );
            }
            b"data" => {
                let samples = body
                    .chunks_exact(2)
                    .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                return Ok(samples.collect());
            }
            _ => {}
        }
        rest = body.get(length.next_multiple_of(2)..).unwrap_or(&[]);
    }
    bail!("{} has no data", path.display())
}

/// Level of `frequency` Hz in `samples` in dBFS (a full-scale sine is 0), by Goertzel's algorithm.
pub fn level(samples: &[i16], frequency: f64) -> f64 {
    if samples.is_empty() {
        return f64::NEG_INFINITY;
    }
    let coefficient = 2.0 * (2.0 * PI * frequency / f64::from(RATE)).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for &sample in samples {
        let s0 = f64::from(sample) / 32768.0 + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    let half = samples.len() as f64 / 2.0;
    10.0 * (power.max(1e-20) / (half * half)).log10()
}

/// Is `frequency` heard in the last `window` samples: above -30 dBFS, and 20 dB above every one of `others`?
pub fn heard(samples: &[i16], window: usize, frequency: f64, others: &[f64]) -> bool {
    let Some(start) = samples.len().checked_sub(window) else {
        return false;
    };
    let last = &samples[start..];
    let wanted = level(last, frequency);
    wanted > -30.0 && others.iter().all(|&other| wanted - level(last, other) > 20.0)
}

/// One octet of G.711 µ-law as a linear sample (ITU-T G.711, table 2a; inverted bits, 14 bit scaled to 16).
pub fn from_ulaw(octet: u8) -> i16 {
    let code = !octet;
    let segment = (code >> 4) & 7;
    let magnitude = ((((i16::from(code & 15)) << 3) + 132) << segment) - 132;
    if code & 0x80 != 0 { -magnitude } else { magnitude }
}

/// A linear sample as one octet of G.711 µ-law.
pub fn to_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs() + 132).min(32767);
    let segment = (magnitude.ilog2() - 7) as u8;
    let mantissa = ((magnitude >> (segment + 3)) & 15) as u8;
    !(sign | segment << 4 | mantissa)
}

/// One octet of G.711 A-law as a linear sample (ITU-T G.711, table 1a; even bits inverted, 13 bit scaled to 16).
pub fn from_alaw(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let (segment, mantissa) = (code >> 4 & 7, i16::from(code & 15) << 4 | 8);
    let magnitude = match segment {
        0 => mantissa,
        segment => (mantissa | 0x100) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

/// A linear sample as one octet of G.711 A-law.
pub fn to_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample) } else { (0x80, sample) };
    let segment = (magnitude >> 7).checked_ilog2().unwrap_or(0) as u8;
    let mantissa = (magnitude >> (segment.max(1) + 3) & 15) as u8;
    (sign | segment << 4 | mantissa) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_of_a_tone_and_of_silence() {
        let tone = sine(697.0, 0.5);
        assert!(
            (level(&tone, 697.0) + 10.0).abs() < 0.2,
            "{}",
            level(&tone, 697.0)
        );
        assert!(level(&tone, 1209.0) < -40.0);
        assert!(heard(&tone, 4000, 697.0, &[1209.0, 400.0]));
        assert!(!heard(&tone, 4000, 1209.0, &[697.0]));
        assert!(!heard(&[0; 8000], 4000, 697.0, &[]));
        assert!(!heard(&tone, 4001, 697.0, &[]), "too short to judge");
    }

    #[test]
    fn ulaw_there_and_back() {
        for octet in 0..=255 {
            let sample = from_ulaw(octet);
            // 0x7F is minus zero: it comes back as plus zero.
            let expected = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(to_ulaw(sample), expected, "{octet:#x} {sample}");
        }
        // ITU-T G.711: the largest values.
        assert_eq!((from_ulaw(0x80), from_ulaw(0x00)), (32124, -32124));
    }

    #[test]
    fn alaw_there_and_back() {
        for octet in 0..=255 {
            assert_eq!(to_alaw(from_alaw(octet)), octet, "{octet:#x}");
        }
        // ITU-T G.711: the smallest and the largest values.
        assert_eq!((from_alaw(0xD5), from_alaw(0x55)), (8, -8));
        assert_eq!((from_alaw(0xAA), from_alaw(0x2A)), (32256, -32256));
    }
}
