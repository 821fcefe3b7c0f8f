//! The box's drivers at the twins. They were written apart from the same data sheets: here they meet.

use crate::bench::{Bench, dbm0, sine};
use ads1115::{Ads1115, Input, Range, Rate};
use ag1171::Ag1171;
use embassy_futures::block_on;
use embedded_hal::digital::{ErrorType as PinErrorType, OutputPin};
use embedded_hal::i2c::{self, ErrorKind, ErrorType as I2cErrorType, NoAcknowledgeSource, Operation};
use embedded_hal::spi::ErrorType as SpiErrorType;
use embedded_hal_async::i2c::I2c;
use embedded_hal_async::spi::SpiBus;
use hil::twin::idt821034::Path;
use hil::twin::pair::Condition;
use hil::twin::telephone::Telephone;
use hil_wire::lines::{ADC, CODEC, I2cFault, Octets, Report, Request, output};
use idt821034::{Error, Idt821034, Law};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

#[derive(Clone)]
struct Shared(Rc<RefCell<Bench>>);

impl Shared {
    /// A bench whose codec nobody has set up.
    fn new() -> Shared {
        let mut bench = Bench::new();
        bench.card.codec = Default::default();
        Shared(Rc::new(RefCell::new(bench)))
    }
}

/// The SPI bus, with the level of CS.
struct Spi(Shared, Rc<RefCell<bool>>);

impl SpiErrorType for Spi {
    type Error = Infallible;
}

impl SpiBus for Spi {
    async fn read(&mut self, words: &mut [u8]) -> Result<(), Infallible> {
        self.transfer_in_place(words).await
    }

    async fn write(&mut self, words: &[u8]) -> Result<(), Infallible> {
        self.transfer_in_place(&mut words.to_vec()).await
    }

    async fn transfer(&mut self, read: &mut [u8], write: &[u8]) -> Result<(), Infallible> {
        read.copy_from_slice(write);
        self.transfer_in_place(read).await
    }

    async fn transfer_in_place(&mut self, words: &mut [u8]) -> Result<(), Infallible> {
        let chip = (!*self.1.borrow()).then_some(CODEC);
        let write = Octets::from_slice(words).unwrap();
        let request = Request::Spi { id: 0, chip, write };
        let Some(Report::Spi { read, .. }) = self.0.0.borrow_mut().card.request(request) else {
            panic!("no answer")
        };
        words.copy_from_slice(&read);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Select(Rc<RefCell<bool>>);

impl PinErrorType for Select {
    type Error = Infallible;
}

impl OutputPin for Select {
    fn set_low(&mut self) -> Result<(), Infallible> {
        *self.0.borrow_mut() = false;
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        *self.0.borrow_mut() = true;
        Ok(())
    }
}

/// A pin of the card.
struct Pin(Shared, u32);

impl PinErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        let mut bench = self.0.0.borrow_mut();
        let levels = bench.outputs & !self.1;
        bench.outputs(levels);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let mut bench = self.0.0.borrow_mut();
        let levels = bench.outputs | self.1;
        bench.outputs(levels);
        Ok(())
    }
}

/// The I2C bus.
struct Bus(Shared);

#[derive(Debug, PartialEq, Eq)]
struct Failed(I2cFault);

impl i2c::Error for Failed {
    fn kind(&self) -> ErrorKind {
        match self.0 {
            I2cFault::NoAddress => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
            I2cFault::NoData => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data),
            I2cFault::Stuck => ErrorKind::Bus,
        }
    }
}

impl I2cErrorType for Bus {
    type Error = Failed;
}

impl I2c for Bus {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Failed> {
        let (mut write, mut read) = (Octets::new(), 0);
        for operation in operations.iter() {
            match operation {
                Operation::Write(octets) if read == 0 => write.extend_from_slice(octets).unwrap(),
                Operation::Write(_) => panic!("a write after a read"),
                Operation::Read(octets) => read += octets.len() as u8,
            }
        }
        let request = Request::I2c {
            id: 0,
            address,
            write,
            read,
        };
        let Some(Report::I2c { result, .. }) = self.0.0.borrow_mut().card.request(request) else {
            panic!("no answer")
        };
        let answer = result.map_err(Failed)?;
        let mut answer = answer.iter().copied();
        for operation in operations {
            if let Operation::Read(octets) = operation {
                octets
                    .iter_mut()
                    .for_each(|octet| *octet = answer.next().unwrap());
            }
        }
        Ok(())
    }
}

fn codec(shared: &Shared) -> Idt821034<Spi, Select> {
    let select = Rc::new(RefCell::new(true));
    Idt821034::new(Spi(shared.clone(), select.clone()), Select(select))
}

#[test]
fn the_codec_starts_and_is_heard() {
    for law in [Law::Mu, Law::A] {
        let shared = Shared::new();
        let mut driver = codec(&shared);
        block_on(driver.start(law)).unwrap();
        block_on(driver.check()).unwrap();
        let mut bench = shared.0.borrow_mut();
        for channel in 0..4 {
            let path = |coefficient| Path {
                slot: Some(channel as u8),
                coefficient,
            };
            assert_eq!(bench.card.codec.paths(channel), Some((path(1820), path(2506))));
        }
        assert_eq!(bench.card.codec.configuration().0, law == Law::A);
        assert_eq!(bench.card.codec.refused(), 0);
        if law == Law::Mu {
            // An open line sends everything back.
            bench.run(500, sine(1000.0, -10.0));
            let level = dbm0(&bench.heard(0)[800..], 1000.0);
            assert!((-13.0..-9.0).contains(&level), "{level}");
        }
    }
}

