//! Push buttons, FAX tones and number display: ours beside spandsp on the same samples.

use anyhow::Result;
use media::caller_id::{Caller, Frame, Modulator};
use media::fax;

use crate::peer::Peer;
use crate::signal::{Dice, Push, add_noise, coded, dbm0, digits, off, silence};
use crate::sound;

const TRIALS: usize = 1_000;
const FEW: usize = 200;
/// Minutes of speech and of music that are made.
const MADE: usize = 60;

fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value} {unit}");
}

/// Prints all figures with their conditions.
pub fn print() -> Result<()> {
    push_buttons()?;
    println!(
        "FAX tones: {FEW} times 3 s of spandsp's, 0 to 30 dB quieter than it sends them, SNR 20 dB, u-law; heard right, and \
         nothing else"
    );
    for (name, part) in fax_tones(FEW)? {
        figure(&format!("media.fax.{name}"), 100.0 * part, "%");
    }
    talk_off()?;
    println!(
        "number display: {TRIALS} frames with a number of 1 to 20 digits and mostly a dialled one, -14 to -26 dBm0 at the \
         receiver, SNR 20 dB (0 to 4 kHz), u-law, decoded by spandsp; without the frames in which a length of 16 is escaped, \
         which it cannot read"
    );
    figure("line.callerid.decoded", 100.0 * number_display(TRIALS)?, "%");
    Ok(())
}

/// A change to a signal in the middle of all limits.
type Change = fn(&mut Dice, &mut Push);

fn push_buttons() -> Result<()> {
    println!(
        "push buttons: {TRIALS} trials each; any of 16 digits, each tone at -3 to -24 dBm0, twist to 5 dB, SNR 20 dB (both tones \
         to noise, 0 to 4 kHz), 60 ms of noise before and after, u-law; accepted: 40 ms and the right digit, once; rejected: \
         100 ms and nothing"
    );
    let both: fn(f64) -> Change = |part| match part {
        0.015 => |dice, push| push.off = off(dice, 0.015),
        0.018 => |dice, push| push.off = off(dice, 0.018),
        _ => |dice, push| push.off = off(dice, 0.03),
    };
    let one: Change = |dice, push| {
        let (far, near) = (0.03 * dice.sign(), dice.between(-0.018, 0.018));
        push.off = if dice.sign() > 0.0 {
            (far, near)
        } else {
            (near, far)
        };
    };
    let mut peer = Peer::start("dtmf")?;
    let accepted: [(&str, f64, Change); 3] = [
        ("accept_nominal", 40.0, |_, _| {}),
        ("accept_1_5pct", 40.0, both(0.015)),
        ("accept_1_8pct", 40.0, both(0.018)),
    ];
    let rejected: [(&str, f64, Change); 4] = [
        ("reject_3pct", 100.0, both(0.03)),
        ("reject_3pct_one_tone", 100.0, one),
        ("reject_24ms", 24.0, |_, _| {}),
        ("reject_29dbm0", 100.0, |_, push| push.levels = (-29.0, -29.0)),
    ];
    let accepted = accepted.map(|row| (row, true));
    let rejected = rejected.map(|row| (row, false));
    for (seed, ((name, milliseconds, change), accept)) in (1..).zip(accepted.into_iter().chain(rejected)) {
        let mut dice = Dice::new(seed);
        let (mut ours, mut theirs) = (0, 0);
        for _ in 0..TRIALS {
            let mut push = Push::any(&mut dice, milliseconds);
            change(&mut dice, &mut push);
            let samples = push.sound(&mut dice);
            let want = if accept {
                char::from(push.digit.name()).to_string()
            } else {
                String::new()
            };
            ours += usize::from(digits(&samples) == want);
            theirs += usize::from(peer.ask(&samples)? == want);
        }
        let percent = |count: usize| 100.0 * count as f64 / TRIALS as f64;
        figure(&format!("media.dtmf.{name}"), percent(ours), "%");
        figure(&format!("media.dtmf.spandsp.{name}"), percent(theirs), "%");
    }
    Ok(())
}

fn heard(samples: &[i16]) -> Vec<fax::Event> {
    let mut detector = fax::Detector::new();
    let (milliseconds, _) = samples.as_chunks();
    milliseconds.iter().filter_map(|ms| detector.push(ms)).collect()
}

