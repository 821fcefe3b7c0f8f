//! Prices, monthly lines and early termination, against tables worked out by hand from the guide.

mod office;

use contract::catalogue::CATALOGUE;
use contract::device::{Acquisition, DeviceState, Model};
use contract::model::Customer;
use contract::refusal::Rule;
use contract::tariff::{
    ConfigError, Error, Fault, Fee, Item, Line, MinimumTerm, Month, Price, PriceList, Rounding, Subject, Tax,
    TooLarge, Yen, early_termination, lines,
};
use office::*;
use proptest::prelude::*;
use shared::Date;

const GXP: Model = Model::Gxp1628;
const KX: Model = Model::KxHdv230n;

fn of_month(contract: &contract::Contract, text: &str) -> Vec<Line> {
    lines(contract, month(text), &[], &prices()).unwrap()
}

/// What the devices cost in a month, as (item, yen).
fn devices(contract: &contract::Contract, text: &str) -> Vec<(Item, i64)> {
    of_month(contract, text)
        .into_iter()
        .filter(|line| matches!(line.subject, Subject::Device(_)))
        .map(|line| (line.item, line.amount.0))
        .collect()
}

fn sum(lines: &[(Item, i64)]) -> i64 {
    lines.iter().map(|(_, yen)| yen).sum()
}

#[test]
fn r46_two_rented_gxp1628_are_3400_a_month() {
    let mut contract = signed("2022-05-02");
    add_device(&mut contract, Model::Gxp1628, Acquisition::Rental, "2022-05-02");
    add_device(&mut contract, Model::Gxp1628, Acquisition::Rental, "2022-05-31");
    let rent = [(Item::Rent(GXP), 1_200), (Item::Use(GXP), 500)];
    let both = [rent, rent].concat();
    assert_eq!(devices(&contract, "2022-05"), both);
    assert_eq!(devices(&contract, "2026-02"), both);
    assert_eq!(sum(&both), 3_400);
    assert_eq!(devices(&contract, "2022-04"), []);
}

#[test]
fn r47_a_bought_kx_hdv230n_is_25300_in_its_first_month_and_500_in_the_others() {
    let mut contract = signed("2022-05-02");
    add_device(
        &mut contract,
        Model::KxHdv230n,
        Acquisition::Purchase,
        "2022-05-31",
    );
    assert_eq!(
        devices(&contract, "2022-05"),
        [(Item::Purchase(KX), 24_800), (Item::Use(KX), 500)]
    );
    // Sales ended with that month; the phone goes on at its price.
    assert_eq!(devices(&contract, "2022-06"), [(Item::Use(KX), 500)]);
}

#[test]
fn r47_break_even_is_the_ninth_month_of_rent() {
    for row in &CATALOGUE[..2] {
        let offer = row.price;
        let (Yen(buy), Yen(rent)) = (offer.buy.unwrap(), offer.rent.unwrap());
        // Counted up instead of divided.
        let month = (1..).find(|month| month * rent > buy).unwrap();
        assert_eq!((offer.break_even(), month), (Some(9), 9), "{:?}", row.of);
    }
    assert_eq!(CATALOGUE[2].price.break_even(), None);
}

#[test]
fn r49_hubs_are_8000_each_once() {
    let mut contract = signed("2022-05-01");
    add_device(&mut contract, Model::PoeHub, Acquisition::Purchase, "2022-05-31");
    add_device(&mut contract, Model::PoeHub, Acquisition::Purchase, "2022-05-31");
    assert_eq!(
        devices(&contract, "2022-05"),
        [(Item::Purchase(Model::PoeHub), 8_000); 2]
    );
    assert_eq!(devices(&contract, "2022-06"), []);
    let day = day("2022-05-31");
    assert_eq!(
        prices()
            .price(Model::PoeHub, Acquisition::Rental, day)
            .unwrap_err()
            .rule(),
        Rule::R(49)
    );
}

