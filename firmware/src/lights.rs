//! The indicator lights: they show what the brain takes the line for.

use embedded_hal::digital::{OutputPin, PinState};
use gateway::link::Lights;

use crate::board::Pin;

/// Three lights, in the order of [`Lights`].
pub struct Panel {
    pins: [Pin; 3],
    shown: Option<Lights>,
}

impl Panel {
    /// Lights that were not touched yet.
    pub const fn new(pins: [Pin; 3]) -> Self {
        Self { pins, shown: None }
    }

    /// Sets them, if there is something to set.
    pub fn show(&mut self, lights: Lights) {
        if self.shown.replace(lights) == Some(lights) {
            return;
        }
        let Lights {
            up,
            survival,
            no_emergency,
        } = lights;
        for (pin, on) in self.pins.iter_mut().zip([up, survival, no_emergency]) {
            // Pins do not fail.
            let _ = pin.set_state(PinState::from(on));
        }
    }
}
