//! The server against a board that is not QEMU: its socket and its memory.

use hil::twin::server::Lines;
use hil::twin::telephone::Telephone;
use hil::wait::{s, wait_for};
use hil_wire::lines::{Octets, PORTS, Report, Request, input};
use hil_wire::link::{FRAME, Link, Received};
use hil_wire::pcm::{Board, Memory, SILENT};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

struct Psram(File);

impl Memory for Psram {
    fn read(&mut self, offset: u32, words: &mut [u32]) {
        let mut bytes = vec![0; 4 * words.len()];
        self.0.read_exact_at(&mut bytes, offset.into()).unwrap();
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }

    fn write(&mut self, offset: u32, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.0.write_all_at(&bytes, offset.into()).unwrap();
    }
}

/// What the firmware's board does, as simply as it can be done.
struct Fake {
    link: Link<Request, Report>,
    stream: UnixStream,
    ring: Board<Psram>,
    begin: Instant,
}

impl Fake {
    fn start(lines: &Lines, psram: &PathBuf, session: u16) -> Fake {
        let stream = UnixStream::connect(lines.socket()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let memory = Psram(File::options().read(true).write(true).open(psram).unwrap());
        Fake {
            link: Link::board(session),
            stream,
            ring: Board::new(memory),
            begin: Instant::now(),
        }
    }

    /// Talks until a report is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
        wait_for(what, s(10), || {
            let now = self.begin.elapsed().as_millis() as u64;
            let mut frame = [0; FRAME];
            while let Some(bytes) = self.link.transmit(now, &mut frame) {
                self.stream.write_all(bytes).unwrap();
            }
            let mut octets = [0; 256];
            let length = self.stream.read(&mut octets).unwrap_or(0);
            let mut found = None;
            for octet in &octets[..length] {
                if let Some(Received::Message(report)) = self.link.receive(*octet)
                    && wanted(&report)
                {
                    found.get_or_insert(report);
                }
            }
            found
        })
        .unwrap()
    }

    /// Lets so many blocks go by.
    fn blocks(&mut self, count: u32) {
        for _ in 0..count {
            self.ring.send(&SILENT);
            wait_for("the answer to a block", s(10), || self.ring.receive()).unwrap();
        }
    }
}

fn lines(name: &str) -> (Lines, PathBuf) {
    let folder = hil::run::target().join("hil-peer").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let psram = folder.join("nor.bin");
    File::create(&psram)
        .unwrap()
        .set_len(hil_wire::PSRAM_SIZE.into())
        .unwrap();
    (Lines::start(&psram, &folder.join("lines.sock")).unwrap(), psram)
}

#[test]
fn registers_pins_and_audio_over_the_side_channel() {
    let (lines, psram) = lines("server");
    let set = Telephone::new(2);
    lines.card().plug(1, &set);
    let mut board = Fake::start(&lines, &psram, 1);
    board.link.send(Request::Outputs(0x0F0F)).unwrap();
    // The levels as they are come first.
    let first = board.until("the levels", |_| true);
    assert_eq!(
        first,
        Report::Inputs {
            levels: input::ALERT,
            frame: 0
        }
    );
    let request = Request::I2c {
        id: 9,
        address: 0x48,
        write: Octets::from_slice(&[1]).unwrap(),
        read: 2,
    };
    board.link.send(request).unwrap();
    let Report::I2c {
        id: 9,
        result: Ok(octets),
    } = board.until("I2C", |report| matches!(report, Report::I2c { .. }))
    else {
        panic!("no answer")
    };
    assert_eq!(octets, [0x85, 0x83]);
    board.blocks(20);
    set.lift();
    let begin = board.ring.blocks() * 40;
    board.blocks(20);
    let off =
        |report: &Report| matches!(report, Report::Inputs { levels, .. } if levels & input::SHK << 1 != 0);
    let Report::Inputs { frame, .. } = board.until("SHK", off) else {
        panic!()
    };
    assert!((begin..begin + 100).contains(&frame), "{frame} {begin}");
    // The board starts again: it hears how things are now.
    let mut board = Fake::start(&lines, &psram, 2);
    board.link.send(Request::Outputs(0x0F0F)).unwrap();
    board.until("SHK", off);
    board.blocks(10);
    assert_eq!(PORTS, 4);
}

#[test]
fn a_clock_that_stops_and_goes_on() {
    let (lines, psram) = lines("clock");
    let mut board = Fake::start(&lines, &psram, 1);
    board.blocks(3);
    lines.card().faults.clock_stops = true;
    for _ in 0..20 {
        board.ring.send(&SILENT);
    }
    assert_eq!(board.ring.receive(), None);
    lines.card().faults.clock_stops = false;
    wait_for("the twin to catch up", s(10), || board.ring.receive()).unwrap();
    board.blocks(3);
}
