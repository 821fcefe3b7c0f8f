//! What is on the bus, octet by octet.

use ads1115::{ADDRESS, Ads1115, Error, Input, Range};
use embassy_futures::block_on;
use embedded_hal_async::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

fn read(register: u8, value: u16) -> Transaction {
    Transaction::write_read(ADDRESS, vec![register], value.to_be_bytes().to_vec())
}

fn write(config: u16) -> Transaction {
    let [high, low] = config.to_be_bytes();
    Transaction::write(ADDRESS, vec![0x01, high, low])
}

#[test]
fn each_input_is_read_in_its_range() {
    // Input and range, the config register by the data sheet's table 8-3, a conversion and its nanovolts.
    let table = [
        (Input::A0, Range::Mv2048, 0x14E3, 0x7FFF, 2_047_937_500),
        (Input::A1, Range::Mv2048, 0x24E3, 0x8000, -2_048_000_000),
        (Input::A2, Range::Mv512, 0x38E3, 0xFFFF, -15_625),
        (Input::A2, Range::Mv512, 0x38E3, 0x4000, 256_000_000),
    ];
    for (input, range, config, conversion, nanovolts) in table {
        let mut i2c = Mock::new(&[
            write(config),
            // No conversion is under way yet.
            read(0x01, 0x8000 | config),
            read(0x00, conversion),
            // Sleeps: single-shot mode, no conversion begun.
            write(0x05E3),
            read(0x01, 0x05E3),
        ]);
        let mut adc = Ads1115::new(i2c.clone(), ADDRESS);
        block_on(async {
            adc.start(input, range).await.unwrap();
            assert_eq!(range.nanovolts(adc.read().await.unwrap()), nanovolts);
            adc.stop().await.unwrap();
        });
        i2c.done();
    }
}

#[test]
fn what_goes_wrong_is_told() {
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let mut i2c = Mock::new(&[write(0x14E3).with_error(nack), write(0x14E3), read(0x01, 0x1CE3)]);
    let mut adc = Ads1115::new(i2c.clone(), ADDRESS);
    let mut start = || block_on(adc.start(Input::A0, Range::Mv2048));
    assert_eq!(start(), Err(Error::Bus(nack)));
    assert_eq!(start(), Err(Error::Corrupted), "a bit has flipped");
    i2c.done();
}
