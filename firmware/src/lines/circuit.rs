//! The circuits: feed, polarity, ringing and measurements of each line; switch hooks; the codec's settings. They run in the executor
//! `audio`, where a busy brain bends neither the ringing's period nor the time of an edge.

use core::cell::Cell;
use core::convert::Infallible;
use core::fmt::Debug;

use ads1115::{Ads1115, Input as Wire, Range, Rate};
use ag1171::Ag1171;
use critical_section::Mutex as Shared;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal as Word;
use embassy_time::{Duration, Instant, Ticker, Timer};
use embedded_hal::digital::OutputPin;
use gateway::budget::LINES;
use gateway::{MEASURING, Measured, NotMeasured, Sense, Signal};
use idt821034::{Idt821034, Law};

use super::report::{self, Heard, Trouble};
use crate::{board, log};

/// Half a period of Japan's ringing voltage, 16 Hz.
const HALF_PERIOD: Duration = Duration::from_micros(31_250);
/// A relay has stopped bouncing, and the measuring bus has its voltage.
const SETTLED: Duration = Duration::from_millis(20);
/// How often the converter is asked whether it is ready: while it converts for long, and at its fastest.
const SLOWLY: Duration = Duration::from_millis(5);
const FAST: Duration = Duration::from_micros(1_500);
/// Conversions of a wire: three periods of 50 Hz.
const READINGS: i64 = 32;
/// The charge of bells has flown by then: seven time constants of 1 µF behind 7 kΩ.
const CHARGED: Duration = Duration::from_millis(50);
/// The divider of a wire: 10 MΩ over 100 kΩ.
const DIVIDER: i64 = 101;
/// Where the loop current is measured, ohms.
const SHUNT: i64 = 10;
/// How often the codec is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The wiring of one line.
pub struct Wiring {
    /// F/R of its SLIC.
    pub forward: board::Pin,
    /// RM.
    pub ring_mode: board::Pin,
    /// PD.
    pub power: board::Pin,
    /// The relay that puts it on the measuring bus.
    pub test: board::Pin,
}

/// An edge at a switch hook.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Of which line.
    pub line: u8,
    /// The loop is closed now.
    pub closed: bool,
    /// When.
    pub at: Instant,
}

/// The converter on the measuring bus.
type Converter = Ads1115<board::I2c>;

/// The same, for one line at a time.
pub type Meter = Mutex<CriticalSectionRawMutex, Converter>;

const _: () = assert!(MEASURING.as_micros() as u64 == Rate::Sps8.micros());

/// What a circuit is to be.
#[derive(Clone, Copy)]
struct Wanted {
    ring: bool,
    reversed: bool,
    feed: bool,
    /// To be measured, once; with a reversal or without.
    measure: Option<bool>,
}

/// What each circuit is to be, and a word that it is something else now. Nothing can be lost: the last order counts.
static WANTED: [Shared<Cell<Wanted>>; LINES] = [const { Shared::new(Cell::new(Wanted::AT_START)) }; LINES];
static CHANGED: [Word<CriticalSectionRawMutex, ()>; LINES] = [const { Word::new() }; LINES];

impl Wanted {
    const AT_START: Self = Wanted {
        ring: false,
        reversed: false,
        feed: true,
        measure: None,
    };

    /// With one order more, which ends what is measured.
    fn and(self, signal: Signal) -> Self {
        let mut wanted = Wanted {
            measure: None,
            ..self
        };
        match signal {
            Signal::Ring(on) => wanted.ring = on,
            Signal::Reverse(reversed) => wanted.reversed = reversed,
            Signal::Feed(on) => wanted.feed = on,
            Signal::Measure { reverse } => wanted.measure = Some(reverse),
            Signal::Release => {}
        }
        wanted
    }
}

/// Gives an order.
pub fn order(line: u8, signal: Signal) {
    let line = usize::from(line);
    if let (Some(wanted), Some(changed)) = (WANTED.get(line), CHANGED.get(line)) {
        critical_section::with(|cs| {
            let wanted = wanted.borrow(cs);
            wanted.set(wanted.get().and(signal));
        });
        changed.signal(());
    }
}

