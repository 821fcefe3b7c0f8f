//! Steps of money: orders and what they cost, early termination, the bill.

use contract::device::{Acquisition, Interface, Model};
use contract::model::Customer;
use contract::order::{Cart, Power, Present, Quote, Unit};
use contract::tariff::{
    Call, Error, Item, Line, MinimumTerm, Month, Origin, PriceList, Subject, Tally, Tax, Yen, charge,
    early_termination, export, lines, tallies,
};

use shared::Number;

use crate::terminals::model;
use crate::world::{Outcome, World, Wrong, same};

/// Prices that the guide does not state (R52): a representative number 200, an additional ID 700 a month, calls to mobiles
/// 20 for 30 s.
const PRICES: &str = r#"{
    "schema": 1,
    "fees": [
        {"of": "base", "from": "2020-01-01", "price": 0},
        {"of": "additional_id", "from": "2020-01-01", "price": 700},
        {"of": "additional_id_setup", "from": "2020-01-01", "price": 0},
        {"of": "rep", "from": "2020-01-01", "price": 200},
        {"of": "universal_service", "from": "2020-01-01", "price": 0},
        {"of": "telephone_relay", "from": "2020-01-01", "price": 0}
    ],
    "calls": [{"of": "mobile", "from": "2020-01-01", "price": {"yen": 20, "seconds": 30}}],
    "early_termination": {"term": "completed", "tax": "standard"}
}"#;

/// What can be billed.
pub struct Bill {
    prices: PriceList,
    calls: Vec<Call>,
    quote: Option<Quote>,
    fee: Option<Yen>,
}

impl Default for Bill {
    fn default() -> Self {
        Self {
            prices: PriceList::from_json(PRICES).unwrap(),
            calls: Vec::new(),
            quote: None,
            fee: None,
        }
    }
}

