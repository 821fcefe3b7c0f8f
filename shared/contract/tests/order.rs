//! Orders: what is refused, with what choices, and what the rest costs (R5, R17, R32, R35, R39, R40, R43, R45, R47).

mod office;

use contract::Lang;
use contract::device::{Acquisition, Interface, Model};
use contract::order::{Cart, Choice, Fault, Power, Present, Quote, Unit};
use contract::refusal::Rule;
use contract::tariff::{Error, Fee, Item, Price, PriceList, Yen};
use office::*;
use proptest::prelude::*;

/// A day on which the Panasonic phone was sold.
const THEN: &str = "2022-05-31";
/// The day after.
const LATER: &str = "2022-06-01";

fn units(count: usize, model: Model, acquisition: Acquisition) -> Vec<Unit> {
    let unit = Unit {
        model,
        acquisition,
        power: Power::Included,
        interface: Interface::Analog,
    };
    vec![unit; count]
}

fn cart(units: Vec<Unit>) -> Cart {
    Cart {
        units,
        ..Cart::default()
    }
}

fn quote(cart: &Cart, on: &str) -> Result<Quote, Fault> {
    cart.quote(Present::default(), &prices(), day(on))
}

#[test]
fn r39_a_panasonic_phone_needs_a_port_with_power() {
    use Acquisition::{Purchase, Rental};
    for (phones, hubs, own, missing) in [
        (1, 0, 0, Some((1, 1))),
        (1, 0, 1, None),
        (1, 1, 0, None),
        (4, 1, 0, None),
        // R40: five need two hubs.
        (5, 0, 0, Some((5, 2))),
        (5, 1, 0, Some((1, 1))),
        (5, 2, 0, None),
        (5, 1, 1, None),
        (9, 1, 0, Some((5, 2))),
    ] {
        let mut cart = cart(units(phones, Model::KxHdv230n, Rental));
        cart.units.extend(units(hubs, Model::PoeHub, Purchase));
        cart.own_poe_ports = own;
        let found = quote(&cart, THEN);
        let Some((ports, more)) = missing else {
            assert!(found.is_ok(), "{phones} {hubs} {own}: {found:?}");
            continue;
        };
        let fault = found.unwrap_err();
        assert_eq!(fault.rule(), Rule::R(39));
        assert_eq!(
            fault,
            Fault::NoPoePort {
                units: phones as u16,
                ports: 4 * hubs as u16 + own
            }
        );
        assert_eq!(
            fault.choices(),
            [Choice::BuyHubs(more), Choice::UseOwnPorts(ports)]
        );
        // Either choice is enough.
        let mut bought = cart.clone();
        bought.units.extend(units(more.into(), Model::PoeHub, Purchase));
        assert!(quote(&bought, THEN).is_ok());
        cart.own_poe_ports += ports;
        assert!(quote(&cart, THEN).is_ok());
    }
}

#[test]
fn r39_a7_who_needs_poe_depends_on_model_and_power() {
    for (model, power, needs) in [
        (Model::KxHdv230n, Power::Included, true),
        (Model::KxHdv230n, Power::Poe, true),
        (Model::KxHdv230n, Power::OwnAdapter, false),
        (Model::Gxp1628, Power::Included, false),
        (Model::Gxp1628, Power::Poe, true),
        (Model::Gxp1628, Power::OwnAdapter, false),
        (Model::Ht801, Power::Included, false),
    ] {
        let mut cart = cart(units(1, model, Acquisition::Purchase));
        cart.units[0].power = power;
        let refused = quote(&cart, THEN).is_err_and(|fault| fault.rule() == Rule::R(39));
        assert_eq!(refused, needs, "{model:?} {power:?}");
    }
}

#[test]
fn r40_hubs_are_8000_each() {
    let mut cart = cart(units(5, Model::KxHdv230n, Acquisition::Purchase));
    cart.units.extend(units(2, Model::PoeHub, Acquisition::Purchase));
    let quote = quote(&cart, THEN).unwrap();
    let hubs = quote
        .once
        .iter()
        .find(|position| position.item == Item::Purchase(Model::PoeHub));
    let hubs = hubs.unwrap();
    assert_eq!(
        (hubs.count, hubs.price, hubs.amount),
        (2, Yen(8_000), Yen(16_000))
    );
}