#[test]
fn a_codec_that_forgets_or_is_misheard_is_noticed() {
    let shared = Shared::new();
    let mut driver = codec(&shared);
    block_on(driver.start(Law::Mu)).unwrap();
    shared.0.borrow_mut().card.brown_out();
    assert_eq!(block_on(driver.check()), Err(Error::Absent));
    block_on(driver.start(Law::Mu)).unwrap();
    // One flip is no reason to start again, and leaves nothing behind.
    for _ in 0..3 {
        shared.0.borrow_mut().card.faults.spi_flips = 1;
        assert_eq!(block_on(driver.check()), Ok(()));
    }
    assert_eq!(block_on(driver.check()), Ok(()));
}

#[test]
fn the_converter_measures_a_line() {
    let shared = Shared::new();
    {
        let mut bench = shared.0.borrow_mut();
        bench.card.ports[2].pair.condition = Condition {
            leakage: [50_000.0, f64::INFINITY, f64::INFINITY],
            ..Condition::default()
        };
        let levels = bench.outputs | output::TEST << 2;
        bench.outputs(levels);
        bench.silence(300);
    }
    let mut driver = Ads1115::new(Bus(shared.clone()), ADC);
    let mut measure = |input, range: Range| {
        block_on(driver.start(input, range, Rate::Sps860)).unwrap();
        assert_eq!(block_on(driver.result()), Ok(None));
        shared.0.borrow_mut().silence(5);
        let result = block_on(driver.result()).unwrap().unwrap();
        f64::from(range.nanovolts(result)) / 1e9
    };
    let tip = measure(Input::A0, Range::Mv2048) * 101.0;
    let ring = measure(Input::A1, Range::Mv2048) * 101.0;
    let current = measure(Input::A2, Range::Mv512) / 10.0;
    assert!((tip - ring - 47.3).abs() < 0.5, "{tip} {ring}");
    assert!(((tip - ring) / current - 50_000.0).abs() < 2_500.0, "{current}");
}

#[test]
fn one_long_conversion_measures_the_charge_of_the_bells() {
    for bells in 0..=4 {
        let shared = Shared::new();
        let mut driver = Ads1115::new(Bus(shared.clone()), ADC);
        let levels = shared.0.borrow().outputs | output::TEST << 1;
        {
            let mut bench = shared.0.borrow_mut();
            bench.card.ports[1].pair.condition.bells = f64::from(bells);
            bench.outputs(levels);
            bench.silence(500);
        }
        // However late the reversal comes, as long as the charge flows within the conversion; whenever it is asked for.
        for (late, levels) in [(0, levels & !(output::FORWARD << 1)), (70, levels)] {
            block_on(driver.start(Input::A2, Range::Mv512, Rate::Sps8)).unwrap();
            shared.0.borrow_mut().silence(late);
            shared.0.borrow_mut().outputs(levels);
            shared.0.borrow_mut().silence(300);
            let result = block_on(driver.result()).unwrap().unwrap();
            let charge = f64::from(Range::Mv512.nanovolts(result)).abs() / 1e9 / 10.0 * 0.125;
            let nf = charge / (2.0 * 47.5) * 1e9;
            assert!(
                (nf - 1_000.0 * f64::from(bells)).abs() < 150.0,
                "{nf} nF of {bells} bells"
            );
        }
    }
}

#[test]
fn faults_of_the_bus_reach_the_caller() {
    let shared = Shared::new();
    let mut driver = Ads1115::new(Bus(shared.clone()), ADC);
    shared.0.borrow_mut().card.faults.no_address = 1;
    let failed = ads1115::Error::Bus(Failed(I2cFault::NoAddress));
    assert_eq!(
        block_on(driver.start(Input::A0, Range::Mv512, Rate::Sps8)),
        Err(failed)
    );
    shared.0.borrow_mut().card.faults.i2c_flips = 1;
    let corrupted = ads1115::Error::Corrupted;
    assert_eq!(
        block_on(driver.start(Input::A0, Range::Mv512, Rate::Sps8)),
        Err(corrupted)
    );
    block_on(driver.start(Input::A0, Range::Mv512, Rate::Sps8)).unwrap();
}

/// Stops ringing: there is a last half period.
fn stop(driver: &mut Ag1171<Pin>, shared: &Shared) {
    driver.ring(false).unwrap();
    while driver.is_ringing() {
        shared.0.borrow_mut().silence(30);
        driver.swing().unwrap();
    }
    shared.0.borrow_mut().silence(200);
}

#[test]
fn the_line_circuit_rings_trips_and_feeds_on() {
    let shared = Shared::new();
    let pin = |level| Pin(shared.clone(), level);
    let mut driver = Ag1171::new(pin(output::FORWARD), pin(output::RING_MODE), pin(output::POWER)).unwrap();
    let set = Telephone::new(4);
    shared.0.borrow_mut().card.plug(0, &set);
    shared.0.borrow_mut().silence(200);
    driver.ring(true).unwrap();
    for _ in 0..32 {
        shared.0.borrow_mut().silence(30);
        driver.swing().unwrap();
    }
    stop(&mut driver, &shared);
    let rung = set.rung();
    let [burst] = rung[..] else { panic!("{rung:?}") };
    assert!(
        (15.5..17.0).contains(&burst.hertz()) && burst.volts() > 55.0,
        "{burst:?}"
    );
    // Lifted while it rings: what comes after the ringing is no break of the loop.
    driver.ring(true).unwrap();
    for half in 0..16 {
        if half == 8 {
            set.lift();
        }
        shared.0.borrow_mut().silence(30);
        driver.swing().unwrap();
    }
    assert!(shared.0.borrow().off_hook(0));
    shared.0.borrow_mut().forget();
    stop(&mut driver, &shared);
    assert_eq!(shared.0.borrow().shk(0), [], "SHK stays");
}
