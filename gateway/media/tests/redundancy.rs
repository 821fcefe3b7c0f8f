//! RFC 2198 against octets laid out by hand after its §3 and against arbitrary octets.

use media::g711::Law;
use media::redundancy::{Block, Error, HEADERS_LEN, read, write};
use proptest::prelude::*;

fn blocks(payload: &[u8]) -> Result<Vec<(u8, u16, Vec<u8>)>, Error> {
    let all = read(payload)?;
    Ok(all
        .map(
            |Block {
                 payload_type,
                 offset,
                 octets,
             }| (payload_type, offset, octets.to_vec()),
        )
        .collect())
}

#[test]
fn reads_what_the_figure_shows() {
    // 1 bit F, 7 payload type, 14 offset, 10 length: offset 160 = 0b10_1000_00, length 2.
    let one = [0x80, 0x02, 0x80, 0x02, 0x00, 1, 2, 3, 4, 5];
    assert_eq!(
        blocks(&one).unwrap(),
        [(0, 160, vec![1, 2]), (0, 0, vec![3, 4, 5])]
    );
    let two = [
        0x88, 0x05, 0x00, 0x01, 0x85, 0x02, 0x80, 0x03, 0x08, 9, 8, 8, 8, 7,
    ];
    assert_eq!(
        blocks(&two).unwrap(),
        [(8, 320, vec![9]), (5, 160, vec![8, 8, 8]), (8, 0, vec![7])]
    );
    assert_eq!(blocks(&[0x00, 1]).unwrap(), [(0, 0, vec![1])]);
    // The beginning of a stream, when there is nothing to repeat.
    assert_eq!(
        blocks(&[0x80, 0x02, 0x80, 0x00, 0x00, 1]).unwrap(),
        [(0, 0, vec![1])]
    );
    let refused = [
        (&[][..], Error::Truncated),
        (&[0x80], Error::Truncated),
        (&[0x80, 0x02, 0x80, 0x02], Error::Truncated),
        (&[0x80, 0x02, 0x80, 0x02, 0x00, 1], Error::Truncated),
        (&[0x80; 60], Error::TooMany),
    ];
    for (octets, want) in refused {
        assert_eq!(blocks(octets), Err(want), "{octets:?}");
    }
}

#[test]
fn writes_the_same_octets() {
    let mut buf = [0; 10];
    assert_eq!(write(Law::Pcmu, &[1, 2], &[3, 4, 5], &mut buf), Ok(10));
    assert_eq!(buf, [0x80, 0x00, 0x08, 0x02, 0x00, 1, 2, 3, 4, 5]);
    assert_eq!(write(Law::Pcma, &[], &[9], &mut buf), Ok(6));
    assert_eq!(buf[..6], [0x88, 0, 0, 0, 0x08, 9]);
    assert_eq!(
        write(Law::Pcmu, &[1, 2], &[3, 4, 5, 6], &mut buf),
        Err(Error::Unwritable)
    );
    assert_eq!(
        write(Law::Pcmu, &[0; 1_024], &[], &mut [0; 2_000]),
        Err(Error::Unwritable)
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(before in proptest::collection::vec(any::<u8>(), 1..400),
                               primary in proptest::collection::vec(any::<u8>(), 1..400)) {
        let mut buf = vec![0; HEADERS_LEN + before.len() + primary.len()];
        prop_assert_eq!(write(Law::Pcma, &before, &primary, &mut buf), Ok(buf.len()));
        let offset = before.len() as u16;
        prop_assert_eq!(blocks(&buf).unwrap(), [(8, offset, before), (8, 0, primary)]);
    }

    #[test]
    fn any_octets_are_judged_without_a_fault(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(blocks) = blocks(&octets) {
            prop_assert!(blocks.iter().map(|(_, _, octets)| octets.len()).sum::<usize>() < octets.len());
        }
    }
}
