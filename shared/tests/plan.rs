//! The numbering plan: kinds, days, groups, and the page that publishes them.

use shared::number::plan::{Kind, Outgoing, PREFIXES, Row, SERVICES, classify};
use shared::number::{ACCEPTED, Area};
use shared::{Date, Number};

const PAGE: &str = include_str!("../numbers.md");

fn number(text: &str) -> Number {
    Number::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn area(text: &str) -> Area {
    number(text).area().unwrap()
}

fn range(first: String, last: String) -> String {
    if first == last {
        first
    } else {
        format!("{first}–{last}")
    }
}

/// The lines of the page's table with this heading.
fn table(heading: &str) -> Vec<&'static str> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(heading));
    lines.skip(2).take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_page_shows_the_accept_set() {
    let shown = table("| code points |");
    assert_eq!(shown.len(), ACCEPTED.len());
    for (row, line) in ACCEPTED.iter().zip(shown) {
        let point = |character| format!("U+{:04X}", u32::from(character));
        let expected = format!(
            "| {} | {:?} | ",
            range(point(row.first), point(row.last)),
            row.reading
        );
        assert!(line.starts_with(&expected), "{expected}");
    }
}

#[test]
fn the_page_shows_the_plan() {
    let shown = table("| begins with |");
    assert_eq!(shown.len(), SERVICES.len() + PREFIXES.len());
    for (row, line) in SERVICES.iter().chain(&PREFIXES).zip(shown) {
        let service = row.last < 200 && row.groups == (0, 0) && SERVICES.contains(row);
        let head = |value: u16| {
            if service {
                format!("{value}")
            } else {
                format!("0{value:03}")
            }
        };
        let shown = ["", "123456", "1234567", "1234567890"]
            .iter()
            .find_map(|tail| Number::parse(&(head(row.first) + tail)).ok())
            .unwrap();
        let holds = match (row.from, row.until) {
            (Date::FIRST, Date::LAST) => "always".to_owned(),
            (Date::FIRST, until) => format!("until {until}"),
            (from, _) => format!("from {from}"),
        };
        let expected = format!(
            "| {} | {:?} | {} | {holds} | {:?} | ",
            range(head(row.first), head(row.last)),
            row.kind,
            shown.grouped(),
            row.kind.outgoing()
        );
        assert!(line.starts_with(&expected), "{expected}");
    }
}

#[test]
fn rows_are_in_order_and_do_not_overlap() {
    let in_order = |rows: &[Row]| {
        rows.iter()
            .all(|row| row.first <= row.last && row.from <= row.until)
            && rows.windows(2).all(|pair| pair[0].last < pair[1].first)
    };
    assert!(in_order(&SERVICES) && in_order(&PREFIXES));
    assert!(ACCEPTED.iter().all(|row| row.first <= row.last));
    assert!(ACCEPTED.windows(2).all(|pair| pair[0].last < pair[1].first));
}

#[test]
fn golden_numbers() {
    let later = day("2026-07-01");
    for (text, shown, abroad, same_area) in [
        ("0312345678", "03-1234-5678", "+81 3-1234-5678", "0398765432"),
        ("0422221234", "0422-22-1234", "+81 422-22-1234", "0422301234"),
        ("0424401234", "042-440-1234", "+81 42-440-1234", "0424801234"),
        ("0470912345", "04-7091-2345", "+81 4-7091-2345", "0470921234"),
        ("0471012345", "04-7101-2345", "+81 4-7101-2345", "0471671234"),
        ("0429212345", "04-2921-2345", "+81 4-2921-2345", "0429221234"),
        ("0539612345", "0539-61-2345", "+81 539-61-2345", "0539621234"),
        ("0539642345", "053-964-2345", "+81 53-964-2345", "0534521234"),
        ("0597922345", "05979-2-2345", "+81 5979-2-2345", "0597931234"),
        ("0851221234", "08512-2-1234", "+81 8512-2-1234", "0851231234"),
        ("0863661234", "0863-66-1234", "+81 863-66-1234", "0863211234"),
        ("0829211234", "082-921-1234", "+81 82-921-1234", "0822211234"),
        ("0829201234", "0829-20-1234", "+81 829-20-1234", "0829311234"),
        ("0484211234", "048-421-1234", "+81 48-421-1234", "0484421234"),
        ("0486421234", "048-642-1234", "+81 48-642-1234", "0486451234"),
        ("0485211234", "048-521-1234", "+81 48-521-1234", "0485221234"),
        ("0489221234", "048-922-1234", "+81 48-922-1234", "0489241234"),
    ] {
        let number = number(text);
        assert_eq!(number.grouped().to_string(), shown);
        assert_eq!(format!("{:#}", number.grouped()), abroad);
        assert_eq!(
            classify(number, later),
            Kind::Geographic(area(same_area)),
            "{text}"
        );
    }
    // One area code, several areas; and one name, two areas (武蔵野三鷹).
    let saitama = ["0484211234", "0486421234", "0485211234", "0489221234"].map(area);
    assert!((1..4).all(|index| !saitama[index..].contains(&saitama[index - 1])));
    assert_ne!(area("0422221234"), area("0424401234"));
    for (text, shown, abroad, kind) in [
        ("0120123456", "0120-123-456", "+81 120-123-456", Kind::TollFree),
        ("08001234567", "0800-123-4567", "+81 800-123-4567", Kind::TollFree),
        ("08012345678", "080-1234-5678", "+81 80-1234-5678", Kind::Mobile),
        ("06012345678", "060-1234-5678", "+81 60-1234-5678", Kind::Mobile),
        ("05012345678", "050-1234-5678", "+81 50-1234-5678", Kind::Ip),
        ("0600123456", "0600-123-456", "+81 600-123-456", Kind::Fmc),
        ("06001234567", "0600-123-4567", "+81 600-123-4567", Kind::Fmc),
        ("02001234567890", "02001234567890", "+812001234567890", Kind::M2m),
        ("02012345678", "020-1234-5678", "+81 20-1234-5678", Kind::M2m),
        ("02041234567", "020-4123-4567", "+81 20-4123-4567", Kind::Pager),
        ("0570012345", "0570-012-345", "+81 570-012-345", Kind::NaviDial),
        ("0990123456", "0990-123-456", "+81 990-123-456", Kind::Premium),
        ("0180123456", "0180-123-456", "+81 180-123-456", Kind::Teledome),
        ("0221123456", "0221123456", "+81221123456", Kind::Unassigned),
        ("05001234567", "05001234567", "+815001234567", Kind::Unassigned),
        ("118", "118", "118", Kind::Emergency),
        ("117", "117", "117", Kind::Service),
        ("184", "184", "184", Kind::Unassigned),
        ("101", "101", "101", Kind::Unassigned),
        (
            "+16505550100",
            "+16505550100",
            "+16505550100",
            Kind::International,
        ),
    ] {
        let number = number(text);
        assert_eq!(number.grouped().to_string(), shown);
        assert_eq!(format!("{:#}", number.grouped()), abroad);
        assert_eq!(classify(number, later), kind, "{text}");
    }
}

#[test]
fn the_plan_changes_on_its_days() {
    for (text, date, kind) in [
        ("06012345678", "2026-06-30", Kind::Unassigned),
        ("06012345678", "2026-07-01", Kind::Mobile),
        ("177", "2025-03-31", Kind::Service),
        ("177", "2025-04-01", Kind::Ended),
        ("104", "2026-03-31", Kind::Service),
        ("104", "2026-04-01", Kind::Ended),
        ("119", "2149-06-06", Kind::Emergency),
    ] {
        assert_eq!(classify(number(text), day(date)), kind, "{text} on {date}");
    }
    assert_eq!(Kind::Ended.outgoing(), Outgoing::Block);
    assert_eq!(Kind::International.outgoing(), Outgoing::Off);
}

#[test]
fn only_geographic_numbers_and_050_can_be_given_out() {
    for (text, assignable) in [
        ("0312345678", true),
        ("05012345678", true),
        ("05001234567", false),
        ("0221123456", false),
        ("09012345678", false),
        ("0120123456", false),
        ("0570123456", false),
        ("+16505550100", false),
        ("110", false),
    ] {
        assert_eq!(
            classify(number(text), day("2026-07-01")).is_assignable(),
            assignable,
            "{text}"
        );
    }
}

/// The plan once more, written as text patterns: digits of the number and its kind.
fn pattern(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let length = text.len();
    let wanted = match bytes {
        // Of another country, or of this one.
        [b'0', b'1', b'0', b'8', b'1', b'0', ..] => return pattern(&text[5..]),
        [b'0', b'1', b'0', b'8', b'1', ..] => return pattern(&format!("0{}", &text[5..])),
        [b'0', b'1', b'0', b'0', ..] => return None,
        [b'0', b'1', b'0', ..] => return (length - 3 >= 7).then_some("International"),
        [b'0', b'0', ..] => return None,
        [b'0', b'2', b'0', b'0', ..] => (14..=14, "M2m"),
        [b'0', b'2', b'0', b'4', ..] => (11..=11, "Pager"),
        [b'0', b'2', b'0', ..] => (11..=11, "M2m"),
        [b'0', b'6', b'0', b'0', ..] => (10..=11, "Fmc"),
        [b'0', b'8', b'0', b'0', ..] => (11..=11, "TollFree"),
        [b'0', b'5' | b'7' | b'9', b'0', b'0', ..] => (11..=11, "Unassigned"),
        [b'0', b'5', b'0', ..] => (11..=11, "Ip"),
        [b'0', b'6'..=b'9', b'0', ..] => (11..=11, "Mobile"),
        [b'0', b'1', b'2', b'0', ..] => (10..=10, "TollFree"),
        [b'0', b'1', b'8', b'0', ..] => (10..=10, "Teledome"),
        [b'0', b'5', b'7', b'0', ..] => (10..=10, "NaviDial"),
        [b'0', b'9', b'9', b'0', ..] => (10..=10, "Premium"),
        [b'0', ..] => (10..=10, "Geographic"),
        _ => return None,
    };
    wanted.0.contains(&length).then_some(wanted.1)
}

#[test]
fn all_heads_of_six_digits_with_nine_to_fourteen_digits() {
    let mut numbers = 0;
    for head in 0..1_000_000u32 {
        for length in 9..=14 {
            let mut text = *b"00000022222222";
            let mut rest = head;
            for place in (0..6).rev() {
                text[place] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            let text = std::str::from_utf8(&text[..length]).unwrap();
            let kind = Number::parse(text)
                .ok()
                .map(|number| classify(number, Date::LAST));
            let same = match (pattern(text), kind) {
                (Some("Geographic"), Some(Kind::Geographic(_) | Kind::Unassigned)) => true,
                (Some(name), Some(kind)) => name == format!("{kind:?}"),
                (expected, kind) => expected.is_none() && kind.is_none(),
            };
            assert!(same, "{text} is {kind:?}, not {:?}", pattern(text));
            numbers += u32::from(kind.is_some());
        }
    }
    assert!(numbers > 90_000, "{numbers}");
}

#[test]
fn what_is_shown_is_read_again() {
    let read = |number: Number| {
        for text in [
            number.to_string(),
            number.e164().to_string(),
            number.grouped().to_string(),
            format!("{:#}", number.grouped()),
        ] {
            assert_eq!(Number::parse(&text), Ok(number), "{text}");
        }
        assert_eq!(Number::from_bits(number.bits()), Some(number));
    };
    // All kinds with all heads.
    let mut count = 0;
    for head in 0..100_000 {
        for tail in ["0000", "9999", "00000", "55555", "00000000"] {
            if let Ok(number) = Number::parse(&format!("0{head:05}{tail}")) {
                read(number);
                count += 1;
            }
        }
    }
    assert!(count > 180_000, "{count}");
    (100..200).for_each(|code| read(number(&code.to_string())));
    for digits in 7..=15 {
        read(number(&format!("+{}", &"442079460018123"[..digits])));
    }
}

#[test]
fn order_is_that_of_the_digits_for_every_head() {
    let all: Vec<_> = (0..100_000)
        .flat_map(|head| ["2345", "23456"].map(|tail| format!("+81{head:05}{tail}")))
        .chain((100..200).map(|code| code.to_string()))
        .chain((1..99).map(|country| format!("+{country}23456789")))
        .filter_map(|text| {
            Some((
                text.trim_start_matches('+').to_owned(),
                Number::parse(&text).ok()?,
            ))
        })
        // +81 0 3 is read as +81 3.
        .filter(|(text, number)| number.e164().to_string().trim_start_matches('+') == text)
        .collect();
    assert!(all.len() > 90_000, "{}", all.len());
    let (mut by_digits, mut by_number) = (all.clone(), all);
    by_digits.sort_by(|one, other| one.0.cmp(&other.0));
    by_number.sort_by_key(|(_, number)| *number);
    assert_eq!(by_digits, by_number);
}
