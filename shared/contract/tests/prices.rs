//! Price lists, yen and tax.

mod office;

use contract::device::{Acquisition, Model};
use contract::refusal::Rule;
use contract::tariff::{ConfigError, Error, Fault, Fee, Price, PriceList, Tax, TooLarge, Yen, lines};
use office::*;

#[test]
fn r52_what_is_not_configured_is_refused_by_name() {
    let mut contract = signed("2022-01-01");
    add_id(&mut contract, 0, "0312340001", "2022-01-01");
    // The relay fee's months of fiscal 2023 are not in the example list.
    let error = lines(&contract, month("2023-05"), &[], &prices()).unwrap_err();
    assert_eq!(
        error,
        Error::NoPrice {
            price: Price::Fee(Fee::TelephoneRelay),
            day: day("2023-05-01")
        }
    );
    assert_eq!(error.rule(), Rule::R(52));
    assert_eq!(
        error.to_string(),
        "no price for 2023-05-01 in the price list, fees: telephone_relay"
    );
    let bare = r#"{"schema": 1, "early_termination": {"term": "completed", "tax": "standard"}}"#;
    let bare = PriceList::from_json(bare).unwrap();
    for fee in Fee::ALL {
        let refused = bare.fee(fee, day("2026-01-01")).unwrap_err().to_string();
        assert!(refused.contains(fee.name()), "{refused}");
    }
    let adapter = Model::Ht801;
    let refused = bare.offer(adapter, day("2026-01-01")).unwrap_err().to_string();
    assert!(refused.ends_with("devices: Ht801"), "{refused}");
    assert_eq!(
        prices().price(adapter, Acquisition::Rental, day("2026-01-01")),
        Err(Error::NotOffered {
            model: adapter,
            terms: Acquisition::Rental
        })
    );
}

