//! Sets: hooks that bounce, keys, dials, displays, FAX machines.

use crate::bench::{Bench, FED, dbm0, sine};
use hil::tone;
use hil::twin::pair::Impedance;
use hil::twin::peer::{self, Display, Fax};
use hil::twin::script::{Dialling, key};
use hil::twin::telephone::Telephone;
use hil_wire::lines::output;
use hil_wire::pcm::SILENCE;
use media::fax::{Detector, Event};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is true by now: the sets' time stands still between blocks.
const NOW: Duration = Duration::ZERO;

fn plugged(bench: &mut Bench, port: usize) -> Telephone {
    let set = Telephone::new(11 + port as u64);
    bench.card.plug(port, &set);
    set
}

/// Lows of SHK that are no bounce: begin and length in milliseconds.
fn breaks(bench: &Bench, least: f64) -> Vec<(f64, f64)> {
    let edges = bench.shk(0);
    let lows = edges
        .windows(2)
        .filter(|pair| !pair[0].0)
        .map(|pair| (f64::from(pair[0].1) / 8.0, f64::from(pair[1].1 - pair[0].1) / 8.0));
    lows.filter(|&(_, length)| length >= least).collect()
}

#[test]
fn a_hook_bounces_and_settles() {
    let mut bounced = 0;
    for seed in 0..20 {
        let mut bench = Bench::new();
        let set = Telephone::new(seed);
        bench.card.plug(0, &set);
        let begin = bench.blocks * 40;
        set.lift();
        bench.silence(200);
        set.hang_up();
        bench.silence(200);
        let edges = bench.shk(0);
        let (first, last) = (edges[0], edges[edges.len() - 1]);
        assert!(first.0 && first.1 - begin < 100, "{edges:?}");
        assert!(!last.0, "{edges:?}");
        // Quiet from 20 ms after each move on.
        let loud = |(_, at): &&(bool, u32)| {
            !(begin..begin + 160).contains(at) && !(begin + 1600..begin + 1760).contains(at)
        };
        assert_eq!(edges.iter().find(loud), None, "{edges:?}");
        bounced += usize::from(edges.len() > 2);
    }
    assert!(bounced > 0, "no hook has bounced");
}

#[test]
fn dial_pulses_at_both_speeds() {
    for (rate, number, lengths) in [(10, "3109", 55.0..75.0), (20, "25", 25.0..42.0)] {
        let mut bench = Bench::new();
        let set = plugged(&mut bench, 0);
        set.lift();
        bench.silence(300);
        bench.forget();
        set.dial(number, Dialling::Pulse(rate));
        bench.silence(8000);
        assert!(set.idle());
        let breaks = breaks(&bench, 10.0);
        let mut digits = vec![1];
        for pair in breaks.windows(2) {
            if pair[1].0 - pair[0].0 > 300.0 {
                digits.push(1);
            } else if let Some(count) = digits.last_mut() {
                *count += 1;
                let period = pair[1].0 - pair[0].0;
                assert!((period - 1000.0 / f64::from(rate)).abs() < 3.0, "{period} ms");
            }
        }
        let dialled: String = digits.iter().map(|count| (count % 10).to_string()).collect();
        assert_eq!(dialled, number);
        assert!(
            breaks.iter().all(|(_, length)| lengths.contains(length)),
            "{breaks:?}"
        );
    }
}

#[test]
fn a_flash_is_one_break() {
    let mut bench = Bench::new();
    let set = plugged(&mut bench, 0);
    set.lift();
    bench.silence(300);
    bench.forget();
    set.flash(500);
    bench.silence(1000);
    let [(_, length)] = breaks(&bench, 20.0)[..] else {
        panic!("{:?}", bench.shk(0))
    };
    assert!((480.0..520.0).contains(&length), "{length} ms");
    assert!(bench.off_hook(0));
}