/// Part of so many signals of each kind that is heard right.
fn fax_tones(each: usize) -> Result<Vec<(&'static str, f64)>> {
    use fax::Event::{Answer, AnswerModulated, Calling, Preamble, Reversal};
    const KINDS: [(&str, fax::Event, Option<fax::Event>); 6] = [
        ("cng", Calling, None),
        ("ced", Answer, None),
        ("ans_reversed", Answer, Some(Reversal)),
        ("ansam", AnswerModulated, None),
        ("ansam_reversed", AnswerModulated, Some(Reversal)),
        ("v21_preamble", Preamble, None),
    ];
    let mut parts = Vec::new();
    let mut peer = Peer::start("fax_tones")?;
    let mut dice = Dice::new(8);
    for (kind, (name, first, then)) in (0..).zip(KINDS) {
        let sent = peer.ask(&[kind])?;
        let sent: Vec<f64> = sent.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        // CNG is quiet for most of the time.
        let level = dbm0(&sent[..2_000]);
        let right = (0..each).filter(|_| {
            let loss_db = dice.between(0.0, 30.0);
            let mut samples = silence(dice.between(100.0, 110.0));
            samples.extend(sent.iter().map(|x| x * 10f64.powf(-loss_db / 20.0)));
            samples.extend(silence(200.0));
            add_noise(&mut dice, &mut samples, level - loss_db - 20.0);
            match &heard(&coded(&samples))[..] {
                [event, rest @ ..] => {
                    *event == first
                        && rest.is_empty() == then.is_none()
                        && rest.iter().all(|r| Some(*r) == then)
                }
                [] => false,
            }
        });
        parts.push((name, right.count() as f64 / each as f64));
    }
    Ok(parts)
}

fn talk_off() -> Result<()> {
    println!(
        "talk-off: recorded: Debian's asterisk-core-sounds in English, Spanish, French, Italian and Russian, five speakers, as \
         loud as they are; spoken: numbers read by espeak-ng in 12 languages and 10 voices; music: a minute each of made-up \
         pieces of one to four voices"
    );
    let mut peer = Peer::start("dtmf")?;
    let (mut all, mut hours) = (0, 0.0);
    for (name, samples) in [
        ("recorded", sound::recorded()?),
        ("spoken", sound::spoken(MADE)?),
        ("music", sound::played(MADE)),
    ] {
        let time = samples.len() as f64 / 8_000.0 / 3_600.0;
        let (ours, theirs) = (digits(&samples).len(), peer.ask(&samples)?.len());
        let alarms = heard(&samples).len();
        figure(
            &format!("media.talkoff.{name}.hours"),
            (100.0 * time).round() / 100.0,
            "h",
        );
        figure(&format!("media.dtmf.talkoff.{name}"), ours as f64, "digits");
        figure(
            &format!("media.dtmf.spandsp.talkoff.{name}"),
            theirs as f64,
            "digits",
        );
        figure(&format!("media.fax.false.{name}"), alarms as f64, "signals");
        all += ours;
        hours += time;
    }
    figure("media.dtmf.talkoff_per_hour", all as f64 / hours, "digits/h");
    Ok(())
}

/// Whether the escape goes twice in a frame: spandsp's receiver does not undo that where it counts its characters.
fn is_escaped(frame: &Frame) -> bool {
    let escapes = frame.octets().windows(2).filter(|two| two == &[0x90, 0x90]);
    escapes.count() > 0
}

/// Part of so many frames that spandsp reads.
fn number_display(trials: usize) -> Result<f64> {
    let mut peer = Peer::start("caller_id")?;
    let mut dice = Dice::new(9);
    let (mut decoded, mut sent) = (0u32, 0);
    while sent < trials {
        let mut number = |most: usize| -> String {
            let length = 1 + dice.one_of(most);
            (0..length)
                .map(|_| char::from(b'0' + dice.one_of(10) as u8))
                .collect()
        };
        let (caller, dialled) = (number(20), number(12));
        let dialled = (dice.one_of(4) > 0).then_some(dialled);
        let Ok(frame) = Frame::new(Caller::Number(&caller), dialled.as_deref()) else {
            anyhow::bail!("{caller} {dialled:?}");
        };
        if is_escaped(&frame) {
            continue;
        }
        sent += 1;
        let mut modulator = Modulator::new(frame);
        let loss = 10f64.powf(dice.between(-12.0, 0.0) / 20.0);
        let level = -14.0 + 20.0 * loss.log10();
        let mut samples = silence(50.0);
        samples.extend(std::iter::from_fn(|| modulator.next_sample()).map(|x| loss * f64::from(x)));
        samples.extend(silence(50.0));
        add_noise(&mut dice, &mut samples, level - 20.0);
        let (octets, _) = frame.octets().split_at(frame.octets().len() - 2);
        let want: String = octets
            .iter()
            .map(|octet| format!("{:02x}", octet & 0x7F))
            .collect();
        decoded += u32::from(peer.ask(&coded(&samples))? == want);
    }
    Ok(f64::from(decoded) / trials as f64)
}

#[cfg(test)]
mod tests {
    use super::{fax_tones, number_display};

    #[test]
    fn spandsp_reads_the_number() {
        assert_eq!(number_display(50).expect("spandsp"), 1.0);
    }

    #[test]
    fn spandsps_fax_tones_are_heard() {
        for (name, part) in fax_tones(20).expect("spandsp") {
            assert_eq!(part, 1.0, "{name}");
        }
    }
}
