//! Identities and their texts.

use shared::{BoxId, Extension, IdKey, IdSet, SessionId};

#[test]
fn a_box_is_thirteen_characters_of_base32() {
    // RFC 4648 §6 of the eight bytes, by another program (Python's base64.b32encode), lower case, without padding.
    for (bits, text) in [
        (0, "aaaaaaaaaaaaa"),
        (1, "aaaaaaaaaaaac"),
        (0x0123_4567_89AB_CDEF, "aerukz4jvpg66"),
        (u64::MAX, "7777777777776"),
    ] {
        assert_eq!(BoxId(bits).to_string(), text);
        assert_eq!(text.parse(), Ok(BoxId(bits)));
    }
    for text in [
        "",
        "aaaaaaaaaaaa",
        "aaaaaaaaaaaaaa",
        "aaaaaaaaaaaab",
        "AAAAAAAAAAAAA",
        "aaaaaaaaaaaa1",
        "aaaaaaaaaaa/a",
    ] {
        assert!(text.parse::<BoxId>().is_err(), "{text}");
    }
}

#[test]
fn an_extension_has_two_to_six_digits_and_shadows_nothing() {
    for value in 0..1_100_000u32 {
        let text = value.to_string();
        let good = (2..=6).contains(&text.len()) && !text.starts_with(['0', '1']);
        assert_eq!(Extension::new(value).is_some(), good, "{value}");
        if good {
            assert_eq!(text.parse::<Extension>().map(Extension::value), Ok(value));
        }
    }
    for text in ["", "2", "0201", "020", "+20", "2a", "2000000", "１２"] {
        assert!(text.parse::<Extension>().is_err(), "{text}");
    }
}

#[test]
fn a_session_is_32_hexadecimal_digits() {
    let text = "0123456789abcdef0123456789abcdef";
    let session: SessionId = text.parse().unwrap();
    assert_eq!(session.to_string(), text);
    assert_eq!(SessionId::NULL.to_string(), "0".repeat(32));
    for text in [
        "",
        "0123456789ABCDEF0123456789abcdef",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdeg",
    ] {
        assert!(text.parse::<SessionId>().is_err(), "{text}");
    }
    let random = SessionId::from_random([0xFF; 16]).to_string();
    assert_eq!(
        (&random[12..13], &random[16..17]),
        ("4", "b"),
        "version and variant of RFC 9562"
    );
}

#[test]
fn a_set_of_ids_is_a_set() {
    let key = |index| IdKey::new(index).unwrap();
    assert_eq!(IdKey::new(64), None);
    let mut set: IdSet = [3, 63, 0].into_iter().map(key).collect();
    assert_eq!(set.iter().map(IdKey::index).collect::<Vec<_>>(), [0, 3, 63]);
    assert!(set.contains(key(63)) && !set.contains(key(62)));
    set.remove(key(3));
    set.set(key(5), true);
    assert_eq!(set.len(), 3);
    assert_eq!(
        set.difference(IdSet::one(key(5))),
        [0, 63].into_iter().map(key).collect()
    );
    assert!(IdSet::EMPTY.is_empty());
}