/// R48, the table: months paid, fee if the term is over with six months, fee in the strict reading (A6).
const EARLY: [(u16, i64, i64); 13] = [
    (0, 24_800, 24_800),
    (1, 21_820, 21_820),
    (2, 18_840, 18_840),
    (3, 15_860, 15_860),
    (4, 12_880, 12_880),
    (5, 9_900, 9_900),
    (6, 0, 6_920),
    (7, 0, 0),
    (8, 0, 0),
    (9, 0, 0),
    (10, 0, 0),
    (11, 0, 0),
    (12, 0, 0),
];

#[test]
fn r48_the_table_in_both_readings_for_every_model_and_acquisition() {
    let since = day("2022-05-01");
    for (paid, completed, within) in EARLY {
        for row in &CATALOGUE {
            for (term, fee) in [(MinimumTerm::Completed, completed), (MinimumTerm::Within, within)] {
                let fee = if row.of == KX { fee } else { 0 };
                assert_eq!(
                    early_termination(&row.price, since, since.plus_months(paid), paid, term),
                    Ok(Yen(fee)),
                    "{paid} months of {:?}, {term:?}",
                    row.of
                );
            }
        }
        // The same as lines of the contract: rented on a first, returned on a first, so as many months as were paid.
        for (acquisition, model) in [
            (Acquisition::Rental, Model::KxHdv230n),
            (Acquisition::Purchase, Model::KxHdv230n),
            (Acquisition::Rental, Model::Gxp1628),
            (Acquisition::Purchase, Model::Gxp1628),
        ] {
            for customer in [Customer::Corporate, Customer::Consumer] {
                let mut contract = signed("2022-05-01");
                contract.customer = customer;
                add_device(&mut contract, model, acquisition, "2022-05-01");
                contract.devices[0].state = DeviceState::Returned(since.plus_months(paid));
                let last = Month::of(since.plus_months(paid.saturating_sub(1)));
                let found: Vec<_> = devices(&contract, &last.to_string())
                    .into_iter()
                    .filter(|(item, _)| matches!(item, Item::EarlyTermination { .. }))
                    .collect();
                let review = customer == Customer::Consumer;
                let expected =
                    if (acquisition, model) == (Acquisition::Rental, Model::KxHdv230n) && completed > 0 {
                        vec![(Item::EarlyTermination { model, paid, review }, completed)]
                    } else {
                        vec![]
                    };
                assert_eq!(found, expected, "{paid} {acquisition:?} {model:?}");
            }
        }
    }
}

#[test]
fn r48_within_the_term_counts_days_and_paid_counts_months_charged() {
    // From 31 January to 1 June: four months and a day, but six months are charged. 24,800 - 6 x 2,980 = 6,920.
    let mut contract = signed("2022-01-31");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-01-31");
    contract.devices[0].state = DeviceState::Returned(day("2022-06-02"));
    let ended = [
        (Item::Rent(KX), 2_980),
        (Item::Use(KX), 500),
        (
            Item::EarlyTermination {
                model: KX,
                paid: 6,
                review: false,
            },
            6_920,
        ),
    ];
    assert_eq!(devices(&contract, "2022-06"), ended);
    assert_eq!(devices(&contract, "2022-07"), []);
    // On the day the six months are complete (30 July or later) there is no fee.
    contract.devices[0].state = DeviceState::Returned(day("2022-07-31"));
    assert_eq!(sum(&devices(&contract, "2022-07")), 3_480);
}

#[test]
fn r48_is_per_unit_also_when_the_contract_ends() {
    let mut contract = signed("2022-05-01");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-05-01");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-05-20");
    contract.ended = Some(day("2022-06-30"));
    // Two months each: 2 x (2,980 + 500 + 18,840).
    assert_eq!(sum(&devices(&contract, "2022-06")), 44_640);
    assert_eq!(of_month(&contract, "2022-07"), []);
}

