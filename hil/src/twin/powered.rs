//! What is plugged into a port with power, as its current shows it: a powered device (IEEE 802.3 §33.3), or something that is none.
//!
//! The power classes of Grandstream's GXP1628 and Panasonic's KX-HDV230 could not be found in a document of the makers: their
//! draw here is a desk phone's as one expects it, no measurement.

/// What it draws from when it has its voltage on: milliseconds, watts; the last one stays.
pub type Curve = &'static [(u32, f64)];

/// A desk phone: its processor starts, its screen lights up, its network comes up, then it idles. Assumed.
const PHONE: Curve = &[(0, 0.8), (200, 2.6), (4_000, 3.2), (15_000, 2.1)];

/// A device at the end of a cable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoweredDevice {
    /// Resistance that detection meets (2.7 to 10.1 V), ohms: 25 kΩ is a powered device's (IEEE 802.3 table 33-14).
    pub ohms: f64,
    /// Capacity that detection meets, nF: 50 to 120 is a powered device's.
    pub nanofarads: f64,
    /// Current at the class voltage (14.5 to 20.5 V), mA, in the first event and in the second (table 33-16).
    pub class_ma: [f64; 2],
    /// Capacitor that is charged when it is switched on, µF; a powered device has 5 to 180.
    pub bulk_uf: f64,
    /// What it draws, watts.
    pub curve: Curve,
    /// Resistance across the wires in operation, ohms: infinite, but for a short.
    pub shunt: f64,
}

impl PoweredDevice {
    /// A phone of a class, 0 to 4, that boots and idles.
    pub const fn phone(class: u8) -> PoweredDevice {
        PoweredDevice::of_class(class, PHONE)
    }

    /// A device of a class with what it draws.
    pub const fn of_class(class: u8, curve: Curve) -> PoweredDevice {
        let milliamperes = match class {
            1 => 10.5,
            2 => 18.5,
            3 => 28.0,
            4 => 40.0,
            _ => 2.0,
        };
        PoweredDevice {
            ohms: 25_000.0,
            nanofarads: 100.0,
            class_ma: [milliamperes; 2],
            bulk_uf: 100.0,
            curve,
            shunt: f64::INFINITY,
        }
    }

    /// A computer without power over Ethernet: 75 Ω in each pair, behind the transformers ("Bob Smith"; assumed).
    pub const COMPUTER: PoweredDevice = PoweredDevice {
        ohms: 150.0,
        nanofarads: 1.0,
        class_ma: [f64::INFINITY; 2],
        bulk_uf: 0.0,
        curve: &[],
        shunt: 150.0,
    };

    /// A cable whose wires touch.
    pub const SHORT: PoweredDevice = PoweredDevice {
        ohms: 1.0,
        shunt: 1.0,
        ..PoweredDevice::COMPUTER
    };

    /// Watts so long after it has got its voltage.
    pub fn watts(&self, ms: u32) -> f64 {
        let now = self.curve.iter().take_while(|(from, _)| *from <= ms).last();
        now.map_or(0.0, |(_, watts)| *watts)
    }
}
