//! Driver of the Ag1171 line circuit: see the README.
#![no_std]
#![forbid(unsafe_code)]

use embedded_hal::digital::OutputPin;

/// The line circuit, on pins that have one kind of error.
pub struct Ag1171<P> {
    /// F/R: high, and ring is negative against tip (forward); low, and it is positive (data sheet §5.9).
    forward: P,
    /// RM: high while it rings, and only then (data sheet §5.3).
    ring_mode: P,
    /// PD: low powers the circuit down.
    power: P,
    reversed: bool,
    /// It rings, with this polarity at the moment.
    ringing: Option<bool>,
}

impl<P: OutputPin> Ag1171<P> {
    /// The circuit at these pins: F/R, RM and PD. It feeds the line, and does not ring.
    pub fn new(mut forward: P, mut ring_mode: P, mut power: P) -> Result<Self, P::Error> {
        ring_mode.set_low()?;
        forward.set_high()?;
        power.set_high()?;
        Ok(Ag1171 {
            forward,
            ring_mode,
            power,
            reversed: false,
            ringing: None,
        })
    }

    /// Feeds the line, or takes its voltage away.
    pub fn feed(&mut self, on: bool) -> Result<(), P::Error> {
        self.power.set_state(on.into())
    }

    /// The line's polarity; while it rings, that after ringing.
    pub fn reverse(&mut self, reversed: bool) -> Result<(), P::Error> {
        self.reversed = reversed;
        match self.ringing {
            Some(_) => Ok(()),
            None => self.forward.set_state((!reversed).into()),
        }
    }

    /// Rings, or does not: every half period of the ringing voltage is then begun by [`Ag1171::swing`].
    pub fn ring(&mut self, on: bool) -> Result<(), P::Error> {
        self.ringing = on.then_some(self.reversed);
        self.ring_mode.set_state(on.into())?;
        self.forward.set_state((!self.reversed).into())
    }

    /// Does it ring?
    pub const fn is_ringing(&self) -> bool {
        self.ringing.is_some()
    }

    /// The next half period of the ringing voltage.
    pub fn swing(&mut self) -> Result<(), P::Error> {
        match &mut self.ringing {
            Some(reversed) => {
                *reversed = !*reversed;
                self.forward.set_state((!*reversed).into())
            }
            None => Ok(()),
        }
    }
}
