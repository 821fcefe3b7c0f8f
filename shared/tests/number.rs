//! Numbers: reading, showing, order, packing.

use shared::Number;
use shared::number::NumberProblem::{self, *};
use shared::number::{ACCEPTED, Privacy, Reading, Typed};

fn number_of(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn e164(text: &str) -> Result<String, NumberProblem> {
    Number::parse(text)
        .map(|number| number.e164().to_string())
        .map_err(|error| error.problem)
}

#[test]
fn what_people_and_sip_uris_write_is_read() {
    for (text, expected) in [
        ("0312345678", "+81312345678"),
        ("03-1234-5678", "+81312345678"),
        ("０３－１２３４－５６７８", "+81312345678"),
        ("03(1234)5678", "+81312345678"),
        ("（03）1234ー5678", "+81312345678"),
        ("03ｰ1234ｰ5678", "+81312345678"),
        ("03─1234━5678", "+81312345678"),
        ("03.1234.5678", "+81312345678"),
        (" 03\u{3000}1234\u{a0}5678\t", "+81312345678"),
        ("\u{feff}03-1234-5678\u{200e}", "+81312345678"),
        ("03-1234-5678(代)", "+81312345678"),
        ("03-1234-5678（代表）", "+81312345678"),
        ("+81 (0)3-1234-5678", "+81312345678"),
        ("+81 3 1234 5678", "+81312345678"),
        ("＋８１３１２３４５６７８", "+81312345678"),
        ("010-81-3-1234-5678", "+81312345678"),
        ("tel:+81-3-1234-5678;phone-context=x", "+81312345678"),
        ("TEL:0312345678", "+81312345678"),
        ("0312345678;npdi=yes", "+81312345678"),
        ("0312-34-5678", "+81312345678"),
        ("09012345678", "+819012345678"),
        ("06012345678", "+816012345678"),
        ("05012345678", "+815012345678"),
        ("08001234567", "+818001234567"),
        ("0120123456", "+81120123456"),
        ("0570012345", "+81570012345"),
        ("0990123456", "+81990123456"),
        ("02001234567890", "+812001234567890"),
        ("+1 650 555 0100", "+16505550100"),
        ("010 1 650 555 0100", "+16505550100"),
        ("110", "110"),
        ("１１９", "119"),
        ("tel:118", "118"),
        ("117", "117"),
    ] {
        assert_eq!(e164(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused_with_its_reason_and_place() {
    for (text, problem, at) in [
        ("", Empty, 0),
        ("---", Empty, 3),
        ("O3-1234-5678", Character, 0),
        ("03-1234-567B", Character, 11),
        ("03～1234～5678", Character, 2),
        ("03・1234・5678", Character, 2),
        ("⓪③①", Character, 0),
        ("٠٣١٢٣٤٥٦٧٨", Character, 0),
        ("03+12345678", Plus, 2),
        ("++81312345678", Plus, 1),
        ("03-1234-567", TooShort, 11),
        ("03-1234-56789", TooLong, 12),
        ("0901234567", TooShort, 10),
        ("090123456789", TooLong, 11),
        ("0081312345678", CountryPrefix, 0),
        ("0033-03-1234-5678", CarrierPrefix, 0),
        (" 00", CarrierPrefix, 1),
        ("+81", TooShort, 3),
        ("+0312345678", Unknown, 1),
        ("+", TooShort, 1),
        ("+123456", TooShort, 7),
        ("+1234567890123456", TooLong, 16),
        ("201", Unknown, 0),
        ("11", TooShort, 2),
        ("1100", Unknown, 0),
        ("184110", PrivacyPrefix, 0),
        ("(186) 03-1234-5678", PrivacyPrefix, 1),
        ("*21#", Character, 0),
        ("03-1234-567#", Character, 11),
        ("+81 (0) 0312345678", Unknown, 8),
        ("0312345678\n", Character, 10),
        ("  03x", Character, 4),
        ("tel:03x", Character, 6),
        ("03-1234-5678 内線12", Extension, 15),
        ("03-1234-5678;ext=12", Extension, 17),
        ("03-1234-5678 内線", Empty, 15),
        ("03-1234-5678 内線*", Character, 15),
        ("03-1234-5678 内線123456789", TooLong, 23),
        ("03-1234-5678 代 9", Character, 15),
        ("03-1234-567 (代)", TooShort, 13),
        ("00000000000000000000000000000000000", TooLong, 32),
    ] {
        let error = Number::parse(text).unwrap_err();
        assert_eq!((error.problem, error.at), (problem, at), "{text}");
    }
    assert!(Number::from_e164("81312345678").is_err());
    assert!(Number::from_e164("+81-312345678").is_err());
    assert!(Number::from_e164("+").is_err());
}

#[test]
fn every_character_as_separator_and_as_digit_is_taken_or_refused_by_the_published_table() {
    // Written out once more, so that the table cannot grow unnoticed.
    let separators = " \t\u{3000}\u{a0}-－‐‑‒–—―−ーｰ─━()（）.．\u{feff}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\
                      \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    let (mut separating, mut digits) = (0, 0);
    for character in (0..=0x10FFFF).filter_map(char::from_u32) {
        let row = ACCEPTED
            .iter()
            .find(|row| (row.first..=row.last).contains(&character));
        let reading = row.map(|row| row.reading);
        let between = Number::parse(&format!("03{character}12345678")).map_err(|error| error.problem);
        let expected = match reading {
            Some(Reading::Separator | Reading::Invisible) => Ok(true),
            Some(Reading::Digit) => Err(TooLong),
            Some(Reading::Plus) => Err(Plus),
            // What follows is a parameter of the URI.
            _ if character == ';' => Err(TooShort),
            _ => Err(Character),
        };
        assert_eq!(
            between.map(|number| number == number_of("0312345678")),
            expected,
            "{character:?}"
        );
        separating += usize::from(between.is_ok());
        assert_eq!(between.is_ok(), separators.contains(character), "{character:?}");

        let last = Number::parse(&format!("03-1234-567{character}")).map_err(|error| error.problem);
        let expected = match (reading, character.to_digit(10), character) {
            (Some(Reading::Digit), Some(value), _) => Ok(value),
            (Some(Reading::Digit), None, _) => Ok(character as u32 - '０' as u32),
            (Some(Reading::Separator | Reading::Invisible), ..) | (_, _, ';' | '代') => Err(TooShort),
            (Some(Reading::Plus), ..) => Err(Plus),
            _ => Err(Character),
        };
        let value = last.map(|number| (number.bits() >> 20 & 0xf) as u32);
        assert_eq!(value, expected, "{character:?}");
        digits += usize::from(last.is_ok());
    }
    assert_eq!((separating, digits), (separators.chars().count(), 20));
}

#[test]
fn what_stands_around_a_number_is_taken_apart() {
    let typed = |text: &str| Typed::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    for (text, privacy, carrier, extension) in [
        ("0312345678", Privacy::Default, None, None),
        ("184-03-1234-5678", Privacy::Withhold, None, None),
        ("１８６ 03-1234-5678", Privacy::Show, None, None),
        ("0033-03-1234-5678", Privacy::Default, Some("0033"), None),
        ("001-03-1234-5678", Privacy::Default, Some("001"), None),
        ("00234-03-1234-5678", Privacy::Default, Some("00234"), None),
        ("009120-03-1234-5678", Privacy::Default, Some("009120"), None),
        (
            "184-0033-010-81-3-1234-5678",
            Privacy::Withhold,
            Some("0033"),
            None,
        ),
        ("03-1234-5678 内線12", Privacy::Default, None, Some("12")),
        ("03-1234-5678（内線 ０１２）", Privacy::Default, None, Some("012")),
        ("03-1234-5678(代) 内線12", Privacy::Default, None, Some("12")),
        (
            "tel:+81-3-1234-5678;ext=12;phone-context=x",
            Privacy::Default,
            None,
            Some("12"),
        ),
        ("184 03-1234-5678(代)", Privacy::Withhold, None, None),
    ] {
        let typed = typed(text);
        assert_eq!(typed.number, number_of("0312345678"), "{text}");
        assert_eq!(typed.privacy, privacy, "{text}");
        assert_eq!(typed.carrier.as_deref(), carrier, "{text}");
        assert_eq!(typed.extension.as_deref(), extension, "{text}");
    }
    for (text, problem, at) in [
        ("184-03-1234-567", TooShort, 15),
        ("0033-03-1234-56789", TooLong, 17),
        ("0033", TooShort, 4),
        ("186-201", Unknown, 4),
    ] {
        let error = Typed::parse(text).unwrap_err();
        assert_eq!((error.problem, error.at), (problem, at), "{text}");
    }
}

#[test]
fn of_all_three_digit_strings_only_1xy_are_numbers() {
    for value in 0..1_000 {
        let text = format!("{value:03}");
        let read = Number::parse(&text);
        assert_eq!(read.is_ok(), text.starts_with('1'), "{text}");
        if let Ok(number) = read {
            assert!(number.is_service());
            assert_eq!(
                number.is_emergency(),
                ["110", "118", "119"].contains(&&*text),
                "{text}"
            );
            assert_eq!(number.digits().as_str(), text);
            assert_eq!(number.e164().to_string(), text);
        }
    }
    for text in [
        "0110123456",
        "0118123456",
        "0119123456",
        "+1101234567",
        "+1191234567",
    ] {
        assert!(!Number::parse(text).unwrap().is_emergency(), "{text}");
    }
}

#[test]
fn showing_and_reading_are_inverse() {
    for text in [
        "0312345678",
        "09012345678",
        "02001234567890",
        "119",
        "0101650555010",
        "010123456789012345",
    ] {
        let number = Number::parse(text).unwrap();
        assert_eq!(number.digits().as_str(), text);
        assert_eq!(number.to_string(), text);
        assert_eq!(Number::parse(&number.e164().to_string()), Ok(number));
        assert_eq!(Number::from_bits(number.bits()), Some(number));
    }
    assert_eq!(Number::parse("0312345678").unwrap().bits(), 0x8131_2345_6780_000B);
}

#[test]
fn order_is_that_of_the_digits_and_an_option_costs_nothing() {
    assert_eq!(size_of::<Option<Number>>(), 8);
    let mut random = 1u64;
    let mut draw = || {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        random >> 33
    };
    let digits = |number: Number| number.e164().to_string().trim_start_matches('+').to_owned();
    let numbers: Vec<_> = (0..2_000)
        .map(|_| {
            let length = 7 + draw() % 9;
            let text: String = (0..length)
                .map(|place| (b'0' + (draw() % 10).max(u64::from(place == 0)) as u8) as char)
                .collect();
            format!("+{text}")
        })
        .filter_map(|text| Number::parse(&text).ok())
        .collect();
    assert!(numbers.len() > 1_500);
    for pair in numbers.windows(2) {
        assert_eq!(pair[0].cmp(&pair[1]), digits(pair[0]).cmp(&digits(pair[1])));
    }
}

#[test]
fn an_integer_that_is_no_number_is_refused() {
    let good = Number::parse("0312345678").unwrap().bits();
    assert_eq!(Number::from_bits(good).map(Number::bits), Some(good));
    for bad in [
        0,
        1,
        good | 0x10,           // a digit behind the last
        good & !0xf,           // no length
        good & !0xf | 0xf,     // wrong length
        good & !(0xf << 60),   // begins with 0
        good | (0xf << 40),    // a nibble that is no digit
        0x2010_0000_0000_0003, // three digits, not 1XY
        0x8131_2345_6000_0009, // too short for Japan
    ] {
        assert_eq!(Number::from_bits(bad), None, "{bad:#x}");
    }
    // As it comes from the wire.
    let mut buf = [0; 10];
    let bytes = postcard::to_slice(&(good | 0x10), &mut buf).unwrap();
    assert!(postcard::from_bytes::<Number>(bytes).is_err());
    let bytes = postcard::to_slice(&good, &mut buf).unwrap();
    assert_eq!(postcard::from_bytes::<Number>(bytes).map(Number::bits), Ok(good));
}
