//! The echo canceller beside spandsp's, on the same line.

use crate::hybrid::{Loop, OFFICE, level, noise};
use crate::peer::Peer;
use anyhow::Result;
use media::BLOCK;
use media::echo::{Canceller, Mode};
use media::g711::{ulaw_decode, ulaw_encode};

/// Echo return loss in dB.
const LOSS: f64 = 6.0;
/// Level of the far end in dBm0.
const FAR: f64 = -10.0;
const SEEDS: u64 = 10;

fn coded(sample: f64) -> i16 {
    ulaw_decode(ulaw_encode(sample.round().clamp(-32_768.0, 32_767.0) as i16))
}

/// How much less than the echo is left, between 1.0 and 1.25 s.
fn erle(echo: &[i16], left: &[i16]) -> f64 {
    level(&echo[8_000..10_000]) - level(&left[8_000..10_000])
}

fn ours<const TAPS: usize>(far: &[i16], near: &[i16]) -> Vec<i16> {
    let mut canceller = Canceller::<TAPS>::new();
    canceller.set_mode(Mode::Linear);
    let mut left = Vec::new();
    for (far, near) in far.as_chunks::<BLOCK>().0.iter().zip(near.as_chunks::<BLOCK>().0) {
        let mut block = *near;
        canceller.process(far, &mut block);
        left.extend(block);
    }
    left
}

/// Prints the figures.
pub fn print() -> Result<()> {
    let mut peer = Peer::start("echo")?;
    let Loop { length, .. } = OFFICE;
    let path = OFFICE.echo(LOSS);
    let (mut short, mut long, mut theirs) = (f64::MAX, f64::MAX, f64::MAX);
    for seed in 0..SEEDS {
        let far: Vec<i16> = noise(seed, 12_000, FAR)
            .into_iter()
            .map(|s| coded(s.into()))
            .collect();
        let echo: Vec<i16> = (0..far.len())
            .map(|n| {
                let taps = path.iter().zip(far[..=n].iter().rev());
                taps.map(|(h, x)| h * f64::from(*x)).sum::<f64>().round() as i16
            })
            .collect();
        let near: Vec<i16> = echo.iter().map(|s| coded((*s).into())).collect();
        let question: Vec<i16> = far
            .iter()
            .zip(&near)
            .flat_map(|(far, near)| [*far, *near])
            .collect();
        let answer: Vec<i16> = peer
            .ask(&question)?
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        short = short.min(erle(&echo, &ours::<128>(&far, &near)));
        long = long.min(erle(&echo, &ours::<256>(&far, &near)));
        theirs = theirs.min(erle(&echo, &answer));
    }
    println!(
        "echo: hybrid balanced for 600 ohms, {length} km of 0.4 mm pair (280 ohms, 0.7 mH, 50 nF a km), telephone of 150 ohms + \
         (830 ohms with 72 nF across), echo return loss {LOSS} dB; Gaussian noise 200 to 3,400 Hz at {FAR} dBm0, µ-law both ways, no \
         NLP; the worst of {SEEDS} seeds, 1.00 to 1.25 s"
    );
    println!("figure media.echo.erle_db_at_1s {short:.1} dB");
    println!("figure media.echo.32ms.erle_db_at_1s {long:.1} dB");
    println!("figure media.echo.spandsp.erle_db_at_1s {theirs:.1} dB");
    Ok(())
}
