//! The side channel over a line that loses and changes octets.

use hil_wire::lines::{I2cFault, Octets, Report, Request};
use hil_wire::link::{FRAME, Link, RESEND_MS, Received};
use proptest::prelude::*;

type Board = Link<Request, Report>;
type Twin = Link<Report, Request>;

/// Everything that `from` has to say at `now`.
fn frames<S: serde::Serialize, R: serde::de::DeserializeOwned>(from: &mut Link<S, R>, now: u64) -> Vec<u8> {
    let mut line = Vec::new();
    let mut frame = [0; FRAME];
    while let Some(bytes) = from.transmit(now, &mut frame) {
        line.extend_from_slice(bytes);
    }
    line
}

fn take<S: serde::Serialize, R: serde::de::DeserializeOwned>(
    to: &mut Link<S, R>,
    line: &[u8],
) -> Vec<Received<R>> {
    line.iter().filter_map(|&octet| to.receive(octet)).collect()
}

#[test]
fn the_first_frame_of_the_board_on_the_line() {
    let mut board = Board::board(0x1234);
    board.send(Request::Outputs(0xFF)).unwrap();
    // Session 0x1234 as a varint, number 1, nothing seen, a message: variant 2, 0xFF as a varint; CRC; all of it in COBS.
    let line = frames(&mut board, 0);
    let mut body = vec![0xB4, 0x24, 1, 0, 1, 2, 0xFF, 0x01];
    let crc = body.iter().fold(0xFFFFu16, |crc, &octet| {
        (0..8).fold(crc ^ u16::from(octet), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x8408 } else { crc >> 1 }
        })
    }) ^ 0xFFFF;
    body.extend(crc.to_le_bytes());
    let expected = [&[4][..], &body[..3], &[7], &body[4..], &[0]].concat();
    assert_eq!(line, expected);
}

#[test]
fn a_transfer_there_and_back() {
    let (mut board, mut twin) = (Board::board(7), Twin::twin());
    assert!(frames(&mut twin, 0).is_empty(), "the twin waits for the board");
    let request = Request::I2c {
        id: 3,
        address: 0x48,
        write: Octets::from_slice(&[1]).unwrap(),
        read: 2,
    };
    board.send(request.clone()).unwrap();
    let first = frames(&mut board, 0);
    assert_eq!(take(&mut twin, &first), [Received::Session]);
    // Not acknowledged: it comes again, and then counts.
    assert!(frames(&mut board, RESEND_MS - 1).is_empty());
    let again = frames(&mut board, RESEND_MS);
    assert_eq!(take(&mut twin, &again), [Received::Message(request)]);
    assert!(take(&mut twin, &again).is_empty(), "once");
    let report = Report::I2c {
        id: 3,
        result: Err(I2cFault::NoAddress),
    };
    twin.send(report.clone()).unwrap();
    let answer = frames(&mut twin, 0);
    assert_eq!(take(&mut board, &answer), [Received::Message(report)]);
    assert_eq!(board.due(), None, "acknowledged by the answer");
}

#[test]
fn the_largest_message_fits_into_a_frame() {
    let octets = Octets::from_slice(&[0xFF; hil_wire::lines::TRANSFER]).unwrap();
    let mut board = Board::board(u16::MAX);
    let request = Request::I2c {
        id: 0xFF,
        address: 0x7F,
        write: octets,
        read: 16,
    };
    board.send(request).unwrap();
    let mut frame = [0; FRAME];
    let length = board.transmit(0, &mut frame).map(<[u8]>::len);
    assert!(length.is_some_and(|length| length > 28), "{length:?}");
}

#[test]
fn a_board_that_starts_again_hears_nothing_of_its_past() {
    let (mut board, mut twin) = (Board::board(1), Twin::twin());
    board.send(Request::Outputs(1)).unwrap();
    take(&mut twin, &frames(&mut board, 0));
    twin.send(Report::Inputs { levels: 1, frame: 40 }).unwrap();
    let old = frames(&mut twin, 0);
    let mut board = Board::board(2);
    assert!(take(&mut board, &old).is_empty());
    board.send(Request::Outputs(2)).unwrap();
    assert_eq!(take(&mut twin, &frames(&mut board, 0)), [Received::Session]);
    assert!(frames(&mut twin, 0).is_empty(), "what waited is gone");
    assert_eq!(
        take(&mut twin, &frames(&mut board, RESEND_MS)),
        [Received::Message(Request::Outputs(2))]
    );
}

