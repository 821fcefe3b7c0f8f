//! The brain at a controller that reads and is told as a table of (time, in, out) says.

use std::time::Duration;

use gateway::budget::POWER_SUPPLY;
use gateway::power::{Class, Cut, Feed, Found, InCall, PortOrder, PortReading, Power, Reading, Told};
use shared::hub::{PortPower, PowerFault};
use sip::Instant;

pub const NONE: PortReading = PortReading {
    searches: true,
    feed: Feed::Off,
    found: Found::Nothing,
    cut: None,
    milliwatts: 0,
};

pub const OTHER: PortReading = PortReading {
    found: Found::Other,
    ..NONE
};

pub const DISABLED: PortReading = PortReading {
    searches: false,
    found: Found::Unknown,
    ..NONE
};

pub fn device(class: u8) -> PortReading {
    PortReading {
        found: Found::Device(Class::new(class)),
        ..NONE
    }
}

pub fn fed(class: u8, milliwatts: u32) -> PortReading {
    PortReading {
        feed: Feed::On,
        milliwatts,
        ..device(class)
    }
}

pub fn cut(class: u8, why: Cut) -> PortReading {
    PortReading {
        cut: Some(why),
        ..device(class)
    }
}

pub fn on(port: u8, class: u8) -> (u8, PortOrder) {
    (port, PortOrder::On(Class::new(class)))
}

pub fn off(port: u8) -> (u8, PortOrder) {
    (port, PortOrder::Off)
}

pub struct Bench {
    pub power: Power,
    pub supply_mv: u32,
    pub celsius: i16,
    pub in_call: InCall,
}

/// When, how the ports are then, what is ordered.
pub type Row<'a> = (u64, [PortReading; 4], &'a [(u8, PortOrder)]);

impl Bench {
    pub fn new() -> Bench {
        Bench {
            power: Power::new(POWER_SUPPLY),
            supply_mv: 54_000,
            celsius: 40,
            in_call: [false; 4],
        }
    }

    /// A box whose ports were like this when it started.
    pub fn with(ports: [PortReading; 4]) -> Bench {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, ports), [], "what feeds goes on");
        bench
    }

    pub fn at(&mut self, ms: u64, ports: [PortReading; 4]) -> Vec<(u8, PortOrder)> {
        let reading = Reading {
            ports,
            supply_mv: self.supply_mv,
            celsius: self.celsius,
            was_too_hot: false,
        };
        self.power.read(Instant(ms), Some(&reading), self.in_call);
        self.orders()
    }

    pub fn orders(&mut self) -> Vec<(u8, PortOrder)> {
        std::iter::from_fn(|| self.power.poll()).collect()
    }

    /// Rows of time, ports, orders.
    pub fn table(&mut self, rows: &[Row<'_>]) {
        for (ms, ports, orders) in rows {
            assert_eq!(self.at(*ms, *ports), *orders, "at {ms} ms");
        }
    }

    pub fn faults(&mut self) -> Vec<(u8, PowerFault, bool)> {
        let told = std::iter::from_fn(|| self.power.poll_told());
        told.map(|told| match told {
            Told::Fault { port, fault, raised } => (port, fault, raised),
            Told::Cycled { .. } => panic!("{told:?}"),
        })
        .collect()
    }

    pub fn shown(&self, ms: u64) -> [PortPower; 4] {
        [0, 1, 2, 3].map(|port| self.power.shown(Instant(ms), port).unwrap().power)
    }
}

pub const fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