/// The circuit of a line.
#[embassy_executor::task(pool_size = LINES)]
pub async fn run(line: u8, wiring: Wiring, meter: &'static Meter) -> ! {
    let at = usize::from(line);
    let (Some(wanted), Some(changed)) = (WANTED.get(at), CHANGED.get(at)) else {
        panic!("line {line}")
    };
    let Wiring {
        forward,
        ring_mode,
        power,
        mut test,
    } = wiring;
    sure(OutputPin::set_low(&mut test));
    let mut slic = sure(Ag1171::new(forward, ring_mode, power));
    let mut is = Wanted::AT_START;
    let mut period = Ticker::every(HALF_PERIOD);
    loop {
        let swing = async {
            match slic.is_ringing() {
                true => period.next().await,
                false => core::future::pending().await,
            }
        };
        if let Either::Second(()) = select(changed.wait(), swing).await {
            sure(slic.swing());
            continue;
        }
        let to_be = critical_section::with(|cs| {
            let wanted = wanted.borrow(cs);
            wanted.replace(Wanted {
                measure: None,
                ..wanted.get()
            })
        });
        // Ringing ends before anything else changes, and begins last.
        if is.ring && !to_be.ring {
            sure(slic.ring(false));
            period.reset();
        }
        if is.feed != to_be.feed {
            sure(slic.feed(to_be.feed));
        }
        if is.reversed != to_be.reversed {
            sure(slic.reverse(to_be.reversed));
        }
        if !is.ring && to_be.ring {
            sure(slic.ring(true));
            period.reset();
        }
        is = to_be;
        if let Some(reverse) = to_be.measure {
            let measures = measure(&mut slic, &mut test, meter, reverse);
            // Another order ends it: the line is wanted.
            let ended = select(measures, changed.wait()).await;
            sure(OutputPin::set_low(&mut test));
            if reverse {
                sure(slic.reverse(to_be.reversed));
            }
            match ended {
                Either::First(measured) => {
                    report::tell(Heard::Circuit(line, Instant::now(), Sense::Measured(measured))).await;
                }
                Either::Second(()) => changed.signal(()),
            }
        }
    }
}

/// Pins do not fail.
fn sure<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
    }
}

/// Measures a line.
async fn measure(
    slic: &mut Ag1171<board::Pin>,
    test: &mut board::Pin,
    meter: &Meter,
    reverse: bool,
) -> Result<Measured, NotMeasured> {
    let mut meter = meter.lock().await;
    sure(OutputPin::set_high(test));
    // One that was given up may still be under way.
    result(&mut meter, SLOWLY).await?;
    Timer::after(SETTLED).await;
    let mut measured = Measured::default();
    if !reverse {
        let (tip_nv, tip_ac) = wire(&mut meter, Wire::A0).await?;
        let (ring_nv, ring_ac) = wire(&mut meter, Wire::A1).await?;
        measured = Measured {
            tip_mv: millivolts(tip_nv),
            ring_mv: millivolts(ring_nv),
            ac_mv: millivolts(tip_ac.max(ring_ac)).unsigned_abs(),
            ..measured
        };
    }
    let begun = meter.start(Wire::A2, Range::Mv512, Rate::Sps8).await;
    begun.map_err(silent)?;
    let since = Instant::now();
    if reverse {
        sure(slic.reverse(true));
    }
    let current = result(&mut meter, SLOWLY).await?;
    if reverse && since.elapsed() < CHARGED {
        return Err(NotMeasured::Late);
    }
    measured.loop_ua = microamperes(Range::Mv512.nanovolts(current).into());
    Ok(measured)
}

fn silent<E: Debug>(error: E) -> NotMeasured {
    log!("converter: {error:?}");
    NotMeasured::Silent
}

/// The conversion, when it is there.
async fn result(meter: &mut Converter, ask: Duration) -> Result<i16, NotMeasured> {
    loop {
        if let Some(result) = meter.result().await.map_err(silent)? {
            return Ok(result);
        }
        Timer::after(ask).await;
    }
}

/// Mean, and root mean square of what alternates, nanovolts at the converter.
async fn wire(meter: &mut Converter, wire: Wire) -> Result<(i64, i64), NotMeasured> {
    let (mut sum, mut squares) = (0_i64, 0_i64);
    for _ in 0..READINGS {
        let begun = meter.start(wire, Range::Mv2048, Rate::Sps860).await;
        begun.map_err(silent)?;
        let reading = i64::from(result(meter, FAST).await?);
        sum += reading;
        squares += reading * reading;
    }
    let step = i64::from(Range::Mv2048.nanovolts(1));
    let variance = (READINGS * squares - sum * sum) / (READINGS * READINGS);
    Ok((sum * step / READINGS, variance.max(0).isqrt() * step))
}

/// On a wire, from nanovolts at the converter.
fn millivolts(nv: i64) -> i32 {
    i32::try_from(nv * DIVIDER / 1_000_000).unwrap_or(i32::MAX)
}

/// In the loop, from nanovolts at the converter.
fn microamperes(nv: i64) -> i32 {
    i32::try_from(nv / SHUNT / 1_000).unwrap_or(i32::MAX)
}

/// The switch hooks.
#[embassy_executor::task]
pub async fn hooks(mut hooks: board::Hooks) -> ! {
    loop {
        let Edge { line, closed, at } = hooks.edge().await;
        report::tell(Heard::Circuit(line, at, Sense::Loop { closed })).await;
    }
}

/// Brings the codec up, and again whenever it has forgotten its settings.
#[embassy_executor::task]
pub async fn codec(bus: board::Bus, select: board::Select) -> ! {
    let mut codec = Idt821034::new(bus, select);
    let mut is_well = true;
    let mut started = codec.start(Law::Mu).await;
    loop {
        if started.is_ok() != is_well {
            is_well = started.is_ok();
            log!("codec: {}", if is_well { "up" } else { "does not answer" });
            report::tell(Heard::Codec(Trouble::Settings, !is_well)).await;
        }
        Timer::after(LOOK).await;
        if started.is_err() || codec.check().await.is_err() {
            started = codec.start(Law::Mu).await;
            if started.is_ok() {
                log!("codec: started again");
            }
        }
    }
}