#[test]
fn r43_adapters_connect_analog_equipment_only() {
    for interface in [Interface::Isdn, Interface::Digital, Interface::Ip] {
        for (model, refused) in [(Model::Ht801, true), (Model::Gxp1628, false)] {
            let mut cart = cart(units(1, model, Acquisition::Purchase));
            cart.units[0].interface = interface;
            let found = quote(&cart, THEN);
            if refused {
                let fault = found.unwrap_err();
                assert_eq!((fault, fault.rule()), (Fault::AnalogOnly(interface), Rule::R(43)));
                assert_eq!(fault.choices(), [Choice::ConnectAnalog]);
            } else {
                assert!(found.is_ok());
            }
        }
    }
}

#[test]
fn r35_the_panasonic_phone_was_sold_until_may_2022() {
    let mut cart = cart(units(1, Model::KxHdv230n, Acquisition::Rental));
    cart.own_poe_ports = 1;
    assert!(quote(&cart, THEN).is_ok());
    let fault = quote(&cart, LATER).unwrap_err();
    assert_eq!(
        fault,
        Fault::NotOnSale {
            model: Model::KxHdv230n,
            until: day(THEN)
        }
    );
    assert_eq!(fault.rule(), Rule::R(35));
}

#[test]
fn r17_as_many_ids_as_terminals_the_basic_one_among_them() {
    let phones = |count| cart(units(count, Model::Gxp1628, Acquisition::Rental));
    let count = |quote: &Quote, fee| {
        let mut all = quote.monthly.iter().chain(&quote.once);
        all.find(|position| position.item == Item::Fee(fee))
            .map_or(0, |position| position.count)
    };
    // The given/when/then of R17, an order without terminals, adapters by port (A14), and what is there already.
    let adapters = |count| cart(units(count, Model::Ht801, Acquisition::Purchase));
    for (cart, ids, terminals, basic, additional) in [
        (phones(5), 0, 0, 1, 4),
        (phones(0), 0, 0, 1, 0),
        (adapters(2), 0, 0, 1, 1),
        (phones(3), 1, 1, 0, 3),
        (phones(3), 4, 2, 0, 1),
        (phones(2), 4, 2, 0, 0),
        (phones(0), 4, 2, 0, 0),
    ] {
        let quote = cart
            .quote(Present { ids, terminals }, &prices(), day(THEN))
            .unwrap();
        assert_eq!(
            (
                count(&quote, Fee::Base),
                count(&quote, Fee::AdditionalId),
                quote.ids
            ),
            (basic, additional, basic + additional)
        );
        assert_eq!(count(&quote, Fee::AdditionalIdSetup), additional);
        assert_eq!(count(&quote, Fee::UniversalService), basic + additional);
    }
    assert!(quote(&phones(64), THEN).is_ok());
    let fault = quote(&phones(65), THEN).unwrap_err();
    assert_eq!(fault, Fault::TooManyIds { ids: 65, most: 64 });
    assert_eq!(fault.rule(), Rule::R(5));
}

