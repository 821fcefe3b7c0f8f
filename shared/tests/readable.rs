//! Values in JSON are as people write them; on the wire they stay integers.

use serde::{Serialize, de::DeserializeOwned};
use shared::route::Prefix;
use shared::schedule::Hours;
use shared::{Date, IdKey, IdSet, Local, Number};

fn wire<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_slice(value, &mut [0; 16]).unwrap().to_vec()
}

#[track_caller]
fn both<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, text: &str, bytes: &[u8]) {
    assert_eq!(serde_json::to_string(&value).unwrap(), text);
    assert_eq!(serde_json::from_str::<T>(text).unwrap(), value);
    assert_eq!(wire(&value), bytes);
    assert_eq!(postcard::from_bytes::<T>(bytes).unwrap(), value);
}

#[test]
fn text_for_people_and_integers_on_the_wire() {
    let number = |text: &str| text.parse::<Number>().unwrap();
    for (typed, text) in [
        ("0312340001", "\"0312340001\""),
        ("110", "\"110\""),
        ("+12125550100", "\"01012125550100\""),
    ] {
        both(number(typed), text, &wire(&number(typed).bits()));
    }
    both(
        "2026-04-01".parse::<Date>().unwrap(),
        "\"2026-04-01\"",
        &[0xc0, 0xa0, 0x01],
    );
    let set: IdSet = [63, 0, 2].into_iter().filter_map(IdKey::new).collect();
    both(set, "[0,2,63]", &wire(&set.0));
    let moment: Local = "2026-04-01 23:59".parse().unwrap();
    both(moment, "\"2026-04-01 23:59\"", &wire(&(20_544u16, 1_439u16)));
    let hours: Hours = "18:00-26:00".parse().unwrap();
    both(hours, "\"18:00-26:00\"", &wire(&(1_080u16, 1_560u16)));
    for text in ["0120", "+1", "03"] {
        let prefix: Prefix = text.parse().unwrap();
        both(prefix, &format!("\"{text}\""), &wire(&u64::from(prefix)));
    }
    both(IdSet::EMPTY, "[]", &[0]);
}

#[test]
fn what_is_none_is_refused() {
    for text in ["\"03\"", "\"x\"", "312340001", "null"] {
        assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
    }
    for text in ["\"2026-02-30\"", "20544"] {
        assert!(serde_json::from_str::<Date>(text).is_err(), "{text}");
    }
    for text in [
        "\"2026-04-01 24:00\"",
        "\"2026-04-01T09:00\"",
        "\"2026-04-01 9:00\"",
    ] {
        assert!(serde_json::from_str::<Local>(text).is_err(), "{text}");
    }
    assert!(postcard::from_bytes::<Local>(&wire(&(1u16, 1_440u16))).is_err());
    for text in [
        "\"9:00-17:30\"",
        "\"17:30-09:00\"",
        "\"09:00\"",
        "\"24:00-25:00\"",
        "[540,1050]",
    ] {
        assert!(serde_json::from_str::<Hours>(text).is_err(), "{text}");
    }
    for text in ["[64]", "5", "[-1]"] {
        assert!(serde_json::from_str::<IdSet>(text).is_err(), "{text}");
    }
    assert!(postcard::from_bytes::<Number>(&[1]).is_err());
}
