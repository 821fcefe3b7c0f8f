//! What is on the bus, octet by octet.

use ads1115::{ADDRESS, Ads1115, Error, Input, Range, Rate};
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
    use Rate::{Sps8, Sps860};
    // What is begun, the config register by the data sheet's table 8-3, a conversion and its nanovolts.
    let table = [
        ((Input::A0, Range::Mv2048, Sps860), 0x95E3, 0x7FFF, 2_047_937_500),
        ((Input::A1, Range::Mv2048, Sps860), 0xA5E3, 0x8000, -2_048_000_000),
        ((Input::A2, Range::Mv512, Sps8), 0xB903, 0xFFFF, -15_625),
        ((Input::A2, Range::Mv512, Sps860), 0xB9E3, 0x4000, 256_000_000),
    ];
    for ((input, range, rate), config, conversion, nanovolts) in table {
        let under_way = config & 0x7FFF;
        let mut i2c = Mock::new(&[
            write(config),
            read(0x01, under_way),
            read(0x01, under_way),
            read(0x01, config),
            read(0x00, conversion),
        ]);
        let mut adc = Ads1115::new(i2c.clone(), ADDRESS);
        block_on(async {
            adc.start(input, range, rate).await.unwrap();
            assert_eq!(adc.result().await, Ok(None));
            let result = adc.result().await.unwrap().unwrap();
            assert_eq!(range.nanovolts(result), nanovolts);
        });
        i2c.done();
    }
}

#[test]
fn what_goes_wrong_is_told() {
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let mut i2c = Mock::new(&[write(0x95E3).with_error(nack), write(0x95E3), read(0x01, 0x1DE3)]);
    let mut adc = Ads1115::new(i2c.clone(), ADDRESS);
    let mut start = || block_on(adc.start(Input::A0, Range::Mv2048, Rate::Sps860));
    assert_eq!(start(), Err(Error::Bus(nack)));
    assert_eq!(start(), Err(Error::Corrupted), "a bit has flipped");
    i2c.done();
}
