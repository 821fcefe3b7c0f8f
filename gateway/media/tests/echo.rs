//! The echo canceller against a line of our own: a hybrid computed from the cable's constants, µ-law both ways.

mod hybrid;
mod signal;

use hybrid::{JAPANESE, Loop, OFFICE, PAIR_0_4, PAIR_0_5, RESISTIVE, level, noise, speech};
use media::BLOCK;
use media::echo::{Canceller, Mode};
use media::g711::{ulaw_decode, ulaw_encode};
use signal::Dice;

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
            for heard in [short, long] {
                let erle = heard.erle(1_000, 250);
                assert!(erle > 30.0, "{line:?}, {loss} dB: {erle} dB");
            }
        }
    }
}

#[test]
fn speech_trains_it_as_well() {
    let echo = OFFICE.echo(6.0);
    let far = speech(-15.0);
    let heard = run(&mut linear::<128>(), &echo, &far, &[]);
    for second in 1..far.len() / 8_000 - 1 {
        let erle = heard.erle(1_000 * second, 1_000);
        assert!(erle > 28.0, "second {second}: {erle} dB");
    }
}

#[test]
fn double_talk_leads_it_not_astray() {
    // Both ends as loud at the telephone as they are here, from 2 s to 6 s (G.168 test 3B); the near end is heard unchanged.
    let echo = OFFICE.echo(6.0);
    for far in [noise(1, 64_000, -15.0), speech(-15.0)[..64_000].to_vec()] {
        let mut near = vec![0; 16_000];
        near.extend(&speech(-15.0)[70_000..102_000]);
        let heard = run(&mut linear::<128>(), &echo, &far, &near);
        assert!(heard.erle(6_000, 20) > 25.0, "{} dB", heard.erle(6_000, 20));
        assert!(heard.erle(6_200, 1_500) > 30.0, "{} dB", heard.erle(6_200, 1_500));
        // What is left of the echo while both speak.
        let error: Vec<i16> = heard.left[16_800..48_000]
            .iter()
            .zip(&near[16_800..])
            .map(|(a, b)| a.saturating_sub(*b))
            .collect();
        assert!(
            level(&error) < level(&heard.echo[16_800..48_000]) - 20.0,
            "{}",
            level(&error)
        );
    }
}

#[test]
fn another_line_is_learned_anew() {
    let far = noise(1, 32_000, -15.0);
    let mut canceller = linear::<128>();
    run(&mut canceller, &OFFICE.echo(6.0), &far, &[]);
    let other = Loop {
        constants: PAIR_0_5,
        length: 5.0,
        telephone: RESISTIVE,
    };
    let heard = run(&mut canceller, &other.echo(6.0), &far, &[]);
    assert!(heard.erle(1_000, 250) > 30.0, "{} dB", heard.erle(1_000, 250));
    canceller.reset();
    canceller.set_mode(Mode::Linear);
    let mut near = [1_000; BLOCK];
    canceller.process(&[5_000; BLOCK], &mut near);
    assert_eq!(near, [1_000; BLOCK]);
}

#[test]
fn without_an_echo_nothing_is_made_worse() {
    let far = noise(1, 24_000, -10.0);
    let near = noise(2, 24_000, -30.0);
    for near in [&near[..], &[]] {
        let heard = run(&mut linear::<128>(), &[0.0], &far, near);
        let expected: Vec<i16> = near
            .iter()
            .map(|s| coded(f64::from(*s)))
            .chain([0; 24_000])
            .collect();
        let error: Vec<i16> = heard.left.iter().zip(&expected).map(|(a, b)| a - b).collect();
        assert!(level(&error[8_000..]) < -43.0, "{}", level(&error[8_000..]));
    }
    // And a tone, on which the filter cannot be told, neither grows nor stays.
    let tone: Vec<i16> = (0..24_000)
        .map(|n| (8_000.0 * (std::f64::consts::TAU * 400.0 * f64::from(n) / 8_000.0).sin()) as i16)
        .collect();
    let heard = run(&mut linear::<128>(), &OFFICE.echo(6.0), &tone, &[]);
    assert!(heard.erle(1_000, 250) > 25.0, "{}", heard.erle(1_000, 250));
}

#[test]
fn what_it_learned_wrongly_is_not_sent() {
    // The near end said what the far end had said, as two modems' flags are alike, and stops: an echo that is not there is not
    // subtracted, or two cancellers would howl at each other.
    for mode in [Mode::Linear, Mode::Held] {
        let far = noise(1, 16_000, -15.0);
        let mut canceller = linear::<128>();
        run(&mut canceller, &[0.0, 0.0, 0.0, 1.0], &far, &[]);
        canceller.set_mode(mode);
        let heard = run(&mut canceller, &[0.0], &far, &[]);
        let most = heard.left.chunks(80).map(level).fold(-100.0, f64::max);
        assert!(most < -60.0, "{mode:?}: {most} dBm0");
    }
}