#[test]
fn r48_the_fee_is_taxed_as_configured() {
    let mut contract = signed("2022-05-01");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-05-01");
    contract.devices[0].state = DeviceState::Returned(day("2022-05-20"));
    for (name, tax) in [("standard", Tax::Standard), ("outside", Tax::Outside)] {
        let text =
            include_str!("prices.json").replace("\"tax\": \"standard\"", &format!("\"tax\": \"{name}\""));
        let list = PriceList::from_json(&text).unwrap();
        let lines = lines(&contract, month("2022-05"), &[], &list).unwrap();
        let fee = lines
            .iter()
            .find(|line| matches!(line.item, Item::EarlyTermination { .. }))
            .unwrap();
        assert_eq!((fee.amount, fee.tax), (Yen(21_820), tax));
    }
}

#[test]
fn a_rental_that_is_bought_out_costs_the_purchase_price_and_no_fee() {
    let mut contract = signed("2022-05-01");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-05-01");
    contract.devices[0].state = DeviceState::Purchased(day("2022-06-10"));
    assert_eq!(
        devices(&contract, "2022-06"),
        [
            (Item::Purchase(KX), 24_800),
            (Item::Rent(KX), 2_980),
            (Item::Use(KX), 500)
        ]
    );
    assert_eq!(devices(&contract, "2022-07"), [(Item::Use(KX), 500)]);
}

#[test]
fn what_was_bought_and_came_back_was_not_sold() {
    let mut contract = signed("2022-05-01");
    add_device(
        &mut contract,
        Model::KxHdv230n,
        Acquisition::Purchase,
        "2022-05-01",
    );
    contract.devices[0].state = DeviceState::Returned(day("2022-06-10"));
    assert_eq!(devices(&contract, "2022-05"), []);
}

#[test]
fn what_was_not_shipped_costs_nothing() {
    let mut contract = signed("2022-05-01");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-05-01");
    contract.devices[0].shipped = None;
    assert_eq!(devices(&contract, "2022-05"), []);
}

#[test]
fn ids_and_numbers_are_charged_for_every_month_they_were_there() {
    let fee = |subject, fee, yen| (subject, Item::Fee(fee), yen);
    let direct = |index, digits| Subject::Direct {
        key: key(index),
        number: number(digits),
    };
    let found = |contract: &contract::Contract, text: &str| -> Vec<_> {
        of_month(contract, text)
            .iter()
            .map(|line| (line.subject, line.item, line.amount.0))
            .collect()
    };
    let mut contract = signed("2024-05-10");
    add_id(&mut contract, 0, "0312340001", "2024-05-10");
    add_id(&mut contract, 1, "0312340002", "2024-06-15");
    // ID 1 had another number until it was ported in; ID 2 went.
    contract.ids[1].direct.since = day("2024-08-03");
    add_former(&mut contract, Some(1), "0312340009", "2024-06-15", "2024-08-03");
    add_former(&mut contract, Some(2), "0312340003", "2024-06-30", "2024-08-01");
    add_rep(&mut contract, "0312340000", "2024-08-31");
    assert_eq!(
        found(&contract, "2024-05"),
        [
            fee(Subject::Contract, Fee::Base, 3_000),
            fee(direct(0, "0312340001"), Fee::UniversalService, 2),
            fee(direct(0, "0312340001"), Fee::TelephoneRelay, 1),
        ]
    );
    assert_eq!(
        found(&contract, "2024-06"),
        [
            fee(Subject::Contract, Fee::Base, 3_000),
            fee(direct(0, "0312340001"), Fee::UniversalService, 2),
            fee(direct(0, "0312340001"), Fee::TelephoneRelay, 1),
            fee(direct(1, "0312340002"), Fee::AdditionalId, 700),
            fee(direct(1, "0312340002"), Fee::AdditionalIdSetup, 5_000),
            fee(direct(1, "0312340009"), Fee::UniversalService, 2),
            fee(direct(1, "0312340009"), Fee::TelephoneRelay, 1),
            fee(direct(2, "0312340003"), Fee::AdditionalId, 700),
            fee(direct(2, "0312340003"), Fee::AdditionalIdSetup, 5_000),
            fee(direct(2, "0312340003"), Fee::UniversalService, 2),
            fee(direct(2, "0312340003"), Fee::TelephoneRelay, 1),
        ]
    );
    // In August ID 1 has two numbers one after the other and is one ID; ID 2 is gone since the first.
    assert_eq!(
        found(&contract, "2024-08"),
        [
            fee(Subject::Contract, Fee::Base, 3_000),
            fee(direct(0, "0312340001"), Fee::UniversalService, 2),
            fee(direct(0, "0312340001"), Fee::TelephoneRelay, 1),
            fee(direct(1, "0312340002"), Fee::AdditionalId, 700),
            fee(direct(1, "0312340002"), Fee::UniversalService, 2),
            fee(direct(1, "0312340002"), Fee::TelephoneRelay, 1),
            fee(direct(1, "0312340009"), Fee::UniversalService, 2),
            fee(direct(1, "0312340009"), Fee::TelephoneRelay, 1),
            fee(Subject::Rep(number("0312340000")), Fee::Rep, 200),
            fee(Subject::Rep(number("0312340000")), Fee::UniversalService, 2),
            fee(Subject::Rep(number("0312340000")), Fee::TelephoneRelay, 1),
        ]
    );
}

