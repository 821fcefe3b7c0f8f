//! The software switch between sockets of this process: learning, flooding, faults, capture.

use hil::switch::{Direction, Faults, Port, Switch};
use hil::wait::{never, s, wait_for};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const BROADCAST: u8 = 0xFF;

/// Three computers with MAC addresses 02:00:00:00:00:0n at one switch.
struct Net {
    switch: Switch,
    folder: PathBuf,
    ports: Vec<(Port, UnixDatagram)>,
}

impl Net {
    fn new(name: &str) -> Net {
        let folder = std::env::temp_dir().join(format!("denwaban-switch-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let switch = Switch::start("lan", &folder, 7).unwrap();
        let ports = (0..3)
            .map(|n| switch.socket(&format!("p{n}")).unwrap())
            .collect::<Vec<_>>();
        ports
            .iter()
            .for_each(|(_, socket)| socket.set_nonblocking(true).unwrap());
        Net {
            switch,
            folder,
            ports,
        }
    }

    fn send(&self, from: u8, to: u8, word: &[u8]) {
        self.ports[usize::from(from)]
            .1
            .send(&frame(from, to, word))
            .unwrap();
    }

    fn receive(&self, at: u8) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let length = self.ports[usize::from(at)].1.recv(&mut buffer).ok()?;
        Some(buffer[14..length].to_vec())
    }

    fn expect(&self, at: u8, word: &[u8]) {
        assert_eq!(wait_for("a frame", s(2), || self.receive(at)).unwrap(), word);
    }

    /// Everybody says hello to everybody, so that the switch knows where they are.
    fn introduce(&self) {
        for from in 0..3 {
            self.send(from, BROADCAST, b"hello");
            (0..3)
                .filter(|&at| at != from)
                .for_each(|at| self.expect(at, b"hello"));
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn mac(n: u8) -> [u8; 6] {
    if n == BROADCAST {
        [0xFF; 6]
    } else {
        [2, 0, 0, 0, 0, n]
    }
}

fn frame(from: u8, to: u8, word: &[u8]) -> Vec<u8> {
    [&mac(to)[..], &mac(from)[..], &[0x88, 0xB5], word].concat()
}

#[test]
fn floods_what_it_does_not_know_and_learns() {
    let net = Net::new("learn");
    net.send(0, 1, b"unknown");
    net.expect(1, b"unknown");
    net.expect(2, b"unknown");
    net.send(1, 0, b"answer");
    net.expect(0, b"answer");
    net.send(0, 1, b"known");
    net.expect(1, b"known");
    never("a frame for somebody else", Duration::from_millis(30), || {
        net.receive(2)
    })
    .unwrap();
}

#[test]
fn a_cut_port_neither_sends_nor_receives_until_it_is_mended() {
    let net = Net::new("cut");
    net.introduce();
    net.ports[1].0.cut();
    net.send(0, 1, b"in");
    net.send(1, 0, b"out");
    wait_for("both to be lost", s(2), || {
        (net.ports[1].0.counters().lost == 2).then_some(())
    })
    .unwrap();
    assert_eq!((net.receive(0), net.receive(1)), (None, None));
    net.ports[1].0.mend();
    net.send(0, 1, b"again");
    net.expect(1, b"again");
}

#[test]
fn loss_and_duplication_are_as_frequent_as_asked() {
    let net = Net::new("loss");
    net.introduce();
    let faults = Faults {
        loss: 0.25,
        duplicate: 0.5,
        ..Faults::default()
    };
    net.ports[1].0.set_faults(Direction::Received, faults);
    let (mut arrived, mut copies) = ([false; 250], 0_u32);
    for n in 0..250_u8 {
        net.send(0, 1, &[n]);
        // Marks the place in the order: what is sent to another port afterwards arrives there afterwards.
        net.send(0, 2, &[n]);
        net.expect(2, &[n]);
        while let Some(word) = net.receive(1) {
            arrived[usize::from(word[0])] = true;
            copies += 1;
        }
    }
    let different = arrived.iter().filter(|&&arrived| arrived).count();
    let lost = net.ports[1].0.counters().lost;
    assert_eq!(different as u64 + lost, 250);
    assert!((35..90).contains(&lost), "{lost} of 250 at 0.25");
    assert!(
        f64::from(copies) / different as f64 > 1.3,
        "{copies} copies of {different}"
    );
}

#[test]
fn a_corrupt_frame_differs_in_one_bit_behind_the_ethernet_header() {
    let net = Net::new("corrupt");
    net.introduce();
    net.ports[0].0.set_faults(
        Direction::Sent,
        Faults {
            corrupt: 1.0,
            ..Faults::default()
        },
    );
    net.send(0, 1, &[0; 64]);
    let word = wait_for("a frame", s(2), || net.receive(1)).unwrap();
    assert_eq!(word.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
}

#[test]
fn delayed_and_reordered_frames_come_late_and_all() {
    let net = Net::new("delay");
    net.introduce();
    net.ports[0].0.set_faults(
        Direction::Sent,
        Faults {
            delay: Duration::from_millis(40),
            ..Faults::default()
        },
    );
    let start = Instant::now();
    net.send(0, 1, b"late");
    net.expect(1, b"late");
    assert!(start.elapsed() >= Duration::from_millis(40));

    net.ports[0].0.set_faults(
        Direction::Sent,
        Faults {
            reorder: 0.3,
            ..Faults::default()
        },
    );
    (0..100).for_each(|n| net.send(0, 1, &[n]));
    let mut order = Vec::new();
    wait_for("all of them", s(2), || {
        order.extend(std::iter::from_fn(|| net.receive(1)).map(|word| word[0]));
        (order.len() == 100).then_some(())
    })
    .unwrap();
    assert!(!order.is_sorted());
    order.sort_unstable();
    assert!(order.into_iter().eq(0..100));
}

#[test]
fn the_capture_holds_every_frame_and_names_the_port_and_the_fault() {
    let net = Net::new("capture");
    net.introduce();
    net.ports[0].0.cut();
    net.send(0, 1, b"gone");
    wait_for("it to be lost", s(2), || {
        (net.ports[0].0.counters().lost == 1).then_some(())
    })
    .unwrap();
    net.switch.flush();
    let capture = std::fs::read(net.folder.join("lan.pcapng")).unwrap();
    let (mut at, mut kinds, mut cut) = (0, Vec::new(), 0);
    while at < capture.len() {
        let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
        let length = word(at + 4) as usize;
        assert_eq!(
            word(at + length - 4) as usize,
            length,
            "both lengths of a block agree"
        );
        kinds.push(word(at));
        cut += capture[at..at + length]
            .windows(3)
            .filter(|three| three == b"cut")
            .count();
        at += length;
    }
    assert_eq!(kinds, [0x0A0D_0D0A, 1, 1, 1, 6, 6, 6, 6]);
    assert_eq!(cut, 1);
}
