//! The switch hooks, SHK of each line on PG0 to PG3: every edge is stamped by the interrupt of its EXTI line, above all executors, and
//! waits in a queue. An edge that was missed, because two came closer than the interrupt could follow or the queue was full, is
//! made good when the levels are read again.

use core::cell::RefCell;

use critical_section::Mutex;
use embassy_stm32::exti::{ExtiInput, TriggerEdge};
use embassy_stm32::gpio::Pull;
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals as of;
use embassy_stm32::{Peri, interrupt, pac};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, with_timeout};
use gateway::budget::LINES;
use heapless::Deque;

use crate::lines::circuit::Edge;

/// How often the levels are read again: twice in the shortest pause of a dial's pulse.
const AGAIN: Duration = Duration::from_millis(20);
/// Edges that wait: bounces of all lines for some milliseconds.
const WAITING: usize = 64;
/// SHK of all lines.
const ALL: u32 = (1 << LINES) - 1;

struct Seen {
    /// The levels that the last edges led to.
    levels: u32,
    edges: Deque<Edge, WAITING>,
}

static SEEN: Mutex<RefCell<Seen>> = Mutex::new(RefCell::new(Seen {
    levels: 0,
    edges: Deque::new(),
}));
/// An edge waits.
static EDGE: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Compares the pins with what is known of them.
fn look() {
    critical_section::with(|cs| {
        let mut seen = SEEN.borrow_ref_mut(cs);
        let levels = pac::GPIOG.idr().read().0 & ALL;
        let at = Instant::now();
        for line in 0..LINES as u8 {
            let closed = levels >> line & 1 != 0;
            let is_known = (seen.levels >> line & 1 != 0) == closed;
            if !is_known && seen.edges.push_back(Edge { line, closed, at }).is_ok() {
                seen.levels ^= 1 << line;
            }
        }
        if !seen.edges.is_empty() {
            EDGE.signal(());
        }
    });
}

/// An edge at this EXTI line.
fn on_edge(line: usize) {
    // Before the look: what comes after it is another edge. Other bits are not cleared by zeros.
    pac::EXTI.pr(0).write(|w| w.set_line(line, true));
    look();
}

#[interrupt]
fn EXTI0() {
    on_edge(0);
}

#[interrupt]
fn EXTI1() {
    on_edge(1);
}

#[interrupt]
fn EXTI2() {
    on_edge(2);
}

#[interrupt]
fn EXTI3() {
    on_edge(3);
}

/// The switch hooks.
pub struct Hooks {
    _pins: [ExtiInput<'static, Blocking>; LINES],
}

/// What they are made of.
pub struct Parts {
    pub pins: (
        Peri<'static, of::PG0>,
        Peri<'static, of::PG1>,
        Peri<'static, of::PG2>,
        Peri<'static, of::PG3>,
    ),
    pub exti: (
        Peri<'static, of::EXTI0>,
        Peri<'static, of::EXTI1>,
        Peri<'static, of::EXTI2>,
        Peri<'static, of::EXTI3>,
    ),
}

impl Parts {
    pub fn start(self) -> Hooks {
        let Parts { pins, exti } = self;
        Hooks {
            _pins: [
                ExtiInput::new_blocking(pins.0, exti.0, Pull::None, TriggerEdge::Any),
                ExtiInput::new_blocking(pins.1, exti.1, Pull::None, TriggerEdge::Any),
                ExtiInput::new_blocking(pins.2, exti.2, Pull::None, TriggerEdge::Any),
                ExtiInput::new_blocking(pins.3, exti.3, Pull::None, TriggerEdge::Any),
            ],
        }
    }
}

impl Hooks {
    /// The next edge.
    pub async fn edge(&mut self) -> Edge {
        loop {
            if let Some(edge) = critical_section::with(|cs| SEEN.borrow_ref_mut(cs).edges.pop_front()) {
                return edge;
            }
            if with_timeout(AGAIN, EDGE.wait()).await.is_err() {
                look();
            }
        }
    }
}