pub fn act(world: &mut World, words: &[&str]) -> Outcome {
    match words {
        ["check", "out", items @ ..] => {
            let mut cart = Cart::default();
            items
                .split(|word| *word == "and")
                .try_for_each(|item| put(&mut cart, item))?;
            match cart.quote(Present::default(), &world.bill.prices, world.today) {
                Ok(quote) => world.bill.quote = Some(quote),
                Err(fault) => world.refuse(fault.rule(), format!("{:?}", fault.choices())),
            }
            Ok(())
        }
        [
            "a",
            "rented",
            name,
            "ends",
            "after",
            months,
            "months",
            strictly @ ..,
        ] => {
            let term = match strictly {
                [] => MinimumTerm::Completed,
                ["read", "strictly"] => MinimumTerm::Within,
                _ => return Err(Wrong::Unknown),
            };
            let months = months.parse()?;
            let offer = world.bill.prices.offer(model(name)?, world.today)?;
            let ended = world.today.plus_months(months);
            let fee = early_termination(&offer, world.today, ended, months, term).map_err(|_| "too large")?;
            world.bill.fee = Some(fee);
            Ok(())
        }
        ["early", "termination", "is", "taxed", tax] => {
            let prices = PRICES.replace(r#""tax": "standard""#, &format!(r#""tax": "{tax}""#));
            world.bill.prices = PriceList::from_json(&prices)?;
            Ok(())
        }
        ["the", "customer", "is", "a", "consumer"] => {
            world.contract.customer = Customer::Consumer;
            Ok(())
        }
        ["an", "empty", "price", "list"] => {
            let empty = r#"{"schema": 1, "early_termination": {"term": "completed", "tax": "standard"}}"#;
            world.bill.prices = PriceList::from_json(empty)?;
            Ok(())
        }
        ["bill", month] => {
            if let Err(error) = bill(world, month.parse()?) {
                world.refuse(error.rule(), error);
            }
            Ok(())
        }
        [who, "called", to, "as", billed] => {
            let call = Call {
                billed: world.number(billed)?,
                origin: Origin::Id(world.id(who)?),
                to: Some(world.number(to)?),
                day: world.today,
                milliseconds: 45_000,
            };
            world.bill.calls.push(call);
            Ok(())
        }
        _ => Err(Wrong::Unknown),
    }
}

pub fn expect(world: &mut World, words: &[&str]) -> Outcome {
    let month = Month::of(world.today);
    match words {
        [name, "sells", "for", amount] => {
            let prices = &world.bill.prices;
            same(
                yen(amount)?,
                prices.price(model(name)?, Acquisition::Purchase, world.today)?,
            )
        }
        [name, "is", "called", full @ ..] => same(full.join(" "), model(name)?.name().to_owned()),
        ["hubs", "cost", amount] => {
            let once = &quote(world)?.once;
            let hubs = once
                .iter()
                .find(|position| position.item == Item::Purchase(Model::PoeHub));
            same(yen(amount)?, hubs.map_or(Yen::ZERO, |hubs| hubs.amount))
        }
        ["IDs", "to", "add", count] => same(count.parse()?, quote(world)?.ids),
        ["rent", "exceeds", "the", "price", "in", "month", month] => {
            let (_, found) = quote(world)?.break_even.first().ok_or("never")?;
            same(month.parse()?, *found)
        }
        ["fee", amount] => same(yen(amount)?, world.bill.fee.ok_or("no rental ended")?),
        ["devices", "cost", amount, "in", month] => {
            let of = |subject| matches!(subject, Subject::Device(_));
            same(yen(amount)?, owed(world, month, of)?)
        }
        [number, "costs", amount, "in", month] => {
            let number = world.number(number)?;
            let sum = owed(world, month, |subject| is_about(subject, number))?;
            same(yen(amount)?, sum)
        }
        [
            "early",
            "termination",
            "of",
            amount,
            "is",
            "taxed",
            tax,
            "in",
            month,
        ] => {
            let lines = bill(world, month.parse()?)?;
            let ended = |line: &&Line| matches!(line.item, Item::EarlyTermination { .. });
            let line = lines.iter().find(ended).ok_or("no rental ended early")?;
            same(yen(amount)?, line.amount)?;
            match line.tax == self::tax(tax)? {
                true => Ok(()),
                false => Err(format!("it is {:?}", line.tax).into()),
            }
        }
        ["early", "termination", "is", "for", "review", "in", month] => {
            let lines = bill(world, month.parse()?)?;
            let review = |line: &Line| matches!(line.item, Item::EarlyTermination { review: true, .. });
            match lines.iter().any(review) {
                true => Ok(()),
                false => Err("nobody is asked to look at it".into()),
            }
        }
        [number, "by", who, "has", count, "calls"] => {
            let (billed, origin) = (world.number(number)?, Origin::Id(world.id(who)?));
            let tallies = tally(world, month)?;
            let mut of = tallies
                .iter()
                .filter(|tally| is_about(tally.subject, billed) && tally.origin == origin);
            same(count.parse()?, of.next().map_or(0, |tally| tally.calls))
        }
        ["the", "calls", "of", "the", "bill", "cost", amount] => {
            let charges = world
                .bill
                .calls
                .iter()
                .map(|call| charge(&world.contract, call, &world.bill.prices))
                .collect::<Result<Vec<_>, _>>()?;
            let lines = bill(world, month)?;
            let calls = lines
                .iter()
                .filter(|line| matches!(line.item, Item::Calls { .. }));
            let sum = Yen::sum(calls.map(|line| line.amount)).map_err(|_| "too large")?;
            same(Yen::sum(charges).map_err(|_| "too large")?, sum)?;
            same(yen(amount)?, sum)
        }
        [direct, "is", "exported", "with", count, "lines"] => {
            let csv = export(&world.contract, month, &tally(world, month)?);
            let direct = world.number(direct)?.to_string();
            let found = csv
                .lines()
                .filter(|line| line.split(',').nth(1) == Some(direct.as_str()));
            same(count.parse()?, found.count())
        }
        _ => Err(Wrong::Unknown),
    }
}

/// `5 apps`, `1 own PoE port`, `1 hub`, `rent 2 GXP1628`; by PoE: `GXP1628+PoE`, with an AC adapter of one's own:
/// `KX-HDV230N+adapter`.
fn put(cart: &mut Cart, item: &[&str]) -> Outcome {
    let (count, what, acquisition) = match item {
        [count, "app" | "apps"] => {
            cart.apps = count.parse()?;
            return Ok(());
        }
        [count, "own", "PoE", "port" | "ports"] => {
            cart.own_poe_ports = count.parse()?;
            return Ok(());
        }
        [count, "hub" | "hubs"] => (count, "hub", Acquisition::Purchase),
        ["buy", count, what] => (count, *what, Acquisition::Purchase),
        ["rent", count, what] => (count, *what, Acquisition::Rental),
        _ => return Err(Wrong::Unknown),
    };
    let (what, power) = match what.split_once('+') {
        Some((what, "adapter")) => (what, Power::OwnAdapter),
        Some((what, "PoE")) => (what, Power::Poe),
        _ => (what, Power::Included),
    };
    let unit = Unit {
        model: model(what)?,
        acquisition,
        power,
        interface: Interface::Analog,
    };
    cart.units.extend(std::iter::repeat_n(unit, count.parse()?));
    Ok(())
}

fn quote(world: &World) -> Result<&Quote, Wrong> {
    Ok(world.bill.quote.as_ref().ok_or("nothing was ordered")?)
}

/// `24,800`.
fn yen(text: &str) -> Result<Yen, Wrong> {
    Ok(Yen(text.replace(',', "").parse()?))
}

fn tax(name: &str) -> Result<Tax, Wrong> {
    match name {
        "standard" => Ok(Tax::Standard),
        "outside" => Ok(Tax::Outside),
        _ => Err(Wrong::Unknown),
    }
}

fn is_about(subject: Subject, number: Number) -> bool {
    match subject {
        Subject::Direct { number: own, .. } | Subject::Rep(own) => own == number,
        _ => false,
    }
}

/// The sum of a month's lines about something.
fn owed(world: &World, month: &str, of: impl Fn(Subject) -> bool) -> Result<Yen, Wrong> {
    let lines = bill(world, month.parse()?)?;
    let lines = lines.iter().filter(|line| of(line.subject));
    Ok(Yen::sum(lines.map(|line| line.amount)).map_err(|_| "too large")?)
}

fn bill(world: &World, month: Month) -> Result<Vec<Line>, Error> {
    lines(&world.contract, month, &world.bill.calls, &world.bill.prices)
}

fn tally(world: &World, month: Month) -> Result<Vec<Tally>, Wrong> {
    Ok(tallies(
        &world.contract,
        month,
        &world.bill.calls,
        &world.bill.prices,
    )?)
}
