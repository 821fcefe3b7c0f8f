//! Times on the machine that builds it.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use sip_bench::messages::{INVITE, http};
use sip_bench::read;

/// Rounds, and readings in each: so few that none of them takes long enough for another process to step in often.
const ROUNDS: usize = 4001;
const READINGS: u32 = 25;

/// Reads once.
type Read<'a> = &'a dyn Fn();

/// Median times of one reading, in nanoseconds. All take turns in every round, so that what disturbs one disturbs all.
fn medians<const N: usize>(reads: [Read<'_>; N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (times, read) in times.iter_mut().zip(reads) {
            let start = Instant::now();
            (0..READINGS).for_each(|_| read());
            times.push(start.elapsed());
        }
    }
    times.map(|mut times: Vec<Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2].as_nanos() as f64 / f64::from(READINGS)
    })
}

/// Reads the INVITE and the HTTP request by all, and prints times and ratios.
pub fn print() {
    let http = http();
    let [ours, httparse, rsip, rsipstack, ezk] = medians([
        &read_ours,
        &|| read_httparse(&http),
        &|| look(read::rsip(black_box(INVITE), see)),
        &|| look(read::rsipstack(black_box(INVITE), see)),
        &|| look(read::ezk(black_box(INVITE), see)),
    ]);
    for (name, time) in [
        ("ours", ours),
        ("httparse", httparse),
        ("rsip", rsip),
        ("rsipstack", rsipstack),
        ("ezk", ezk),
    ] {
        println!("figure sip.parse.{name}.ns {time:.0} ns");
    }
    println!("figure sip.parse.ratio_httparse {:.2} ratio", ours / httparse);
    println!("figure sip.parse.speedup_rsip {:.1} times", rsip / ours);
    println!("figure sip.parse.speedup_rsipstack {:.1} times", rsipstack / ours);
    println!("figure sip.parse.speedup_ezk {:.1} times", ezk / ours);
}

/// Reads so often: count only what happens in the function `read_<whose>`.
pub fn repeat(whose: &str, count: u32) -> Result<(), String> {
    let http = http();
    let read: Read<'_> = match whose {
        "ours" => &read_ours,
        "httparse" => &|| read_httparse(&http),
        _ => return Err(format!("{whose}: ours or httparse")),
    };
    (0..count).for_each(|_| read());
    Ok(())
}

/// Lets the compiler believe that a value is used.
fn look<T>(value: T) {
    black_box(value);
}

fn see(values: read::Values<'_>) {
    look(values);
}

#[inline(never)]
fn read_ours() {
    look(read::ours(black_box(INVITE), see));
}

/// With room for as many headers as we have, and nothing spent on making it.
#[inline(never)]
fn read_httparse(request: &[u8]) {
    let mut headers = [MaybeUninit::uninit(); sip::message::MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    look(parsed.parse_with_uninit_headers(black_box(request), &mut headers));
    look(parsed);
}
