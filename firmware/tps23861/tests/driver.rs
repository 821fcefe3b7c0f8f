//! What is on the bus, octet by octet. The octets are written out from the data sheet (SLUSBX9I) and TI's API, apart from the
//! driver's table.

use embassy_futures::block_on;
use embedded_hal_async::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::delay::NoopDelay;
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use tps23861::{ADDRESS, Class, Detection, Draw, Error, Events, Limit, Status, Tps23861};

fn read(register: u8, value: u8) -> Transaction {
    Transaction::write_read(ADDRESS, vec![register], vec![value])
}

fn read_two(register: u8, value: u16) -> Transaction {
    Transaction::write_read(ADDRESS, vec![register], value.to_le_bytes().to_vec())
}

fn write(register: u8, value: u8) -> Transaction {
    Transaction::write(ADDRESS, vec![register, value])
}

fn with<T>(bus: &[Transaction], act: impl AsyncFnOnce(&mut Tps23861<Mock, NoopDelay>) -> T) -> T {
    let mut i2c = Mock::new(bus);
    let mut chip = Tps23861::new(i2c.clone(), NoopDelay, ADDRESS);
    let result = block_on(act(&mut chip));
    i2c.done();
    result
}

/// Mode, disconnect and two events as they are to be.
fn checked() -> [Transaction; 3] {
    [read(0x12, 0xAA), read(0x13, 0x0F), read(0x21, 0x55)]
}

#[test]
fn a_new_chip_is_set_up() {
    // Off mode (AUTO cleared) and auto mode (AUTO set, as shipped); 250 mΩ was set once.
    for (general, mode) in [(0x80, 0x00), (0x81, 0xFF)] {
        let mut bus = vec![read(0x1B, 0x52), read(0x17, general)];
        if general == 0x81 {
            bus.push(write(0x17, 0x80));
        }
        bus.extend([read(0x12, mode), write(0x12, 0xAA)]);
        bus.extend([
            write(0x13, 0x0F),
            write(0x21, 0x55),
            write(0x14, 0xFF),
            read(0x14, 0xFF),
        ]);
        bus.extend(checked());
        assert_eq!(with(&bus, async |chip| chip.start().await), Ok(()));
    }
}

#[test]
fn a_chip_that_works_is_taken_as_it_is() {
    // What is enabled, and what is searched for then: port 2 is off by order, of port 3 a power-off was interrupted.
    for (enabled, expected) in [
        (0xFF, 0xFF),
        (0xFD, 0xFD),
        (0xB9, 0xFD),
        (0x00, 0xFF),
        (0xF0, 0xF0),
    ] {
        let mut bus = vec![read(0x1B, 0x52), read(0x17, 0x80), read(0x12, 0xAA)];
        bus.extend([write(0x13, 0x0F), write(0x21, 0x55)]);
        bus.extend([read(0x14, enabled), write(0x14, expected), read(0x14, expected)]);
        bus.extend(checked());
        assert_eq!(
            with(&bus, async |chip| chip.start().await),
            Ok(()),
            "{enabled:#x}"
        );
    }
}

#[test]
fn each_port_is_fed_within_its_limit() {
    // Port, limit, the registers of the current and of PoE+ before and after, and the push button.
    let table = [
        (0, 1, 0x2A, (0x66, 0x61), (0xF0, 0xE0), 0x01),
        (1, 2, 0x2A, (0x66, 0x26), (0xF0, 0xD0), 0x02),
        (2, 0, 0x2B, (0x66, 0x60), (0xF0, 0xB0), 0x04),
        (3, 3, 0x2B, (0x66, 0x06), (0xF0, 0x70), 0x08),
        (3, 4, 0x2B, (0x00, 0x60), (0x00, 0x80), 0x08),
    ];
    for (port, class, icut, (before, after), (plus, plus_after), push) in table {
        let bus = [
            read(icut, before),
            write(icut, after),
            read(0x40, plus),
            write(0x40, plus_after),
            write(0x19, push),
        ];
        let on = with(&bus, async |chip| chip.on(port, Limit::of_class(class)).await);
        assert_eq!(on, Ok(()), "port {port} class {class}");
    }
}

#[test]
fn a_port_is_turned_off_after_its_inrush() {
    // Enabled and not good, then good; POFF takes what is searched for away.
    let bus = [
        read(0x10, 0x02),
        read(0x10, 0x22),
        write(0x19, 0x20),
        read(0x14, 0xDD),
        write(0x14, 0xFF),
        read(0x14, 0xFF),
    ];
    assert_eq!(with(&bus, async |chip| chip.off(1, true).await), Ok(()));
    // Off by order: classified, not detected.
    let bus = [
        read(0x10, 0x00),
        write(0x19, 0x20),
        read(0x14, 0xDD),
        write(0x14, 0xFD),
        read(0x14, 0xFD),
    ];
    assert_eq!(with(&bus, async |chip| chip.off(1, false).await), Ok(()));
    assert_eq!(
        with(&[read(0x14, 0xFD)], async |chip| chip.searches().await),
        Ok(0x0D)
    );
    // It was at work still, and then for ever.
    let busy = [write(0x14, 0xFD), read(0x14, 0xDD)];
    let mut bus = vec![read(0x14, 0xDD)];
    bus.extend(busy.iter().chain(&busy).cloned());
    bus.extend([write(0x14, 0xFD), read(0x14, 0xFD)]);
    assert_eq!(with(&bus, async |chip| chip.search(1, false).await), Ok(()));
    let mut bus = vec![read(0x14, 0xDD)];
    bus.extend(busy.iter().cycle().take(8).cloned());
    assert_eq!(
        with(&bus, async |chip| chip.search(1, false).await),
        Err(Error::Forgotten)
    );
}

