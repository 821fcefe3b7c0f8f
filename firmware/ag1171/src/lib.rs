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
    ringing: Ringing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ringing {
    /// It does not ring.
    Silent,
    /// It rings, with this polarity at the moment.
    Rings { reversed: bool },
    /// It rings no more: F/R is high for a half period, and RM goes low after that. F/R has to be high 10 ms before.
    Ends,
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
            ringing: Ringing::Silent,
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
            Ringing::Silent => self.polarity(reversed),
            _ => Ok(()),
        }
    }

    /// Rings, or does not: every half period of the ringing voltage is then begun by [`Ag1171::swing`], and the end of the
    /// last one too.
    pub fn ring(&mut self, on: bool) -> Result<(), P::Error> {
        match (on, self.ringing) {
            (true, _) => {
                let reversed = self.reversed;
                self.ringing = Ringing::Rings { reversed };
                self.ring_mode.set_high()?;
                self.polarity(reversed)
            }
            (false, Ringing::Silent) => Ok(()),
            (false, _) => {
                self.ringing = Ringing::Ends;
                self.polarity(false)
            }
        }
    }

    /// Does it ring, or is ringing about to end?
    pub fn is_ringing(&self) -> bool {
        self.ringing != Ringing::Silent
    }

    /// The next half period of the ringing voltage.
    pub fn swing(&mut self) -> Result<(), P::Error> {
        match self.ringing {
            Ringing::Silent => Ok(()),
            Ringing::Rings { reversed } => {
                let reversed = !reversed;
                self.ringing = Ringing::Rings { reversed };
                self.polarity(reversed)
            }
            Ringing::Ends => {
                self.ringing = Ringing::Silent;
                self.ring_mode.set_low()?;
                self.polarity(self.reversed)
            }
        }
    }

    fn polarity(&mut self, reversed: bool) -> Result<(), P::Error> {
        self.forward.set_state((!reversed).into())
    }
}
