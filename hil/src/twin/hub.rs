//! The ports with power: the controller and what is plugged into them. Its time is that of the world, not of the box: it goes on
//! feeding while the box is off or starts again.

use super::powered::PoweredDevice;
use super::tps23861::{PORTS, Tps23861};
use std::time::Duration;

/// The ports.
#[derive(Debug)]
pub struct Hub {
    /// The controller; its AUTO bit is cleared, so that it feeds by order only.
    pub controller: Tps23861,
    devices: [Option<PoweredDevice>; PORTS],
    /// What a story has them draw instead of their curves, watts.
    watts: [Option<f64>; PORTS],
}

impl Default for Hub {
    fn default() -> Self {
        Hub {
            controller: Tps23861::new(false),
            devices: [None; PORTS],
            watts: [None; PORTS],
        }
    }
}

impl Hub {
    /// Plugs a device into a port, from 0; one that is there gives way without a gap.
    pub fn plug(&mut self, port: usize, device: PoweredDevice) {
        self.devices[port] = Some(device);
        self.watts[port] = None;
    }

    /// Pulls the cable out.
    pub fn unplug(&mut self, port: usize) {
        (self.devices[port], self.watts[port]) = (None, None);
    }

    /// From now on the device draws this, watts.
    pub fn draw(&mut self, port: usize, watts: f64) {
        self.watts[port] = Some(watts);
    }

    /// For how long the port has fed its device without a break; `None`: it does not.
    pub fn fed(&self, port: usize) -> Option<Duration> {
        self.controller
            .fed(port)
            .map(|ms| Duration::from_millis(ms.into()))
    }

    /// Time goes by.
    pub fn elapse(&mut self, time: Duration) {
        let devices = self.devices.each_ref().map(Option::as_ref);
        for _ in 0..time.as_millis() {
            self.controller.millisecond(devices, self.watts);
        }
    }
}