#[test]
fn findings() {
    use Detection::*;
    let table = [
        (0x00, Unknown, Class::Unknown),
        (0x01, Other, Class::Unknown),
        (0x03, Other, Class::Unknown),
        (0x14, Valid, Class::Of(1)),
        (0x44, Valid, Class::Of(4)),
        (0x54, Valid, Class::Of(0)),
        (0x64, Valid, Class::Of(0)),
        (0x74, Valid, Class::Invalid),
        (0x84, Valid, Class::Invalid),
        (0x05, Other, Class::Unknown),
        (0x06, Open, Class::Unknown),
        (0x08, Defect, Class::Unknown),
        (0x0C, Other, Class::Unknown),
    ];
    for (register, detection, class) in table {
        let status = with(&[read(0x0E, register)], async |chip| chip.status(2).await);
        assert_eq!(status, Ok(Status { detection, class }), "{register:#x}");
    }
}

#[test]
fn events_are_read_once() {
    // Detection cycles and changes of power are no events to read.
    assert_eq!(
        with(&[read(0x00, 0x1B)], async |chip| chip.events().await),
        Ok(Events::default())
    );
    let bus = [
        read(0x00, 0x80),
        read(0x07, 0x82),
        read(0x09, 0x41),
        read(0x0B, 0xB0),
    ];
    let events = Events {
        disconnect: 0x08,
        overload: 0x02,
        short: 0x04,
        start: 0x01,
        thermal: true,
        started: true,
        undervoltage: true,
    };
    assert_eq!(with(&bus, async |chip| chip.events().await), Ok(events));
}

/// What is read is gone from the chip: a bus that fails between two registers loses nothing.
#[test]
fn events_that_were_read_before_an_error_are_not_lost() {
    let error = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let bus = [
        read(0x00, 0x60),
        read(0x07, 0x01),
        read(0x09, 0x00).with_error(error),
        read(0x00, 0x60),
        read(0x07, 0x02),
        read(0x09, 0x10),
        read(0x0B, 0x00).with_error(error),
        // Nothing new.
        read(0x00, 0x00),
        read(0x00, 0x00),
    ];
    let events = Events {
        overload: 0b11,
        short: 0b1,
        ..Events::default()
    };
    with(&bus, async |chip| {
        for _ in 0..2 {
            assert_eq!(chip.events().await, Err(Error::Bus(error)));
        }
        assert_eq!(chip.events().await, Ok(events));
        assert_eq!(chip.events().await, Ok(Events::default()));
    });
}

#[test]
fn measurements() {
    // 48 V and 100 mA by the steps of the data sheet; the upper two bits mean nothing.
    let bus = [read_two(0x3C, 0xC000 | 1_638), read_two(0x3E, 0x4000 | 13_107)];
    let draw = with(&bus, async |chip| chip.draw(3).await).unwrap();
    let expected = Draw {
        millivolts: 47_997,
        microamperes: 99_981,
    };
    assert_eq!((draw, draw.milliwatts()), (expected, 4_798));
    assert_eq!(
        with(&[read_two(0x2E, 14_746)], async |chip| chip.supply().await),
        Ok(53_999)
    );
    for (steps, celsius) in [(0, -20), (69, 24), (255, 146)] {
        let bus = [read(0x2C, steps)];
        assert_eq!(
            with(&bus, async |chip| chip.temperature().await),
            Ok(celsius),
            "{steps}"
        );
    }
    let most = Draw {
        millivolts: 59_994,
        microamperes: 1_000_001,
    };
    assert_eq!(most.milliwatts(), 59_994);
}

#[test]
fn what_goes_wrong_is_told() {
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let bus = [read(0x1B, 0).with_error(nack)];
    assert_eq!(with(&bus, async |chip| chip.start().await), Err(Error::Bus(nack)));
    // Another maker.
    assert_eq!(
        with(&[read(0x1B, 0x64)], async |chip| chip.start().await),
        Err(Error::Foreign)
    );
    assert_eq!(
        with(&[read(0x12, 0x00)], async |chip| chip.check().await),
        Err(Error::Forgotten)
    );
    let bus = [read(0x12, 0xAA), read(0x13, 0x0E)];
    assert_eq!(
        with(&bus, async |chip| chip.check().await),
        Err(Error::Forgotten),
        "a bit has flipped"
    );
    // A port that is not there is not touched.
    let bus = [
        read(0x10, 0x0F),
        write(0x19, 0x00),
        read(0x14, 0xFF),
        write(0x14, 0xFF),
        read(0x14, 0xFF),
    ];
    assert_eq!(with(&bus, async |chip| chip.off(4, false).await), Ok(()));
}
