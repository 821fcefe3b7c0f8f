//! The echo canceller against a line of our own: a hybrid computed from the cable's constants, µ-law both ways.

mod line;

use line::{JAPANESE, Loop, OFFICE, PAIR_0_4, PAIR_0_5, RESISTIVE, level, noise, speech};
use media::BLOCK;
use media::echo::{Canceller, Mode};
use media::g711::{ulaw_decode, ulaw_encode};

fn coded(sample: f64) -> i16 {
    ulaw_decode(ulaw_encode(sample.round().clamp(-32_768.0, 32_767.0) as i16))
}

/// What goes over the line, and what came back with its echo and after the canceller.
struct Heard {
    echo: Vec<i16>,
    left: Vec<i16>,
}

impl Heard {
    /// Echo return loss enhancement from this millisecond on, over so many.
    fn erle(&self, from: usize, count: usize) -> f64 {
        let span = from * 8..(from + count) * 8;
        level(&self.echo[span.clone()]) - level(&self.left[span])
    }
}

fn run<const TAPS: usize>(canceller: &mut Canceller<TAPS>, echo: &[f64], far: &[i16], near: &[i16]) -> Heard {
    let far: Vec<i16> = far.iter().map(|&s| coded(f64::from(s))).collect();
    let mut heard = Heard {
        echo: Vec::new(),
        left: Vec::new(),
    };
    for at in (0..far.len() - BLOCK).step_by(BLOCK) {
        let mut block = [0; BLOCK];
        for (n, sample) in block.iter_mut().enumerate() {
            let now = at + n;
            let back: f64 = echo
                .iter()
                .take(now + 1)
                .zip(far[..=now].iter().rev())
                .map(|(h, x)| h * f64::from(*x))
                .sum();
            heard.echo.push(back.round() as i16);
            *sample = coded(back + near.get(now).map_or(0.0, |s| f64::from(*s)));
        }
        canceller.process(far[at..at + BLOCK].try_into().unwrap(), &mut block);
        heard.left.extend(block);
    }
    heard
}

fn linear<const TAPS: usize>() -> Canceller<TAPS> {
    let mut canceller = Canceller::new();
    canceller.set_mode(Mode::Linear);
    canceller
}

#[test]
fn echo_is_30_db_down_after_a_second() {
    let lines = [
        OFFICE,
        Loop {
            constants: PAIR_0_5,
            length: 5.0,
            telephone: RESISTIVE,
        },
        Loop {
            constants: PAIR_0_4,
            length: 0.1,
            telephone: JAPANESE,
        },
        Loop {
            constants: PAIR_0_4,
            length: 7.0,
            telephone: JAPANESE,
        },
    ];
    for line in lines {
        for loss in [6.0, 12.0] {
            let echo = line.echo(loss);
            let far = noise(1, 12_000, -10.0);
            let short = run(&mut linear::<128>(), &echo, &far, &[]);
            let long = run(&mut linear::<256>(), &echo, &far, &[]);
            println!(
                "{line:?} {loss}: {:.1} {:.1} {:.1} {:.1}",
                short.erle(200, 100),
                short.erle(1_000, 250),
                long.erle(200, 100),
                long.erle(1_000, 250)
            );
            let want = if loss < 10.0 { 30.0 } else { 25.0 };
            assert!(short.erle(1_000, 250) > want && long.erle(1_000, 250) > want);
        }
    }
}

#[test]
fn speech_() {
    let echo = OFFICE.echo(6.0);
    let far = speech(-15.0);
    let h = run(&mut linear::<128>(), &echo, &far, &[]);
    for t in 0..far.len() / 8000 {
        print!(
            "{:.0}/{:.0} ",
            level(&h.echo[t * 8000..t * 8000 + 8000 - 40]),
            h.erle(t * 1000, 990)
        );
    }
    println!();
}
