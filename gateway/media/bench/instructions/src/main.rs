//! Instructions on an emulated Cortex-M7: QEMU's `mps2-an500` with `-icount shift=0`, where an instruction takes 1 ns and SysTick
//! counts at 25 MHz, so that 40 of them are a tick.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod detectors;

use core::fmt::{Arguments, Display};
use core::hint::black_box;
use core::panic::PanicInfo;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use media::BLOCK;
use media::chain::{CODEC, Chain, Command, PACKET_LEN, Stream};
use media::echo::Canceller;
use media::g711::{ulaw_decode, ulaw_encode};
use media::player::Start;

/// Instructions of a tick of SysTick.
const TICK: u32 = 40;
/// SysTick counts down from this: 24 bits, 671 million instructions.
const RELOAD: u32 = 0x00FF_FFFF;
/// Blocks of two seconds.
const BLOCKS: usize = 400;

/// Instructions of a piece of work, to 40.
fn count(work: impl FnOnce()) -> u32 {
    let before = SYST::get_current();
    work();
    (before.wrapping_sub(SYST::get_current()) & RELOAD) * TICK
}

fn figure(name: Arguments<'_>, value: impl Display, unit: &str) {
    hprintln!("figure {} {} {}", name, value, unit);
}

/// Noise and its echo by a hybrid of three reflections, coded in µ-law.
struct Line {
    random: u32,
    past: [i16; 64],
}

impl Line {
    fn block(&mut self) -> ([i16; BLOCK], [i16; BLOCK]) {
        let (mut far, mut near) = ([0; BLOCK], [0; BLOCK]);
        for (far, near) in far.iter_mut().zip(&mut near) {
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *far = ulaw_decode(ulaw_encode((self.random >> 16) as i16 / 4));
            self.past.copy_within(1.., 0);
            self.past[63] = *far;
            *near = ulaw_decode(ulaw_encode(
                self.past[50] / 3 - self.past[40] / 4 + self.past[10] / 10,
            ));
        }
        (far, near)
    }
}

/// Mean over the second second and worst block, of a sample.
fn echo<const TAPS: usize>(canceller: &mut Canceller<TAPS>) -> (u32, u32) {
    let mut line = Line {
        random: 1,
        past: [0; 64],
    };
    let (mut sum, mut worst) = (0, 0);
    for block in 0..BLOCKS {
        let (far, mut near) = line.block();
        let taken = count(|| canceller.process(black_box(&far), black_box(&mut near)));
        worst = worst.max(taken);
        if block >= BLOCKS / 2 {
            sum += taken;
        }
    }
    (sum / (BLOCKS / 2 * BLOCK) as u32, worst / BLOCK as u32)
}

fn print_echo<const TAPS: usize>(name: &str) {
    let mut canceller = Canceller::<TAPS>::new();
    let (mean, worst) = echo(&mut canceller);
    figure(
        format_args!("media.echo.{name}.instructions_per_sample"),
        mean,
        "instructions",
    );
    figure(
        format_args!("media.echo.{name}.worst_block.instructions_per_sample"),
        worst,
        "instructions",
    );
    figure(
        format_args!("media.echo.{name}.bytes"),
        size_of::<Canceller<TAPS>>(),
        "bytes",
    );
}

/// What a call is about.
#[derive(Clone, Copy, PartialEq)]
enum Talk {
    /// Both ends speak all the time.
    Speech,
    /// A FAX, with redundancy.
    Modem,
}

/// A line in a call with another, every tenth packet lost; what it takes for 5 ms of it, a packet that comes included: the mean of
/// the second second, and the worst.
fn chain(chains: &mut [Chain; 2], talk: Talk) -> (u32, u32) {
    let mut line = Line {
        random: 1,
        past: [0; 64],
    };
    for (ssrc, chain) in chains.iter_mut().enumerate() {
        chain.command(Command::Stop);
        chain.command(Command::Connect(Stream {
            law: CODEC,
            telephone_event: Some(101),
            redundancy: Some(121),
            sending: true,
            fax: talk == Talk::Modem,
            start: Start {
                ssrc: ssrc as u32 + 1 + 2 * talk as u32,
                sequence: 0,
                timestamp: 0,
            },
        }));
    }
    let [ours, theirs] = chains;
    let (mut to_line, mut packet, mut theirs_packet) = ([0; BLOCK], [0; PACKET_LEN], [0; PACKET_LEN]);
    let (mut sum, mut worst, mut packets) = (0, 0, 0);
    let mut came = None;
    for block in 0..BLOCKS {
        let (sound, echo) = line.block();
        let mut from = [0; BLOCK];
        for ((from, sound), back) in from.iter_mut().zip(sound).zip(to_line) {
            // Their telephone speaks every other half second; the hybrid sends back 10 dB less.
            let sound = if block % 200 < 100 || talk == Talk::Modem {
                sound
            } else {
                0
            };
            *from = CODEC.encode(sound / 2 + CODEC.decode(back) / 3);
        }
        let arrived = came.take();
        let taken = count(|| {
            if let Some(length) = arrived {
                ours.receive(black_box(theirs_packet.get(..length).unwrap_or_default()));
            }
            let length = ours.block(
                Some(black_box(&from)),
                black_box(&mut to_line),
                black_box(&mut packet),
            );
            black_box(length);
        });
        worst = worst.max(taken);
        if block >= BLOCKS / 2 {
            sum += taken;
        }
        came = theirs.block(
            Some(&echo.map(|s| CODEC.encode(s))),
            &mut [0; BLOCK],
            &mut theirs_packet,
        );
        packets += u32::from(came.is_some());
        came = came.filter(|_| packets % 10 != 0);
    }
    (sum / (BLOCKS / 2) as u32, worst)
}

#[entry]
fn main() -> ! {
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(RELOAD);
        core.SYST.clear_current();
        core.SYST.enable_counter();
    }
    hprintln!(
        "instructions: QEMU's mps2-an500 (Cortex-M7), 2 s each; canceller: white noise both ways in mu-law, the mean of the second \
         second; line: a voice at both ends or a FAX with redundancy, a tenth of the packets lost, the packet that comes included"
    );
    print_echo::<128>("16ms");
    print_echo::<256>("32ms");
    detectors::print();
    let mut chains = [Chain::new(), Chain::new()];
    let (mean, speech) = chain(&mut chains, Talk::Speech);
    figure(
        format_args!("media.chain.speech.block.instructions"),
        mean,
        "instructions",
    );
    let (mean, modem) = chain(&mut chains, Talk::Modem);
    figure(
        format_args!("media.chain.modem.block.instructions"),
        mean,
        "instructions",
    );
    figure(
        format_args!("media.chain.worst_block.instructions"),
        speech.max(modem),
        "instructions",
    );
    figure(format_args!("media.chain.bytes"), size_of::<Chain>(), "bytes");
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::nop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::nop();
    }
}
