//! Driver of the IDT821034 codec: see the README.
#![no_std]
#![forbid(unsafe_code)]

mod words;

use embedded_hal::digital::OutputPin;
use embedded_hal_async::spi::SpiBus;

pub use words::{CHANNELS, Direction, Law};

/// Why the codec cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<B, P> {
    /// The bus fails.
    Bus(B),
    /// The pin for CS fails.
    Pin(P),
    /// What was written is not read back: no chip is there, or it has forgotten it, or octets are changed on the way.
    Absent,
}

/// What is left at the output pins of two channels: what is misheard of one is not misheard of the other, while a chip that forgets
/// forgets both. To ask for them is to write them, so that each can be asked once.
const MARK: u8 = 0b101;
const MARKED: [u8; 2] = [0, 1];

/// The codec: mode 0 of SPI, CCLK at most 8.192 MHz.
pub struct Idt821034<B, P> {
    bus: B,
    select: P,
}

impl<B: SpiBus, P: OutputPin> Idt821034<B, P> {
    /// The codec on this bus, with this pin at its CS (low selects).
    pub const fn new(bus: B, select: P) -> Self {
        Idt821034 { bus, select }
    }

    /// Looks whether the chip is there, and brings all channels up: channel `n` in time slot `n` of both directions, with 0 dB.
    pub async fn start(&mut self, law: Law) -> Result<(), Error<B::Error, P::Error>> {
        // Its output pins are not connected: what is written there stands for the whole chip.
        for channel in MARKED {
            for mark in [!MARK, MARK] {
                self.write(words::pins(channel, mark)).await?;
                self.expect(channel, mark).await?;
            }
        }
        for channel in 0..CHANNELS {
            self.write(words::power_down(channel, law)).await?;
            // The receive path comes first: nothing is heard of what the transmit path does when it comes up.
            for direction in [Direction::Receive, Direction::Transmit] {
                for word in words::unity_gain(channel, direction) {
                    self.write(word).await?;
                }
                self.write(words::power_up(channel, direction, law, channel))
                    .await?;
            }
        }
        Ok(())
    }

    /// Is it still as it was started? A chip whose supply was too low for a moment has forgotten everything. An octet that is misheard
    /// does no harm.
    pub async fn check(&mut self) -> Result<(), Error<B::Error, P::Error>> {
        let mut checked = Ok(());
        for channel in MARKED {
            checked = self.expect(channel, MARK).await;
            if checked.is_ok() {
                break;
            }
        }
        checked
    }

    async fn expect(&mut self, channel: u8, mark: u8) -> Result<(), Error<B::Error, P::Error>> {
        let [what, data] = words::pins(channel, mark);
        self.transfer(what).await?;
        match words::read_back(self.transfer(data).await?) == mark & 0b111 {
            true => Ok(()),
            false => Err(Error::Absent),
        }
    }

    async fn write(&mut self, word: [u8; 2]) -> Result<(), Error<B::Error, P::Error>> {
        for octet in word {
            self.transfer(octet).await?;
        }
        Ok(())
    }

    /// An octet each way, and the eight clocks without CS in which the chip does what it was told.
    async fn transfer(&mut self, octet: u8) -> Result<u8, Error<B::Error, P::Error>> {
        let mut read = [0];
        self.select.set_low().map_err(Error::Pin)?;
        let selected = async {
            self.bus.transfer(&mut read, &[octet]).await?;
            self.bus.flush().await
        };
        let done = selected.await;
        self.select.set_high().map_err(Error::Pin)?;
        done.map_err(Error::Bus)?;
        self.bus.write(&[octet]).await.map_err(Error::Bus)?;
        self.bus.flush().await.map_err(Error::Bus)?;
        let [read] = read;
        Ok(read)
    }
}