#[test]
fn a_price_list_reads_back_as_itself_and_faults_are_named_with_their_place() {
    assert_eq!(PriceList::from_json(&prices().to_json()), Ok(prices()));
    let end = r#""early_termination": {"term": "completed", "tax": "standard"}"#;
    let row = |list: &str, rows: &str| format!(r#"{{"schema": 1, "{list}": [{rows}], {end}}}"#);
    let fee = |rest: &str| format!(r#"{{"of": "rep", "from": "2026-01-01", {rest}}}"#);
    let fees = |first: &str, second: &str| row("fees", &format!("{first}, {second}"));
    let cases = [
        (r#"{"schema": 2, "whatever": 1}"#.into(), "schema 2 is not known"),
        (row("fees", &fee(r#""price": -1"#)), "fees[0]: -1円 is below zero"),
        (
            row("fees", &fee(r#""until": "2025-12-31", "price": 1"#)),
            "fees[0]: ends before it begins",
        ),
        (
            row("fees", &fee(r#""until": "2026-02-27", "price": 1"#)),
            "fees[0]: 2026-02-28: a monthly fee changes with the month",
        ),
        (
            fees(
                &fee(r#""until": "2026-02-28", "price": 1"#),
                &fee(r#""price": 2"#),
            ),
            "fees[1]: a second price for 2026-01-01",
        ),
        (
            row(
                "devices",
                r#"{"of": "Gxp1628", "from": "2026-01-01", "price": {"buy": 1, "rent": 1, "use_fee": 1}}"#,
            ),
            "devices[0]: the guide states the price of Grandstream GXP1628",
        ),
        (
            row(
                "devices",
                r#"{"of": "PoeHub", "from": "2026-01-01", "price": {"buy": 1, "rent": 1, "use_fee": 1}}"#,
            ),
            "devices[0]: the guide states the price of PoE HUB(4port)",
        ),
        (
            row(
                "devices",
                r#"{"of": "Ht801", "from": "2026-01-01", "price": {"buy": null, "rent": null, "use_fee": 1}}"#,
            ),
            "devices[0]: neither sold nor rented out",
        ),
        (
            row(
                "devices",
                r#"{"of": "Ht801", "from": "2026-01-01", "price": {"buy": null, "rent": 1, "use_fee": 1, "minimum": 6}}"#,
            ),
            "devices[0]: a minimum term needs both prices",
        ),
        (
            row(
                "calls",
                r#"{"of": "mobile", "from": "2026-01-01", "price": {"yen": 20, "seconds": 0}}"#,
            ),
            "calls[0]: a unit of 0 seconds",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(
            PriceList::from_json(&text).unwrap_err().to_string(),
            message,
            "{text}"
        );
    }
    // What the reader of JSON refuses: it says line and column.
    for text in [
        "".to_owned(),
        r#"{"schema": 1}"#.to_owned(),
        row("fees", &fee(r#""price": 1.5"#)),
        row("fees", &fee(r#""price": 1, "untill": "2026-01-31""#)),
        row("fees", r#"{"of": "reps", "from": "2026-01-01", "price": 1}"#),
        row("fees", r#"{"of": "rep", "from": "2026-02-30", "price": 1}"#),
        row(
            "calls",
            r#"{"of": "+81", "from": "2026-01-01", "price": {"yen": 1, "seconds": 1}}"#,
        ),
        row(
            "calls",
            r#"{"of": "+0", "from": "2026-01-01", "price": {"yen": 1, "seconds": 1}}"#,
        ),
        row(
            "calls",
            r#"{"of": "home", "from": "2026-01-01", "price": {"yen": 1, "seconds": 1}}"#,
        ),
    ] {
        let error = PriceList::from_json(&text).unwrap_err();
        let ConfigError {
            at: None,
            fault: Fault::Syntax(message),
        } = error
        else {
            panic!("{text}: {error}");
        };
        assert!(message.contains("line 1 column"), "{message}");
    }
}

#[test]
fn yen_are_counted_exactly_and_shown_in_groups() {
    for (yen, text) in [
        (0, "0円"),
        (500, "500円"),
        (24_800, "24,800円"),
        (-1_234_567, "-1,234,567円"),
        (i64::MIN, "-9,223,372,036,854,775,808円"),
    ] {
        assert_eq!(Yen(yen).to_string(), text);
    }
    assert_eq!(Yen(i64::MAX).plus(Yen(1)), Err(TooLarge));
    assert_eq!(Yen(2).times(u64::MAX), Err(TooLarge));
    assert_eq!(Yen(i64::MAX).times(2), Err(TooLarge));
    assert_eq!(Yen::sum([Yen(i64::MAX), Yen(1), Yen(-1)]), Err(TooLarge));
    assert_eq!(Yen::sum([Yen(1), Yen(2), Yen(3)]), Ok(Yen(6)));
}

#[test]
fn the_standard_rate_has_its_days_and_drops_fractions() {
    for (text, percent) in [
        ("2014-03-31", 5),
        ("2014-04-01", 8),
        ("2019-09-30", 8),
        ("2019-10-01", 10),
        ("2026-04-01", 10),
    ] {
        assert_eq!(Tax::Standard.rate(day(text)), percent, "{text}");
        assert_eq!(Tax::Outside.rate(day(text)), 0);
    }
    for (net, text, tax) in [
        (0, "2026-04-01", 0),
        (9, "2026-04-01", 0),
        (10, "2026-04-01", 1),
        (19, "2026-04-01", 1),
        (99, "2019-09-30", 7),
        (1_239, "2026-04-01", 123),
    ] {
        assert_eq!(Tax::Standard.on(Yen(net), day(text)), Ok(Yen(tax)), "{net}");
        assert_eq!(Tax::Outside.on(Yen(net), day(text)), Ok(Yen::ZERO));
    }
    let last = day("2026-04-01");
    assert_eq!(Tax::Standard.on(Yen(i64::MAX), last), Err(TooLarge));
}
