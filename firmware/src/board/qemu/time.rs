//! The clock of embassy-time on two CMSDK APB timers (ARM DDI 0479, §4.4): timer 0 runs freely, timer 1 is the alarm.

use super::mmio::Block;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

const TIMER0: Block = Block::at(0x4000_0000);
const TIMER1: Block = Block::at(0x4000_1000);
const CTRL: usize = 0x00;
const VALUE: usize = 0x04;
const RELOAD: usize = 0x08;
const INTCLEAR: usize = 0x0C;
const ENABLE: u32 = 1 << 0;
const INTERRUPT: u32 = 1 << 3;

/// The timers count at the peripheral clock, 25 MHz.
const CYCLES_PER_TICK: u64 = 25_000_000 / TICK_HZ;
/// The free timer wraps after 171 s; somebody must look at it at least this often, ticks.
const LOOK: u64 = 60 * TICK_HZ;

/// What [`work_time`] counts in: 40 instructions under `-icount shift=0`.
pub const WORK_UNIT: &str = "x 40 ns";

/// A clock to measure work with; it wraps.
pub fn work_time() -> u32 {
    !TIMER0.read(VALUE)
}

struct Clock {
    /// Cycles of the free timer when it was last looked at, extended to 64 bits.
    cycles: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    cycles: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts the free timer and looks at it for the first time.
pub fn init() {
    TIMER0.write(RELOAD, u32::MAX);
    TIMER0.write(VALUE, u32::MAX);
    TIMER0.write(CTRL, ENABLE);
    critical_section::with(|cs| CLOCK.arm(cs, &mut CLOCK.queue.borrow_ref_mut(cs)));
}

/// The alarm rang.
pub fn on_alarm() {
    TIMER1.write(CTRL, 0);
    TIMER1.write(INTCLEAR, 1);
    critical_section::with(|cs| CLOCK.arm(cs, &mut CLOCK.queue.borrow_ref_mut(cs)));
}

impl Clock {
    fn ticks(&self, cs: CriticalSection<'_>) -> u64 {
        let cycles = self.cycles.borrow(cs);
        let last = cycles.get();
        // The timer counts down; the low half of `cycles` counts up. A smaller low half than last time is a wrap.
        let low = !TIMER0.read(VALUE);
        let mut now = (last & !0xFFFF_FFFF) | u64::from(low);
        if now < last {
            now += 1 << 32;
        }
        cycles.set(now);
        now / CYCLES_PER_TICK
    }

    /// Wakes what is due and sets the alarm to the next expiry.
    fn arm(&self, cs: CriticalSection<'_>, queue: &mut Queue) {
        loop {
            let now = self.ticks(cs);
            let next = queue.next_expiration(now).min(now + LOOK);
            if next > now {
                let cycles = u32::try_from((next - now) * CYCLES_PER_TICK).unwrap_or(u32::MAX);
                TIMER1.write(CTRL, 0);
                TIMER1.write(RELOAD, cycles);
                TIMER1.write(VALUE, cycles);
                TIMER1.write(CTRL, ENABLE | INTERRUPT);
                return;
            }
        }
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.ticks(cs))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let mut queue = self.queue.borrow_ref_mut(cs);
            if queue.schedule_wake(at, waker) {
                self.arm(cs, &mut queue);
            }
        });
    }
}
