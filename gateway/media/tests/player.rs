//! The player against a listener that knows only RFC 3550, and the limits of the prompts.

use media::g711::Law;
use media::player::{FRAME, PACKET_LEN, Player, Start, Step};
use media::prompt::Prompt;
use media::rtp::{Error, Packet, Repr};
use media::tone::{Goertzel, Tone};

const START: Start = Start {
    ssrc: 7,
    sequence: 65_534,
    timestamp: u32::MAX - 100,
};

/// Plays to the end, coming exactly when asked: `(time, header, payload)`.
fn listen(mut player: Player) -> Vec<(u64, Repr, Vec<u8>)> {
    let mut heard = Vec::new();
    let mut buf = [0; PACKET_LEN];
    while let Some(now) = player.next_deadline() {
        if now > 0 {
            assert_eq!(player.next(now - 1, &mut buf), Ok(Step::Wait(now)));
        }
        let Ok(Step::Packet(len)) = player.next(now, &mut buf) else {
            panic!("due at {now}")
        };
        let packet = Packet::parse(&buf[..len]).unwrap();
        heard.push((now, packet.repr(), packet.payload().to_vec()));
    }
    assert_eq!(player.next(u64::MAX, &mut buf), Ok(Step::End));
    heard
}

#[test]
fn prompts_are_small_and_loud_enough() {
    let mut total = 0;
    for (index, prompt) in Prompt::ALL.iter().enumerate() {
        let ulaw = prompt.ulaw();
        // The box's come first; others are not in its image.
        total += if index < 4 { ulaw.len() } else { 0 };
        assert!(ulaw.len() <= 40 * 1024, "{prompt:?}: {}", ulaw.len());
        assert!((2_000..6_000).contains(&prompt.duration_ms()), "{prompt:?}");
        // Speech, not silence or noise at full scale.
        let linear = || ulaw.iter().map(|&c| f64::from(Law::Pcmu.decode(c)));
        let rms = (linear().map(|s| s * s).sum::<f64>() / ulaw.len() as f64).sqrt();
        assert!((500.0..6_000.0).contains(&rms), "{prompt:?}: {rms}");
        assert!(linear().all(|s| s.abs() < 20_000.0), "{prompt:?}");
        let crossings = ulaw.windows(2).filter(|w| (w[0] ^ w[1]) & 0x80 != 0).count();
        assert!(
            (100..3_000).contains(&(crossings * 8_000 / ulaw.len())),
            "{prompt:?}: {crossings}"
        );
    }
    assert!(total <= 120 * 1024, "{total}");
}

#[test]
fn a_prompt_is_heard_whole_and_in_time() {
    for (prompt, law) in [
        (Prompt::OutsideLineDown, Law::Pcmu),
        (Prompt::NumberNotInUse, Law::Pcma),
    ] {
        let heard = listen(Player::prompt(prompt, 1, law, START, 500));
        assert_eq!(heard.len(), prompt.ulaw().len().div_ceil(FRAME));
        for (n, (time, repr, _)) in heard.iter().enumerate() {
            assert_eq!(*time, 500 + 20 * n as u64);
            let want = Repr {
                marker: n == 0,
                payload_type: if law == Law::Pcmu { 0 } else { 8 },
                sequence: START.sequence.wrapping_add(n as u16),
                timestamp: START.timestamp.wrapping_add(160 * n as u32),
                ssrc: 7,
            };
            assert_eq!(*repr, want);
        }
        let octets: Vec<u8> = heard.into_iter().flat_map(|(_, _, payload)| payload).collect();
        let (spoken, tail) = octets.split_at(prompt.ulaw().len());
        assert!(tail.iter().all(|&c| c == law.silence()));
        match law {
            Law::Pcmu => assert_eq!(spoken, prompt.ulaw()),
            // Transcoding costs at most half an A-law interval: 1/32 of the value, or 16 in the smallest.
            Law::Pcma => {
                for (&a, &u) in spoken.iter().zip(prompt.ulaw()) {
                    let (got, want) = (i32::from(law.decode(a)), i32::from(Law::Pcmu.decode(u)));
                    assert!((got - want).abs() <= 16.max(want.abs() / 30), "{got} for {want}");
                }
            }
        }
    }
}

