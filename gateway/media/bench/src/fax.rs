//! FAX over G.711: two of spandsp's terminals, each on a line of ours, and a network that loses packets between them.

use crate::page;
use crate::peer::Peer;
use crate::signal::Dice;
use anyhow::{Context, Result, ensure};
use media::BLOCK;
use media::chain::{CODEC, Chain, Command, PACKET_LEN, Stream};
use media::player::{FRAME, Start};
use std::ffi::OsStr;
use std::path::Path;

/// A call that takes longer is given up: 5 min.
const LONGEST: usize = 5 * 60 * 50;
/// What the called terminal is given to end after the caller has: 15 s.
const AFTER: usize = 15 * 50;

/// What is between the terminals.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    /// Lines of ours, with RFC 2198 or without.
    Lines { redundancy: bool },
    /// Packets, and spandsp's concealment.
    Spandsp,
}

/// What a terminal says.
enum Said {
    Samples(Box<[i16; FRAME]>),
    /// Its call has ended: completion code, and the sum of its page.
    End(i32, u32),
}

fn ask(peer: &mut Peer, heard: &[i16]) -> Result<Said> {
    let answer = peer.ask(heard)?;
    let mut words = answer.split_whitespace();
    if answer.starts_with("end") {
        let (code, sum) = (words.nth(1).context("code")?, words.next().context("sum")?);
        return Ok(Said::End(code.parse()?, sum.parse()?));
    }
    let mut samples = Box::new([0; FRAME]);
    for sample in &mut *samples {
        *sample = words.next().context("too few samples")?.parse()?;
    }
    Ok(Said::Samples(samples))
}

/// One end of the call.
struct End {
    terminal: Peer,
    chain: Chain,
    /// What it heard of the last 20 ms, or nothing: lost.
    heard: Vec<i16>,
    ended: Option<(i32, u32)>,
}

impl End {
    fn new(calls: bool, file: &Path, between: Between) -> Result<End> {
        let what = OsStr::new(if calls { "call" } else { "answer" });
        let mut chain = Chain::new();
        chain.command(Command::Connect(Stream {
            law: CODEC,
            telephone_event: None,
            redundancy: (between == Between::Lines { redundancy: true }).then_some(121),
            sending: true,
            fax: false,
            start: Start {
                ssrc: 1 + u32::from(calls),
                sequence: 0xFFF0,
                timestamp: 0xFFFF_F000,
            },
        }));
        Ok(End {
            terminal: Peer::start_with("fax", &[what, file.as_os_str()])?,
            chain,
            heard: vec![0; FRAME],
            ended: None,
        })
    }

    /// What the terminal says in the next 20 ms; silence after its end.
    fn say(&mut self) -> Result<[i16; FRAME]> {
        if self.ended.is_some() {
            return Ok([0; FRAME]);
        }
        match ask(&mut self.terminal, &self.heard)? {
            Said::Samples(samples) => Ok(*samples),
            Said::End(code, sum) => {
                self.ended = Some((code, sum));
                Ok([0; FRAME])
            }
        }
    }
}

/// Sends a page. True: it is perfect at the other end, and the caller knows.
fn send(page: &Path, received: &Path, between: Between, loss: f64, seed: u64) -> Result<(bool, f64)> {
    let _ = std::fs::remove_file(received);
    let mut dice = Dice::new(seed);
    let mut ends = [
        End::new(true, page, between)?,
        End::new(false, received, between)?,
    ];
    let (mut time, mut after) = (0, 0);
    while time < LONGEST && after < AFTER && ends.iter().any(|end| end.ended.is_none()) {
        time += 1;
        after += usize::from(ends[0].ended.is_some());
        let [a, b] = &mut ends;
        let said = [a.say()?, b.say()?];
        if between == Between::Spandsp {
            for (end, said) in ends.iter_mut().zip(said.iter().rev()) {
                end.heard.clear();
                if dice.between(0.0, 1.0) >= loss {
                    end.heard
                        .extend(said.map(|sample| CODEC.decode(CODEC.encode(sample))));
                }
            }
            continue;
        }
        ends.iter_mut().for_each(|end| end.heard.clear());
        for at in (0..FRAME).step_by(BLOCK) {
            let mut packets = Vec::new();
            for (end, said) in ends.iter_mut().zip(&said) {
                let (mut from, mut to, mut packet) = ([0; BLOCK], [0; BLOCK], [0; PACKET_LEN]);
                from.iter_mut()
                    .zip(&said[at..])
                    .for_each(|(code, sample)| *code = CODEC.encode(*sample));
                let length = end.chain.block(Some(&from), &mut to, &mut packet);
                packets.push(length.map(|length| packet[..length].to_vec()));
                end.heard.extend(to.map(|code| CODEC.decode(code)));
            }
            for (end, packet) in ends.iter_mut().zip(packets.into_iter().rev()) {
                if let Some(packet) = packet.filter(|_| dice.between(0.0, 1.0) >= loss) {
                    end.chain.receive(&packet);
                }
            }
        }
    }
    let [caller, called] = ends.map(|end| end.ended);
    let perfect = matches!((caller, called), (Some((0, sent)), Some((_, got))) if sent == got);
    Ok((perfect, time as f64 / 50.0))
}

/// Prints the figures.
pub fn print() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("denwaban-fax-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (page, received) = (folder.join("page.tif"), folder.join("received.tif"));
    page::draw(&page)?;
    let all = print_all(&page, &received);
    std::fs::remove_dir_all(&folder)?;
    all
}

fn print_all(page: &Path, received: &Path) -> Result<()> {
    let plain = Between::Lines { redundancy: false };
    let (perfect, air) = send(page, received, plain, 0.0, 0)?;
    ensure!(perfect, "a page is not perfect without any loss");
    println!(
        "fax: a page of {air:.1} s by V.17 with error correction, 20 ms packets, lost at random both ways"
    );
    let rows = [
        ("fax.g711.pages_ok.loss0_1", plain, 0.001, 100),
        ("fax.g711.pages_ok.loss0_5", plain, 0.005, 100),
        ("fax.g711.pages_ok.loss1", plain, 0.01, 100),
        (
            "fax.g711.redundant.pages_ok.loss1",
            Between::Lines { redundancy: true },
            0.01,
            100,
        ),
        ("fax.g711.spandsp.pages_ok.loss0_1", Between::Spandsp, 0.001, 100),
        ("fax.g711.spandsp.pages_ok.loss0_5", Between::Spandsp, 0.005, 100),
        ("fax.g711.spandsp.pages_ok.loss1", Between::Spandsp, 0.01, 100),
    ];
    for (name, between, loss, pages) in rows {
        let mut count = 0;
        for seed in 0..pages {
            count += u32::from(send(page, received, between, loss, seed)?.0);
        }
        println!("figure {name} {} %", 100.0 * f64::from(count) / pages as f64);
    }
    Ok(())
}
