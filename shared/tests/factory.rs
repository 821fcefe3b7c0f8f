//! Factory data: frozen bytes, and nothing damaged is believed.

use shared::factory::{FactoryError, MAX_FACTORY, crc32};
use shared::{BoxId, Factory};

fn factory() -> Factory {
    Factory {
        box_id: BoxId(1),
        secret: [0xA5; 32],
        cloud_host: "cloud.example".try_into().unwrap(),
        sip_port: 5_060,
        mqtt_port: 1_883,
        realm: "".try_into().unwrap(),
        config_key: [0x3C; 32],
    }
}

#[test]
fn the_image_of_version_1_is_frozen() {
    let mut buf = [0; MAX_FACTORY];
    let image = factory().encode(&mut buf).unwrap();
    let body = [
        &[1][..],
        &[0xA5; 32],
        &[13],
        b"cloud.example",
        &[0xC4, 0x27, 0xDB, 0x0E, 0],
        &[0x3C; 32],
    ]
    .concat();
    let mut expected = [b"DWBF", &[1, 0, body.len() as u8, 0][..], &body].concat();
    expected.extend(crc32(&expected).to_le_bytes());
    assert_eq!(image, expected);
    assert_eq!(
        crc32(b"123456789"),
        0xCBF4_3926,
        "the check value of CRC-32/ISO-HDLC"
    );
    // What follows in the partition does not matter.
    assert_eq!(Factory::decode(&[image, &[0xFF; 64]].concat()), Ok(factory()));
    assert_eq!(factory().password(), "a5".repeat(32).as_str());
    assert_eq!(factory().realm(), "cloud.example");
}

#[test]
fn no_damaged_image_is_believed() {
    let mut buf = [0; MAX_FACTORY];
    let image = factory().encode(&mut buf).unwrap().to_vec();
    for cut in 0..image.len() {
        assert!(Factory::decode(&image[..cut]).is_err(), "{cut}");
    }
    for bit in 0..image.len() * 8 {
        let mut image = image.clone();
        image[bit / 8] ^= 1 << (bit % 8);
        assert!(Factory::decode(&image).is_err(), "bit {bit}");
    }
    assert_eq!(Factory::decode(&[0xFF; 256]), Err(FactoryError::Absent));
    assert_eq!(Factory::decode(&[0; 256]), Err(FactoryError::Absent));
    for room in 0..image.len() {
        assert_eq!(
            factory().encode(&mut vec![0; room]),
            Err(FactoryError::Room),
            "{room}"
        );
    }
}

#[test]
fn the_largest_fits_and_no_secret_is_shown() {
    let largest = Factory {
        box_id: BoxId(u64::MAX),
        cloud_host: "h".repeat(64).as_str().try_into().unwrap(),
        realm: "r".repeat(64).as_str().try_into().unwrap(),
        sip_port: u16::MAX,
        mqtt_port: u16::MAX,
        ..factory()
    };
    let mut buf = [0; MAX_FACTORY];
    assert_eq!(
        Factory::decode(largest.encode(&mut buf).unwrap()),
        Ok(largest.clone())
    );
    assert_eq!(largest.realm(), "r".repeat(64));
    let shown = format!("{largest:?}");
    assert!(
        !shown.contains("165") && !shown.to_lowercase().contains("a5"),
        "{shown}"
    );
}