#[test]
fn dated_fees_change_with_the_month() {
    let mut contract = signed("2022-01-01");
    add_id(&mut contract, 0, "0312340001", "2022-01-01");
    for (text, universal, relay) in [
        ("2022-01", 2, 1),
        ("2022-03", 2, 0),
        ("2022-09", 2, 1),
        ("2025-06", 2, 1),
        ("2025-07", 3, 1),
        ("2025-12", 3, 1),
        ("2026-01", 2, 1),
    ] {
        let amount = |fee| {
            of_month(&contract, text)
                .iter()
                .filter(|line| line.item == Item::Fee(fee))
                .map(|line| line.amount.0)
                .sum::<i64>()
        };
        assert_eq!(
            (amount(Fee::UniversalService), amount(Fee::TelephoneRelay)),
            (universal, relay),
            "{text}"
        );
    }
}

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
        (format!(r#"{{"schema": 2, {end}}}"#), "schema 2 is not known"),
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
fn the_standard_rate_has_its_days_and_rounding_its_modes() {
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
    for (net, percent, down, half_up, up) in [
        (0, 10, 0, 0, 0),
        (1, 10, 0, 0, 1),
        (5, 10, 0, 1, 1),
        (10, 10, 1, 1, 1),
        (14, 10, 1, 1, 2),
        (15, 10, 1, 2, 2),
        (99, 8, 7, 8, 8),
        (1_234, 10, 123, 123, 124),
    ] {
        let round = |mode: Rounding| mode.percent(Yen(net), percent).unwrap().0;
        assert_eq!(
            [Rounding::Down, Rounding::HalfUp, Rounding::Up].map(round),
            [down, half_up, up],
            "{percent} % of {net}"
        );
    }
    assert_eq!(Rounding::Up.percent(Yen(i64::MAX), 10), Err(TooLarge));
}

proptest! {
    /// R48: the fee never grows with the months paid nor with the days, is never below zero and never above the price.
    #[test]
    fn early_termination_is_monotone(since in 0u16..40_000, length in 0u16..400, longer in 0u16..60, paid in 0u16..400) {
        let offer = CATALOGUE[1].price;
        let since = Date::from_days(since);
        for term in [MinimumTerm::Completed, MinimumTerm::Within] {
            let fee = |days: u16, paid| {
                early_termination(&offer, since, since.plus_days(days.into()), paid, term).unwrap()
            };
            let now = fee(length, paid);
            prop_assert!(now >= fee(length + longer, paid));
            prop_assert!(now >= fee(length, paid + 1));
            prop_assert!(now >= Yen::ZERO && now <= Yen(24_800));
        }
    }
}