/// A frame as it is on the line, whose CRC is right whatever is in it.
fn framed(body: &[u8]) -> Vec<u8> {
    let crc = crc::Crc::<u16>::new(&crc::CRC_16_IBM_SDLC).checksum(body);
    let octets = [body, &crc.to_le_bytes()].concat();
    let mut line = vec![0; cobs::max_encoding_length(octets.len()) + 1];
    let length = cobs::encode(&octets, &mut line);
    line.truncate(length + 1);
    line
}

proptest! {
    /// Any octets, and any frames that are none of ours: nothing comes of them that could not be on the line, and a board that starts
    /// afterwards is heard.
    #[test]
    fn any_octets_do_no_harm(
        line in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..100),
                prop::collection::vec(any::<u8>(), 0..60).prop_map(|body| framed(&body)),
                // A session, two numbers and a message of each kind, well or not.
                (0u8..3, 0u8..3, 0u8..4, prop::collection::vec(0u8..20, 0..30)).prop_map(|(number, seen, kind, rest)| {
                    framed(&[&[9, number, seen, 1, kind], &rest[..]].concat())
                }),
            ],
            0..20,
        ),
    ) {
        let (mut board, mut twin) = (Board::board(9), Twin::twin());
        board.send(Request::Outputs(1)).unwrap();
        frames(&mut board, 0);
        for octet in line.concat() {
            board.receive(octet);
            twin.receive(octet);
            frames(&mut twin, 0);
        }
        let mut again = Board::board(10);
        again.send(Request::Outputs(2)).unwrap();
        // What was cut off is ended by a frame's first zero.
        let heard: Vec<_> = (0..4)
            .flat_map(|n| {
                let line = frames(&mut again, n * RESEND_MS);
                take(&mut twin, &line)
            })
            .collect();
        prop_assert_eq!(heard, [Received::Session, Received::Message(Request::Outputs(2))]);
    }

    /// Octets are lost, changed or put in; in the end every message has arrived once and in order, in both directions.
    #[test]
    fn damage_delays_and_does_nothing_else(
        damage in prop::collection::vec((0u8..4, any::<u16>(), any::<u8>()), 0..60),
        count in 1u32..20,
    ) {
        let (mut board, mut twin) = (Board::board(9), Twin::twin());
        for n in 0..count {
            board.send(Request::Outputs(n)).unwrap();
        }
        let (mut down, mut up) = (Vec::new(), Vec::new());
        let mut damage = damage.into_iter();
        let mut hurt = move |mut line: Vec<u8>| {
            if let (false, Some((kind, place, octet))) = (line.is_empty(), damage.next()) {
                let place = usize::from(place) % line.len();
                match kind {
                    0 => drop(line.remove(place)),
                    1 => line.insert(place, octet),
                    2 => line[place] = octet,
                    _ => {}
                }
            }
            line
        };
        let mut asked = 0;
        for now in (0..).step_by(10).take(2000) {
            for received in take(&mut twin, &hurt(frames(&mut board, now))) {
                match received {
                    Received::Message(Request::Outputs(n)) => {
                        down.push(n);
                        twin.send(Report::Inputs { levels: n, frame: asked }).unwrap();
                        asked += 1;
                    }
                    Received::Session => {}
                    other => panic!("{other:?}"),
                }
            }
            for received in take(&mut board, &hurt(frames(&mut twin, now))) {
                match received {
                    Received::Message(Report::Inputs { levels, .. }) => up.push(levels),
                    other => panic!("{other:?}"),
                }
            }
        }
        let all: Vec<_> = (0..count).collect();
        prop_assert_eq!(&down, &all);
        prop_assert_eq!(&up, &all);
    }

    /// Whatever comes in, nothing panics, and what follows a zero is understood.
    #[test]
    fn noise_is_dropped(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut board, mut twin) = (Board::board(5), Twin::twin());
        take(&mut twin, &noise);
        twin.receive(0);
        board.send(Request::Outputs(1)).unwrap();
        let mut all = Vec::new();
        for now in [0, RESEND_MS] {
            all.extend(take(&mut twin, &frames(&mut board, now)));
        }
        prop_assert_eq!(all.last(), Some(&Received::Message(Request::Outputs(1))));
    }
}
