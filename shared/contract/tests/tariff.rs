//! Prices, monthly lines and early termination, against tables worked out by hand from the guide.

mod office;

use contract::area::Table;
use contract::catalogue::CATALOGUE;
use contract::command::{NewDevice, NewId, NewSite};
use contract::device::{Acquisition, DeviceState, Interface, Model};
use contract::model::Customer;
use contract::refusal::Rule;
use contract::tariff::{
    Fee, Item, Line, MinimumTerm, Month, PriceList, Subject, Tax, Yen, early_termination, lines,
};
use contract::{Actor, Command, Context, apply};
use office::*;
use proptest::prelude::*;
use shared::{Date, Extension, IdSet, SiteId, TerminalKind};

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
fn the_last_day_of_a_contract_is_a_day_of_it() {
    let mut contract = signed("2022-05-01");
    contract.ended = Some(day("2022-06-01"));
    let sum = |text: &str| {
        of_month(&contract, text)
            .iter()
            .map(|line| line.amount.0)
            .sum::<i64>()
    };
    assert_eq!(
        [sum("2022-04"), sum("2022-05"), sum("2022-06"), sum("2022-07")],
        [0, 3_000, 3_000, 0]
    );
}

#[test]
fn a6_the_price_list_says_how_the_last_day_is_read() {
    let mut contract = signed("2022-05-01");
    add_device(&mut contract, Model::KxHdv230n, Acquisition::Rental, "2022-05-01");
    for (term, returned, fee) in [
        ("completed", "2022-11-01", 0),
        ("within", "2022-11-01", 6_920),
        ("within", "2022-11-02", 0),
    ] {
        contract.devices[0].state = DeviceState::Returned(day(returned));
        let text = include_str!("prices.json").replace("\"completed\"", &format!("\"{term}\""));
        let list = PriceList::from_json(&text).unwrap();
        let fees = ["2022-10", "2022-11"].map(|text| {
            let lines = lines(&contract, month(text), &[], &list).unwrap();
            let early = lines
                .iter()
                .filter(|line| matches!(line.item, Item::EarlyTermination { .. }));
            early.map(|line| line.amount.0).sum::<i64>()
        });
        assert_eq!(fees.iter().sum::<i64>(), fee, "{term} {returned}");
    }
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

/// A representative number that another one replaces is one right in that month, and two numbers.
#[test]
fn a_ported_representative_number_is_charged_once() {
    let mut contract = signed("2024-05-10");
    add_id(&mut contract, 0, "0312340001", "2024-05-10");
    add_rep(&mut contract, "0355550003", "2024-08-20");
    // 1 until the 3rd, then 2 until the 20th, then 3.
    for (digits, next, since, until) in [
        ("0355550001", "0355550002", "2024-06-01", "2024-08-03"),
        ("0355550002", "0355550003", "2024-08-03", "2024-08-20"),
    ] {
        add_former(&mut contract, None, digits, since, until);
        contract.former.last_mut().unwrap().next = Some(number(next));
    }
    // Another one went on the day the last one came: that is a second right.
    add_former(&mut contract, None, "0355550009", "2024-06-01", "2024-08-20");
    let charged = |text: &str, fee| {
        let lines = of_month(&contract, text).into_iter();
        let lines = lines.filter(|line| line.item == Item::Fee(fee));
        lines.map(|line| line.subject.number()).collect::<Vec<_>>()
    };
    let all = |digits: &[&str]| -> Vec<_> { digits.iter().map(|one| Some(number(one))).collect() };
    for (text, reps) in [
        ("2024-05", &[][..]),
        ("2024-06", &["0355550003", "0355550009"]),
        ("2024-08", &["0355550003", "0355550009"]),
        ("2024-09", &["0355550003"]),
    ] {
        assert_eq!(charged(text, Fee::Rep), all(reps), "{text}");
    }
    let numbers = [
        "0312340001",
        "0355550001",
        "0355550002",
        "0355550003",
        "0355550009",
    ];
    assert_eq!(charged("2024-08", Fee::UniversalService), all(&numbers));
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

/// The days that lines depend on come from the commands themselves.
#[test]
fn a_contract_changed_by_commands_is_charged_by_their_days() {
    let mut contract = signed("2022-01-01");
    let run = |contract: &mut contract::Contract, on: &str, command: Command| {
        let context = Context {
            today: day(on),
            actor: Actor::Operator,
            owner: &|_| None,
            areas: &Table::shipped(),
            in_call: IdSet::EMPTY,
        };
        *contract = apply(contract, &command, &context).unwrap().0;
    };
    let site = NewSite {
        id: SiteId(1),
        name: "本社".into(),
        address: None,
    };
    run(&mut contract, "2022-01-01", Command::AddSite(site));
    for (value, on) in [(201, "2022-01-01"), (202, "2022-01-31"), (203, "2022-02-02")] {
        let new = NewId {
            site: None,
            direct: number(&format!("05012340{value}")),
            extension: Extension::new(value).unwrap(),
            label: "電話".into(),
            kind: TerminalKind::Fixed,
        };
        run(&mut contract, on, Command::AddId(new));
    }
    let keys: Vec<_> = contract.ids.iter().map(|id| id.key).collect();
    let rented = |key| NewDevice {
        model: Model::KxHdv230n,
        acquisition: Acquisition::Rental,
        site: SiteId(1),
        ports: vec![Some(key)],
        interface: Interface::Analog,
        own_power: false,
    };
    let hub = NewDevice {
        model: Model::PoeHub,
        acquisition: Acquisition::Purchase,
        site: SiteId(1),
        ports: vec![],
        interface: Interface::Analog,
        own_power: false,
    };
    run(&mut contract, "2022-01-20", Command::OrderDevice(hub));
    run(&mut contract, "2022-01-20", Command::OrderDevice(rented(keys[1])));
    let (hub, phone) = (contract.devices[0].id, contract.devices[1].id);
    let mac = "00:80:f0:12:34:56".parse().unwrap();
    run(&mut contract, "2022-01-30", Command::ConfigureDevice(phone, mac));
    run(&mut contract, "2022-02-01", Command::ShipDevice(phone));
    run(&mut contract, "2022-02-01", Command::ShipDevice(hub));
    run(&mut contract, "2022-02-03", Command::DeviceOnline(mac));
    run(&mut contract, "2022-03-15", Command::ReturnDevice(phone));
    run(&mut contract, "2022-03-16", Command::RemoveId(keys[2]));
    run(&mut contract, "2022-05-31", Command::End);
    let sum = |text: &str| {
        of_month(&contract, text)
            .iter()
            .map(|line| line.amount.0)
            .sum::<i64>()
    };
    // Base, two IDs (2 + 1 each), one of them additional: 3,000 + 6 + 5,700.
    assert_eq!(sum("2022-01"), 8_706);
    // Base, three IDs (2 each, no relay fee), two additional, one new: 3,000 + 6 + 2 x 700 + 5,000 = 9,406; the phone:
    // 2,980 + 500; the hub: 8,000.
    assert_eq!(sum("2022-02"), 20_886);
    // 3,000 + 6 + 1,400; the phone again, and its two months of six: 3,480 + 24,800 - 2 x 2,980.
    assert_eq!(sum("2022-03"), 26_726);
    // 3,000 + 2 x 3 + 700.
    assert_eq!(sum("2022-04"), 3_706);
    assert_eq!(sum("2022-05"), 3_706);
    assert_eq!(sum("2022-06"), 0);
}