#[test]
fn keys_sound_as_their_frequencies() {
    let all = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
    let mut bench = Bench::new();
    bench.card.ports[0].pair.condition.noise = -90.0;
    let set = plugged(&mut bench, 0);
    set.lift();
    bench.silence(300);
    for symbol in "0123456789*#ABCD".chars() {
        let (low, high) = key(symbol).unwrap();
        bench.forget();
        set.dial(&symbol.to_string(), Dialling::Tone);
        bench.silence(200);
        let heard = bench.heard(0);
        let pressed = &heard[160..560];
        for hertz in all {
            let level = dbm0(pressed, hertz);
            match hertz {
                hertz if hertz == low => assert!((level + 9.0).abs() < 1.5, "{symbol} {hertz}: {level}"),
                hertz if hertz == high => assert!((level + 7.0).abs() < 1.5, "{symbol} {hertz}: {level}"),
                _ => assert!(level < -25.0, "{symbol} {hertz}: {level}"),
            }
        }
        let quiet = &heard[800..1200];
        assert!(
            all.iter().all(|&hertz| dbm0(quiet, hertz) < -50.0),
            "{symbol}: 80 ms, not more"
        );
    }
}

#[test]
fn a_set_hears_and_speaks() {
    let mut bench = Bench::new();
    let set = plugged(&mut bench, 0);
    set.speak(Some(1633.0));
    bench.run(500, sine(697.0, -10.0));
    assert_eq!(set.recording().len(), 0, "on hook it is deaf");
    set.lift();
    bench.forget();
    bench.run(800, sine(697.0, -10.0));
    let level = set.hears(697.0, &[941.0, 1209.0], NOW).unwrap();
    assert!(level > -16.0, "{level} dBFS");
    assert!(set.hears(941.0, &[697.0], NOW).is_err());
    assert!(dbm0(&bench.heard(0)[2000..], 1633.0) > -12.0);
    // A recording, once.
    set.speak(None);
    set.play(tone::sine(1209.0, 0.5));
    bench.forget();
    bench.silence(1000);
    let heard = bench.heard(0);
    assert!(dbm0(&heard[..4000], 1209.0) > -9.0 && dbm0(&heard[4400..], 1209.0) < -50.0);
}

/// What a display shows when the line announces a number in the Japanese way; the frames while the loop was closed.
fn announced(content: &str) -> (Option<String>, u32) {
    let mut bench = Bench::new();
    let set = Telephone::with_display(5, Display::new().unwrap());
    bench.card.plug(0, &set);
    bench.silence(200);
    bench.outputs(bench.outputs & !output::FORWARD);
    bench.silence(300);
    assert_eq!(set.polarities(), [true, false]);
    assert!(!bench.off_hook(0));
    bench.ring(500);
    bench.silence(500);
    assert!(
        bench.off_hook(0),
        "the loop is closed without a hand: the number is awaited"
    );
    bench.forget();
    let sound = peer::announcement(content).unwrap();
    let mut sound = sound.into_iter();
    bench.run(2000, |_| {
        let mut octets = [SILENCE; 4];
        octets[0] = tone::to_ulaw(sound.next().unwrap_or(0));
        octets
    });
    let shown = set.shows(1, NOW).ok();
    if shown.is_none() {
        bench.silence(6000);
    }
    let opened = bench
        .shk(0)
        .last()
        .map_or(0, |&(level, at)| if level { 0 } else { at });
    assert!(!bench.off_hook(0), "it has opened the loop");
    // Then it is an ordinary set that rings.
    bench.ring(1000);
    bench.silence(100);
    assert_eq!(set.rung().len(), 1);
    (shown, opened)
}

#[test]
fn a_display_answers_decodes_and_opens_the_loop() {
    let (shown, opened) = announced("02=0312340001");
    assert_eq!(shown.as_deref(), Some("02=0312340001"));
    assert!(opened > 0);
    let (shown, _) = announced("04=P");
    assert_eq!(shown.as_deref(), Some("04=P"));
}

#[test]
fn a_display_that_hears_nothing_gives_up() {
    let (shown, opened) = announced("");
    assert_eq!(shown, None);
    assert!(opened > 0);
}

/// A page that no two rows of are alike.
fn page() -> Vec<[u8; 216]> {
    let row = |n: usize| {
        let mut row = [0; 216];
        for (at, octet) in row.iter_mut().enumerate() {
            *octet = if (at + n).is_multiple_of(37) { 0xF0 } else { 0 };
        }
        row[8] = n as u8;
        row[9] = (n >> 8) as u8;
        row
    };
    (0..150).map(row).collect()
}