/// Worked out by hand: a new contract in May 2022 with an app, two Panasonic phones rented and one bought, a Grandstream
/// phone bought, an adapter bought, a hub, and two representative numbers.
#[test]
fn a_quote_worked_out_by_hand() {
    let mut cart = Cart {
        units: units(2, Model::KxHdv230n, Acquisition::Rental),
        apps: 1,
        reps: 2,
        own_poe_ports: 0,
    };
    for model in [Model::KxHdv230n, Model::Gxp1628, Model::Ht801, Model::PoeHub] {
        cart.units.extend(units(1, model, Acquisition::Purchase));
    }
    let quote = quote(&cart, THEN).unwrap();
    let found = |positions: &[contract::order::Position]| -> Vec<(Item, u16, i64)> {
        let position =
            |position: &contract::order::Position| (position.item, position.count, position.amount.0);
        positions.iter().map(position).collect()
    };
    // 1 app + 3 Panasonic + 1 Grandstream + 1 adapter = 6 IDs: 1 basic, 5 additional; 6 + 2 = 8 numbers.
    assert_eq!(quote.ids, 6);
    assert_eq!(
        found(&quote.once),
        [
            (Item::Fee(Fee::AdditionalIdSetup), 5, 25_000),
            (Item::Purchase(Model::Gxp1628), 1, 9_800),
            (Item::Purchase(Model::KxHdv230n), 1, 24_800),
            (Item::Purchase(Model::Ht801), 1, 12_000),
            (Item::Purchase(Model::PoeHub), 1, 8_000),
        ]
    );
    assert_eq!(quote.once_total, Yen(79_600));
    assert_eq!(
        found(&quote.monthly),
        [
            (Item::Fee(Fee::Base), 1, 3_000),
            (Item::Fee(Fee::AdditionalId), 5, 3_500),
            (Item::Fee(Fee::Rep), 2, 400),
            (Item::Fee(Fee::UniversalService), 8, 16),
            (Item::Fee(Fee::TelephoneRelay), 8, 8),
            (Item::Use(Model::Gxp1628), 1, 500),
            (Item::Rent(Model::KxHdv230n), 2, 5_960),
            (Item::Use(Model::KxHdv230n), 3, 1_500),
            (Item::Use(Model::Ht801), 1, 300),
        ]
    );
    assert_eq!(quote.monthly_total, Yen(15_184));
    // Only what is rented has a month of break-even and a minimum term.
    assert_eq!(quote.break_even, [(Model::KxHdv230n, 9)]);
    assert_eq!(quote.minimum, [(Model::KxHdv230n, 6)]);
}

#[test]
fn r52_an_order_needs_the_prices_of_what_is_in_it_and_no_others() {
    let text = include_str!("prices.json");
    for (fee, cart) in [
        (Fee::Base, cart(vec![])),
        (
            Fee::AdditionalId,
            cart(units(2, Model::Gxp1628, Acquisition::Rental)),
        ),
        (
            Fee::AdditionalIdSetup,
            cart(units(2, Model::Gxp1628, Acquisition::Rental)),
        ),
        (
            Fee::Rep,
            Cart {
                reps: 1,
                ..cart(vec![])
            },
        ),
        (Fee::UniversalService, cart(vec![])),
        (Fee::TelephoneRelay, cart(vec![])),
    ] {
        // The list without the fee's rows.
        let without: String = text
            .lines()
            .filter(|line| !line.contains(&format!("\"{}\"", fee.name())))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .replace("},\n  ]", "}\n  ]");
        let without = PriceList::from_json(&without).unwrap();
        let present = Present::default();
        let fault = cart.quote(present, &without, day(THEN)).unwrap_err();
        assert_eq!(
            fault,
            Fault::Price(Error::NoPrice {
                price: Price::Fee(fee),
                day: day(THEN)
            })
        );
        assert_eq!(
            (fault.rule(), fault.choices()),
            (Rule::R(52), vec![Choice::AskOperator])
        );
        // It is not needed for a contract that orders nothing.
        let nothing = Cart::default();
        assert!(
            nothing
                .quote(Present { ids: 1, terminals: 1 }, &without, day(THEN))
                .is_ok()
        );
    }
    let adapter = cart(units(1, Model::Ht802, Acquisition::Purchase));
    let fault = quote(&adapter, THEN).unwrap_err();
    assert_eq!(fault.rule(), Rule::R(52));
    let hub = cart(units(1, Model::PoeHub, Acquisition::Rental));
    assert_eq!(quote(&hub, THEN).unwrap_err().rule(), Rule::R(49));
}

