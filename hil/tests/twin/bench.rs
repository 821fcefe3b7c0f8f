//! A card on the test bench: its codec set up as Linux does it, its pins driven, its frames counted.

use hil::tone;
use hil::twin::Card;
use hil_wire::lines::{CODEC, Octets, PORTS, Report, Request, input, output};
use hil_wire::pcm::{FRAMES, SILENCE};

/// F/R and PD of all ports high: every line is fed.
pub const FED: u32 = 0x0F * (output::FORWARD | output::POWER);

/// A card and its clock.
pub struct Bench {
    /// It.
    pub card: Card,
    /// Blocks gone by.
    pub blocks: u32,
    /// Levels of the output pins.
    pub outputs: u32,
    /// All edges so far: levels and frame.
    pub edges: Vec<(u32, u32)>,
    /// Octets that came up in each slot.
    pub up: [Vec<u8>; PORTS],
}

impl Bench {
    /// Powered up for 100 ms, codec at 0 dB in µ-law, channel `n` in slot `n`.
    pub fn new() -> Bench {
        let mut bench = Bench {
            card: Card::new(),
            blocks: 0,
            outputs: FED,
            edges: Vec::new(),
            up: Default::default(),
        };
        for channel in 0..PORTS as u8 {
            bench.slot(channel, channel);
            bench.gain(channel, false, 2506);
            bench.gain(channel, true, 1820);
        }
        bench.outputs(FED);
        bench.silence(100);
        bench.forget();
        bench
    }

    /// One octet to the codec as Linux sends it: with its clocks after CS.
    pub fn spi(&mut self, octet: u8) -> u8 {
        let write = Octets::from_slice(&[octet]).unwrap();
        let mut transfer = |chip| {
            let write = write.clone();
            match self.card.request(Request::Spi { id: 0, chip, write }) {
                Some(Report::Spi { read, .. }) => read[0],
                other => panic!("{other:?}"),
            }
        };
        let read = transfer(Some(CODEC));
        transfer(None);
        read
    }

    /// Both directions of a channel in a time slot, µ-law.
    pub fn slot(&mut self, channel: u8, slot: u8) {
        for direction in [1, 2] {
            self.spi(0x80 | channel << 2 | direction);
            self.spi(slot);
        }
    }

    /// A gain coefficient.
    pub fn gain(&mut self, channel: u8, transmit: bool, coefficient: u16) {
        let control = 0xC0 | channel << 2 | u8::from(transmit) << 1;
        for (half, octet) in [(0, coefficient & 0x7F), (1, coefficient >> 7)] {
            self.spi(control | half);
            self.spi(octet as u8);
        }
    }

    /// Levels of the output pins.
    pub fn outputs(&mut self, levels: u32) {
        self.outputs = levels;
        assert_eq!(self.card.request(Request::Outputs(levels)), None);
    }

    /// One frame's octets for each block and frame go down; milliseconds go by (a multiple of 5).
    pub fn run(&mut self, milliseconds: u32, mut down: impl FnMut(u32) -> [u8; PORTS]) {
        for _ in 0..milliseconds / 5 {
            let first = self.blocks * FRAMES as u32;
            let block = std::array::from_fn(|frame| u32::from_le_bytes(down(first + frame as u32)));
            let up = self.card.block(&block, first);
            for frame in up {
                for (slot, octet) in frame.to_le_bytes().into_iter().enumerate() {
                    self.up[slot].push(octet);
                }
            }
            self.edges.extend(self.card.edges());
            self.blocks += 1;
        }
    }

    /// The same with silence.
    pub fn silence(&mut self, milliseconds: u32) {
        self.run(milliseconds, |_| [SILENCE; PORTS]);
    }

    /// Rings port 0 with 16 Hz: F/R changes every 31 or 32 ms, here at every sixth block and every seventh.
    pub fn ring(&mut self, milliseconds: u32) {
        self.outputs(self.outputs | output::RING_MODE);
        for half in 0..milliseconds * 32 / 1000 {
            self.outputs(self.outputs ^ output::FORWARD);
            self.silence(if half % 4 == 3 { 35 } else { 30 });
        }
        self.outputs(self.outputs | output::FORWARD);
        self.silence(15);
        self.outputs(self.outputs & !output::RING_MODE);
    }

    /// What came up in a slot since it was forgotten, linear.
    pub fn heard(&self, slot: usize) -> Vec<i16> {
        self.up[slot]
            .iter()
            .map(|&octet| tone::from_ulaw(octet))
            .collect()
    }

    /// Forgets edges and sound.
    pub fn forget(&mut self) {
        self.edges.clear();
        self.up = Default::default();
    }

    /// Changes of SHK of a port: level and frame.
    pub fn shk(&self, port: usize) -> Vec<(bool, u32)> {
        let mut last = None;
        let levels = self
            .edges
            .iter()
            .map(|&(levels, frame)| (levels & input::SHK << port != 0, frame));
        levels
            .filter(|&(level, _)| last.replace(level) != Some(level))
            .collect()
    }

    /// Is SHK of a port high now?
    pub fn off_hook(&self, port: usize) -> bool {
        self.card.inputs() & input::SHK << port != 0
    }

    /// A transfer with the converter.
    pub fn adc(&mut self, write: &[u8], read: u8) -> Vec<u8> {
        let request = Request::I2c {
            id: 0,
            address: 0x48,
            write: Octets::from_slice(write).unwrap(),
            read,
        };
        match self.card.request(request) {
            Some(Report::I2c {
                result: Ok(octets), ..
            }) => octets.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    /// One conversion: `mux`, full scale by `pga`, 128 a second; volts.
    pub fn convert(&mut self, mux: u16, pga: u16) -> f64 {
        let full = [6.144, 4.096, 2.048, 1.024, 0.512, 0.256][usize::from(pga)];
        let config = 0x8183 | mux << 12 | pga << 9;
        let [high, low] = config.to_be_bytes();
        self.adc(&[1, high, low], 0);
        self.silence(10);
        let octets = self.adc(&[0], 2);
        f64::from(i16::from_be_bytes([octets[0], octets[1]])) / 32_768.0 * full
    }
}

/// Octets of a sine of `hertz` in port 0's slot at `dbm0`, silence in the others.
pub fn sine(hertz: f64, dbm0: f64) -> impl FnMut(u32) -> [u8; PORTS] {
    move |frame| {
        let angle = 2.0 * std::f64::consts::PI * hertz * f64::from(frame) / 8000.0;
        let sample = 32_636.0 * 10f64.powf((dbm0 - 3.17) / 20.0) * angle.sin();
        let mut octets = [SILENCE; PORTS];
        octets[0] = tone::to_ulaw(sample as i16);
        octets
    }
}

/// Level of a tone in linear samples, dBm0.
pub fn dbm0(samples: &[i16], hertz: f64) -> f64 {
    tone::level(samples, hertz) + 3.17
}