#[test]
fn nothing_makes_it_louder_than_the_line() {
    // Full-scale steps, impulses, tones that begin and end, the two ends alike or not: what goes out is never above what came in
    // by more than the 3 dB of which it is judged, and the line is learned after all of it.
    let mut dice = Dice::new(17);
    let mut canceller = linear::<128>();
    for _ in 0..4_000 {
        let mut sound = || -> [i16; BLOCK] {
            let kind = dice.one_of(5);
            let size = dice.between(0.0, 32_000.0);
            let turn = dice.between(0.0, 3.0);
            std::array::from_fn(|n| match kind {
                0 => 0,
                1 => size as i16,
                2 => (size * (turn * n as f64).sin()) as i16,
                3 => (size * dice.sign()) as i16,
                _ => {
                    if n == 7 {
                        i16::MIN
                    } else {
                        0
                    }
                }
            })
        };
        let (far, near) = (sound(), sound());
        let mut left = near;
        canceller.process(&far, &mut left);
        assert!(
            level(&left) < (level(&near) + 3.1).max(-59.0),
            "{} to {}",
            level(&near),
            level(&left)
        );
    }
    let heard = run(&mut canceller, &OFFICE.echo(6.0), &noise(1, 12_000, -10.0), &[]);
    assert!(heard.erle(1_000, 250) > 28.0, "{} dB", heard.erle(1_000, 250));
}

#[test]
fn what_is_left_is_silenced_but_not_the_near_end() {
    let echo = OFFICE.echo(6.0);
    let far = speech(-15.0)[..64_000].to_vec();
    // The near end's room makes noise, and somebody speaks from 4 s on.
    let room = noise(7, 64_000, -60.0);
    let mut voice = vec![0; 32_000];
    voice.extend(&speech(-20.0)[70_000..102_000]);
    let near: Vec<i16> = room.iter().zip(&voice).map(|(a, b)| a + b).collect();
    let heard = run(&mut Canceller::<128>::new(), &echo, &far, &near);
    let quiet = level(&heard.left[16_000..32_000]);
    assert!((-68.0..-54.0).contains(&quiet), "{quiet} dBm0 of noise");
    let (spoken, passed) = (level(&near[32_000..63_000]), level(&heard.left[32_000..63_000]));
    assert!((spoken - passed).abs() < 1.0, "{spoken} dBm0 became {passed}");
}

#[test]
fn a_disabled_one_changes_nothing_and_forgets_nothing() {
    let echo = OFFICE.echo(6.0);
    let far = noise(1, 16_000, -15.0);
    let mut canceller = linear::<128>();
    run(&mut canceller, &echo, &far, &[]);
    canceller.set_mode(Mode::Disabled);
    let heard = run(&mut canceller, &echo, &far, &[]);
    assert!(
        heard
            .echo
            .iter()
            .zip(&heard.left)
            .all(|(a, b)| coded(f64::from(*a)) == *b)
    );
    canceller.set_mode(Mode::Linear);
    assert!(run(&mut canceller, &echo, &far, &[]).erle(20, 100) > 30.0);
}

#[test]
fn blocks_that_are_missed_teach_it_nothing() {
    // Of ten blocks eight are missed, from the beginning, one after the other. The echo is a block later, as it is in the chain.
    let echo = [vec![0.0; BLOCK], OFFICE.echo(6.0)].concat();
    let far: Vec<i16> = (0..16_000)
        .map(|n| coded(6_000.0 * (f64::from(n) * 697.0 * std::f64::consts::TAU / 8_000.0).sin()))
        .collect();
    let mut canceller = Canceller::<128>::new();
    let (mut came, mut left) = (Vec::new(), Vec::new());
    for at in (0..far.len() - BLOCK).step_by(BLOCK) {
        let block = far[at..].first_chunk().unwrap();
        if at / BLOCK % 10 < 8 {
            canceller.missed(block);
            continue;
        }
        let mut near = std::array::from_fn(|n| {
            let past = far[..=at + n].iter().rev();
            coded(echo.iter().zip(past).map(|(h, x)| h * f64::from(*x)).sum())
        });
        came.extend(near);
        canceller.process(block, &mut near);
        left.extend(near);
    }
    // What came in the second half.
    let span = came.len() / 2..;
    let (came, left) = (level(&came[span.clone()]), level(&left[span]));
    assert!(left < came - 35.0, "{came} dB, {left} dB");
}