/// Every refusal says in both languages what is wrong, with its parameters, and what to do.
#[test]
fn refusals_have_texts() {
    let no_price = Error::NoPrice {
        price: Price::Fee(Fee::Rep),
        day: day(THEN),
    };
    let not_offered = Error::NotOffered {
        model: Model::PoeHub,
        terms: Acquisition::Rental,
    };
    let not_on_sale = Fault::NotOnSale {
        model: Model::KxHdv230n,
        until: day(THEN),
    };
    for (fault, parameters) in [
        (
            Fault::NoPoePort { units: 5, ports: 0 },
            vec!["5", "0", "2", "PoE"],
        ),
        (Fault::AnalogOnly(Interface::Isdn), vec!["ISDN"]),
        (not_on_sale, vec!["KX-HDV230N", THEN]),
        (Fault::TooManyIds { ids: 65, most: 64 }, vec!["65", "64"]),
        (Fault::Price(no_price), vec!["fees: rep", THEN]),
        (Fault::Price(not_offered), vec!["PoE HUB"]),
        (
            Fault::Price(Error::NotOurs(number("0312340001"))),
            vec!["0312340001"],
        ),
        (Fault::Price(Error::WrongMonth(month("2026-02"))), vec!["2026-02"]),
        (Fault::Price(Error::TooLarge), vec![]),
    ] {
        let [ja, en] = [Lang::Ja, Lang::En].map(|lang| fault.text(lang));
        for text in [&ja, &en] {
            let all = format!("{} {}", text.what, text.next).to_uppercase();
            for parameter in &parameters {
                assert!(all.contains(&parameter.to_uppercase()), "{parameter} in {all}");
            }
            assert!(!text.what.is_empty() && !text.next.is_empty());
        }
        assert!(en.what.is_ascii() && en.next.is_ascii() && !ja.what.is_ascii() && ja.next.ends_with('。'));
    }
}

proptest! {
    /// A quote adds up, counts every unit once, and never has a Panasonic phone without a port.
    #[test]
    fn quotes_add_up(
        wanted in prop::collection::vec((0usize..4, any::<bool>()), 0..30),
        apps in 0u16..9, reps in 0u16..9, own_poe_ports in 0u16..9,
    ) {
        let models = [Model::Gxp1628, Model::KxHdv230n, Model::Ht801, Model::PoeHub];
        let wanted: Vec<_> = wanted
            .into_iter()
            .flat_map(|(model, rent)| {
                // Adapters and hubs are only sold.
                let acquisition = if rent && model < 2 { Acquisition::Rental } else { Acquisition::Purchase };
                units(1, models[model], acquisition)
            })
            .collect();
        let count = |model| wanted.iter().filter(|unit| unit.model == model).count() as i64;
        let [gxp, kx, ht, hubs] = models.map(count);
        let rented = |model| {
            let mut all: Vec<_> = wanted.iter().filter(|unit| unit.model == model).collect();
            all.retain(|unit| unit.acquisition == Acquisition::Rental);
            all.len() as i64
        };
        let (rented_gxp, rented_kx) = (rented(Model::Gxp1628), rented(Model::KxHdv230n));
        let cart = Cart { units: wanted, apps, reps, own_poe_ports };
        match quote(&cart, THEN) {
            Err(fault) => {
                prop_assert_eq!(fault.rule(), Rule::R(39));
                prop_assert!(kx > 4 * hubs + i64::from(own_poe_ports));
            }
            Ok(quote) => {
                prop_assert!(kx <= 4 * hubs + i64::from(own_poe_ports));
                let ids = (gxp + kx + ht + i64::from(apps)).max(1);
                let numbers = ids + i64::from(reps);
                prop_assert_eq!(quote.once_total, Yen(
                    (ids - 1) * 5_000 + (gxp - rented_gxp) * 9_800 + (kx - rented_kx) * 24_800
                        + ht * 12_000 + hubs * 8_000
                ));
                prop_assert_eq!(quote.monthly_total, Yen(
                    3_000 + (ids - 1) * 700 + i64::from(reps) * 200 + numbers * 3
                        + gxp * 500 + rented_gxp * 1_200 + kx * 500 + rented_kx * 2_980 + ht * 300
                ));
            }
        }
    }
}
