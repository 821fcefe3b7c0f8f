//! ADS1115, a 16-bit converter with four inputs, as its I2C shows it.
//!
//! | row | value | source (sections of SBAS444E) |
//! |---|---|---|
//! | pointer: 0 conversion, 1 config, 2 Lo_thresh, 3 Hi_thresh | kept between transfers | ADS1115-Q1 p. 18 |
//! | conversion: result, read only, 0 until the first is there | 0000h | the same; Linux: not in `writeable_ranges` |
//! | config at reset | 8583h | register map |
//! | thresholds at reset | 8000h, 7FFFh | tables 8-4, 8-5 |
//! | OS (15): 1 written in power-down starts one conversion, none while one runs; reads 0 then | | §7.4.2.1, register map |
//! | MUX (14:12): 0-1, 0-3, 1-3, 2-3, then each against ground | | register map; Linux `ads1015_channels` |
//! | PGA (11:9): 6.144, 4.096, 2.048, 1.024, 0.512, 0.256 V | | Linux `ads1015_fullscale_range` |
//! | MODE (8): 1 single shot and power-down | | §7.4.2.1; Linux `ADS1015_SINGLESHOT` |
//! | DR (7:5): 8, 16, 32, 64, 128, 250, 475, 860 a second, within 10 % | here exact | Linux `ads1115_data_rate`, `ads1015_get_adc_result` |
//! | a conversion is the mean over its time | the modulator's samples are averaged | §9.4.3 of SBAS444 |
//! | a conversion that runs when the config changes ends with the old one | | the same (it waits for both) |
//! | OS reads 1 in continuous mode | | unverified |
//! | comparator: mode (4), polarity (3), latch (2), queue (1:0) | | §7.3.7; Linux `ADS1015_CFG_COMP_*` |
//! | a latched alert goes when the conversion register is read | SMBus alert response: not here | §7.3.7 |
//! | Hi_thresh negative and Lo_thresh not: ALERT is conversion ready | the pulse of 8 µs in continuous mode is a frame here | §7.3.8 |
//! | general call 00h, 06h: reset | | §7.5.1.2 |
//! | octets beyond the second of a register | read again, written in vain | unverified |
//! | inputs end at ground and supply | 0 V, 3.3 V | §5.1 (what lies beyond: unverified) |

/// Volts per unit of full scale, by PGA.
const FULL_SCALE: [f64; 8] = [6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256];
/// Conversions a second, by DR.
const RATES: [u32; 8] = [8, 16, 32, 64, 128, 250, 475, 860];
/// Which inputs are compared, by MUX; 4 is ground.
const INPUTS: [(usize, usize); 8] = [(0, 1), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4)];
/// Supply, volts.
const SUPPLY: f64 = 3.3;

/// A conversion that runs.
#[derive(Debug, Clone)]
struct Conversion {
    config: u16,
    /// In units of a frame times the rate.
    left: u32,
    sum: f64,
    frames: u32,
}

/// The chip.
#[derive(Debug, Clone)]
pub struct Ads1115 {
    pointer: u8,
    result: i16,
    config: u16,
    low: i16,
    high: i16,
    running: Option<Conversion>,
    /// Readings beyond the thresholds in a row.
    beyond: u32,
    alert: bool,
    /// Conversion ready, for one frame in continuous mode.
    ready: bool,
}

impl Default for Ads1115 {
    fn default() -> Self {
        Ads1115 {
            pointer: 0,
            result: 0,
            config: 0x8583,
            low: i16::MIN,
            high: i16::MAX,
            running: None,
            beyond: 0,
            alert: false,
            ready: false,
        }
    }
}

impl Ads1115 {
    /// Octets after the address with the write bit; false: not acknowledged.
    pub fn write(&mut self, octets: &[u8]) -> bool {
        let [pointer, value @ ..] = octets else {
            return true;
        };
        self.pointer = pointer & 3;
        let [high, low, ..] = value else {
            return true;
        };
        let value = u16::from_be_bytes([*high, *low]);
        match self.pointer {
            1 => {
                self.config = value & 0x7FFF;
                if self.running.is_none() && (value & 0x8000 != 0 || self.continuous()) {
                    self.start();
                }
            }
            2 => self.low = value as i16,
            3 => self.high = value as i16,
            _ => {}
        }
        true
    }

    /// Octets read after the address with the read bit.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let value = match self.pointer {
            0 => {
                if self.latching() {
                    self.alert = false;
                }
                self.result as u16
            }
            1 => self.config | u16::from(self.running.is_none() || self.continuous()) << 15,
            2 => self.low as u16,
            _ => self.high as u16,
        };
        value.to_be_bytes().into_iter().cycle().take(count).collect()
    }

    /// The level of ALERT/RDY.
    pub fn alert(&self) -> bool {
        let active_high = self.config & 8 != 0;
        if self.config & 3 == 3 {
            return true;
        }
        let asserted = if self.conversion_ready() {
            self.ready
        } else {
            self.alert
        };
        asserted == active_high
    }

    /// A frame goes by with these volts at the inputs.
    pub fn frame(&mut self, inputs: [f64; 4]) {
        if self.continuous() {
            self.ready = false;
        }
        let Some(running) = &mut self.running else {
            return;
        };
        let at = |n: usize| inputs.get(n).map_or(0.0, |volts| volts.clamp(0.0, SUPPLY));
        let (positive, negative) = INPUTS[usize::from(running.config >> 12 & 7)];
        running.sum += at(positive) - at(negative);
        running.frames += 1;
        running.left = running
            .left
            .saturating_sub(RATES[usize::from(running.config >> 5 & 7)]);
        if running.left > 0 {
            return;
        }
        let volts = running.sum / f64::from(running.frames);
        let scale = FULL_SCALE[usize::from(running.config >> 9 & 7)];
        // A conversion to an integer saturates.
        self.result = (volts / scale * 32_768.0).round() as i16;
        self.running = None;
        self.ready = true;
        self.compare();
        if self.continuous() {
            self.start();
        }
    }

    fn start(&mut self) {
        self.ready = false;
        self.running = Some(Conversion {
            config: self.config,
            left: 8000,
            sum: 0.0,
            frames: 0,
        });
    }

    fn compare(&mut self) {
        let window = self.config & 0x10 != 0;
        let over = self.result > self.high || window && self.result < self.low;
        self.beyond = if over { self.beyond + 1 } else { 0 };
        let needed = [1, 2, 4]
            .get(usize::from(self.config & 3))
            .copied()
            .unwrap_or(u32::MAX);
        if self.beyond >= needed {
            self.alert = true;
        } else if !self.latching() && (window && !over || self.result < self.low) {
            self.alert = false;
        }
    }

    fn continuous(&self) -> bool {
        self.config & 0x100 == 0
    }

    fn latching(&self) -> bool {
        self.config & 4 != 0
    }

    fn conversion_ready(&self) -> bool {
        self.high < 0 && self.low >= 0
    }
}