fn folder(name: &str) -> PathBuf {
    let folder = hil::run::target().join("hil-peer").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_page_survives_the_tiff() {
    let path = folder("tiff").join("page.tif");
    peer::write_page(&path, &page()).unwrap();
    assert!(peer::read_page(&path).unwrap() == page());
}

/// FAX machines at lines 0 and 1 exchange a page; what the first one has said, linear.
fn converse(sends: Fax, receives: Fax) -> Vec<i16> {
    let mut bench = Bench::new();
    let (calls, answers) = (plugged(&mut bench, 0), plugged(&mut bench, 1));
    for port in &mut bench.card.ports {
        port.pair.condition.impedance = Impedance::MATCHED;
    }
    calls.fax(sends, None);
    answers.fax(receives, Some(0));
    calls.lift();
    answers.lift();
    bench.outputs(FED);
    // Slot 0 is heard in slot 1 and the other way round, a block later.
    let mut said = Vec::new();
    let mut seconds = 0;
    while calls.fax_ends(NOW).is_err() && seconds < 90 {
        for _ in 0..200 {
            let up = bench
                .up
                .clone()
                .map(|slot| slot.last_chunk::<40>().copied().unwrap_or([SILENCE; 40]));
            bench.forget();
            bench.run(5, |frame| {
                let n = (frame % 40) as usize;
                [up[1][n], up[0][n], SILENCE, SILENCE]
            });
            said.extend(bench.heard(0));
        }
        seconds += 1;
    }
    println!("{seconds} s");
    calls.fax_ends(NOW).unwrap();
    bench.silence(2000);
    answers.fax_ends(NOW).unwrap();
    assert!(!bench.off_hook(0) && !bench.off_hook(1), "they have hung up");
    said
}

#[test]
fn a_fax_page_from_line_to_line_and_its_recording_played() {
    let folder = folder("fax");
    let (sent, received) = (folder.join("sent.tif"), folder.join("received.tif"));
    let _ = std::fs::remove_file(&received);
    peer::write_page(&sent, &page()).unwrap();
    let said = converse(Fax::send(&sent).unwrap(), Fax::receive(&received).unwrap());
    assert!(
        peer::read_page(&received).unwrap() == page(),
        "the page has changed"
    );
    let recording = folder.join("sent.ul");
    let octets: Vec<u8> = said.iter().map(|&sample| tone::to_ulaw(sample)).collect();
    std::fs::write(&recording, octets).unwrap();
    is_detected_when_played(&recording);
}

/// A set that plays a FAX machine's recording (raw µ-law) is one to the box's detector.
fn is_detected_when_played(recording: &Path) {
    let octets = std::fs::read(recording).unwrap();
    let mut bench = Bench::new();
    let set = plugged(&mut bench, 0);
    bench.card.ports[0].pair.condition.impedance = Impedance::MATCHED;
    set.lift();
    bench.silence(1000);
    assert_eq!(detected(&bench.heard(0)), [], "it has not played yet");
    bench.forget();
    set.play(octets.iter().map(|&octet| tone::from_ulaw(octet)).collect());
    bench.silence(octets.len() as u32 / 8);
    let heard = detected(&bench.heard(0));
    assert_eq!(heard.first(), Some(&Event::Calling), "{heard:?}");
    assert!(heard.contains(&Event::Preamble), "{heard:?}");
}

fn detected(sound: &[i16]) -> Vec<Event> {
    let mut detector = Detector::new();
    let milliseconds = sound.as_chunks().0.iter();
    milliseconds
        .filter_map(|millisecond| detector.push(millisecond))
        .collect()
}

#[test]
fn efax_sends_a_page() {
    let folder = folder("efax-sends");
    let (sent, received) = (folder.join("sent.pbm"), folder.join("received.tif"));
    let _ = std::fs::remove_file(&received);
    // More than the modem's buffer takes: CTS goes off.
    let page = [page(), page(), page()].concat();
    peer::write_bitmap(&sent, &page).unwrap();
    converse(Fax::efax_sends(&sent).unwrap(), Fax::receive(&received).unwrap());
    let rows = peer::read_page(&received).unwrap();
    let (header, rows) = rows.split_at(20);
    assert!(header.as_flattened().iter().all(|&octet| octet == 0));
    assert!(rows == page, "the page has changed");
}

#[test]
fn efax_receives_a_page() {
    let folder = folder("efax-receives");
    let (sent, received) = (folder.join("sent.tif"), folder.join("received"));
    let file = received.with_added_extension("001");
    let _ = std::fs::remove_file(&file);
    peer::write_page(&sent, &page()).unwrap();
    converse(Fax::send(&sent).unwrap(), Fax::efax_receives(&received).unwrap());
    assert!(peer::read_page(&file).unwrap() == page(), "the page has changed");
}
