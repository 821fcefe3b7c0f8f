//! The circuits: feed, polarity, ringing and measurements of each line; switch hooks; the codec's settings.

use core::convert::Infallible;

use ads1115::{Ads1115, Input as Wire, Range, Rate};
use ag1171::Ag1171;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, Instant, Ticker, Timer};
use embedded_hal::digital::OutputPin;
use gateway::budget::LINES;
use gateway::{Input, LineEvent, MEASURING, Measured, NotMeasured, Sense, Signal};
use idt821034::{Idt821034, Law};
use shared::analog::LineFault;

use crate::brain::{self, Brain};
use crate::{board, log};

/// Half a period of Japan's ringing voltage, 16 Hz.
const HALF_PERIOD: Duration = Duration::from_micros(31_250);
/// A relay has stopped bouncing, and the measuring bus has its voltage.
const SETTLED: Duration = Duration::from_millis(20);
/// How often the converter is asked whether it is ready: while it converts for long, and at its fastest.
const SLOWLY: Duration = Duration::from_millis(5);
const FAST: Duration = Duration::from_micros(1_500);
/// Conversions of a wire: four periods of 50 Hz and more.
const READINGS: i64 = 64;
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
pub type Meter = Mutex<NoopRawMutex, Converter>;

const _: () = assert!(MEASURING.as_micros() as u64 == Rate::Sps8.micros());

static SIGNALS: [Channel<CriticalSectionRawMutex, Signal, 8>; LINES] = [const { Channel::new() }; LINES];

/// An order for a circuit. False: it could not be taken.
pub fn order(line: u8, signal: Signal) -> bool {
    SIGNALS
        .get(usize::from(line))
        .is_some_and(|signals| signals.try_send(signal).is_ok())
}

/// The circuit of a line.
#[embassy_executor::task(pool_size = LINES)]
pub async fn run(line: u8, wiring: Wiring, meter: &'static Meter, brain: &'static Brain) -> ! {
    let Some(signals) = SIGNALS.get(usize::from(line)) else {
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
    let mut period = Ticker::every(HALF_PERIOD);
    loop {
        let swing = async {
            match slic.is_ringing() {
                true => period.next().await,
                false => core::future::pending().await,
            }
        };
        let signal = match select(signals.receive(), swing).await {
            Either::First(signal) => signal,
            Either::Second(()) => {
                sure(slic.swing());
                continue;
            }
        };
        match signal {
            Signal::Ring(on) => {
                sure(slic.ring(on));
                period.reset();
            }
            Signal::Reverse(reversed) => sure(slic.reverse(reversed)),
            Signal::Feed(on) => sure(slic.feed(on)),
            Signal::Measure { reverse } => {
                let measures = measure(&mut slic, &mut test, meter, reverse);
                // Another order ends it: the line is wanted.
                let ended = select(measures, signals.ready_to_receive()).await;
                sure(OutputPin::set_low(&mut test));
                sure(slic.reverse(false));
                if let Either::First(measured) = ended {
                    tell(brain, line, Instant::now(), Sense::Measured(measured)).await;
                }
            }
            // It was measured by then.
            Signal::Release => {}
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
    if since.elapsed() < CHARGED {
        return Err(NotMeasured::Late);
    }
    measured.loop_ua = microamperes(Range::Mv512.nanovolts(current).into());
    Ok(measured)
}

fn silent<E>(_: E) -> NotMeasured {
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

async fn tell(brain: &Brain, line: u8, at: Instant, sense: Sense) {
    let event = LineEvent::Circuit {
        at: brain::moment(at),
        sense,
    };
    brain.turn().await.tell(Input::Line { line, event });
}

/// The switch hooks.
#[embassy_executor::task]
pub async fn hooks(mut hooks: board::Hooks, brain: &'static Brain) -> ! {
    loop {
        let Edge { line, closed, at } = hooks.edge().await;
        tell(brain, line, at, Sense::Loop { closed }).await;
    }
}

/// Brings the codec up, and again whenever it has forgotten its settings.
#[embassy_executor::task]
pub async fn codec(bus: board::Bus, select: board::Select, brain: &'static Brain) -> ! {
    let mut codec = Idt821034::new(bus, select);
    let mut is_well = true;
    let mut started = codec.start(Law::Mu).await;
    loop {
        if started.is_ok() != is_well {
            is_well = started.is_ok();
            log!("codec: {}", if is_well { "up" } else { "does not answer" });
            fault(brain, !is_well).await;
        }
        Timer::after(LOOK).await;
        if codec.check().await.is_err() {
            started = codec.start(Law::Mu).await;
            log!("codec: started again");
        }
    }
}

/// The codec is at fault, or is well again: it is that of all lines.
pub async fn fault(brain: &Brain, is_there: bool) {
    let sense = Sense::Fault {
        fault: LineFault::Codec,
        is_there,
    };
    for line in 0..LINES as u8 {
        tell(brain, line, Instant::now(), sense).await;
    }
}