#[test]
fn repetitions_are_a_second_apart() {
    let prompt = Prompt::ChannelsBusy;
    let length = prompt.ulaw().len();
    let heard = listen(Player::prompt(prompt, 3, Law::Pcmu, START, 0));
    let octets: Vec<u8> = heard.into_iter().flat_map(|(_, _, payload)| payload).collect();
    assert_eq!(octets.len(), (3 * length + 2 * 8_000).div_ceil(FRAME) * FRAME);
    for n in 0..3 {
        let from = n * (length + 8_000);
        assert_eq!(&octets[from..from + length], prompt.ulaw(), "repetition {n}");
        let pause = &octets[from + length..octets.len().min(from + length + 8_000)];
        assert!(pause.iter().all(|&c| c == 0xFF), "after repetition {n}");
    }
    // None means once, as one does.
    assert_eq!(
        listen(Player::prompt(prompt, 0, Law::Pcmu, START, 0)),
        listen(Player::prompt(prompt, 1, Law::Pcmu, START, 0))
    );
}

#[test]
fn a_tone_lasts_as_asked() {
    // 1,000 Hz would meet only eight values of the codec, with the same error every time; 1,004 Hz is the usual remedy.
    let heard = listen(Player::tone(Tone::Test(1_004), Some(990), Law::Pcma, START, 0));
    assert_eq!(heard.len(), 50);
    let mut filter = Goertzel::new(1_004);
    heard
        .iter()
        .flat_map(|(_, _, payload)| payload)
        .for_each(|&code| filter.push(Law::Pcma.decode(code)));
    assert!((filter.level_dbm0() + 15.0).abs() < 0.1);
    let mut endless = Player::tone(Tone::Ringback, None, Law::Pcma, START, 0);
    for n in 0..100_000 {
        assert_eq!(
            endless.next(n * 20, &mut [0; PACKET_LEN]),
            Ok(Step::Packet(PACKET_LEN))
        );
    }
}

#[test]
fn lateness_is_made_up_if_small_and_a_pause_if_not() {
    // (times asked at, packets each time, timestamp advance of the last packet over the first, markers)
    let table: &[(&[u64], &[usize], u32, usize)] = &[
        (&[0, 20, 40], &[1, 1, 1], 320, 1),
        (&[0, 60], &[1, 3], 480, 1),
        (&[0, 120], &[1, 6], 960, 1),
        (&[0, 1_000], &[1, 1], 8_000, 2),
        (&[0, 1_005, 1_020], &[1, 1, 1], 8_160, 2),
    ];
    for (times, counts, advance, markers) in table {
        let mut player = Player::tone(Tone::Dial, None, Law::Pcmu, START, 0);
        let mut reprs = Vec::new();
        let mut buf = [0; PACKET_LEN];
        for (&now, &count) in times.iter().zip(*counts) {
            let before = reprs.len();
            while let Ok(Step::Packet(len)) = player.next(now, &mut buf) {
                reprs.push(Packet::parse(&buf[..len]).unwrap().repr());
            }
            assert_eq!(reprs.len() - before, count, "at {now} of {times:?}");
        }
        let (first, last) = (reprs[0], reprs[reprs.len() - 1]);
        assert_eq!(
            last.timestamp.wrapping_sub(first.timestamp),
            *advance,
            "{times:?}"
        );
        assert_eq!(
            last.sequence.wrapping_sub(first.sequence) as usize,
            reprs.len() - 1
        );
        assert_eq!(reprs.iter().filter(|r| r.marker).count(), *markers, "{times:?}");
    }
}

#[test]
fn a_small_buffer_loses_nothing() {
    let mut player = Player::prompt(Prompt::ChannelsBusy, 1, Law::Pcmu, START, 0);
    assert_eq!(player.next(0, &mut [0; PACKET_LEN - 1]), Err(Error::Unwritable));
    assert_eq!(player.stream(), START);
    let mut buf = [0; PACKET_LEN];
    assert_eq!(player.next(0, &mut buf), Ok(Step::Packet(PACKET_LEN)));
    assert_eq!(buf[12..], Prompt::ChannelsBusy.ulaw()[..FRAME]);
    assert_eq!(
        player.stream(),
        Start {
            ssrc: 7,
            sequence: 65_535,
            timestamp: 59
        }
    );
}
