//! What a contract owes for a month: lines for every number and device it had for a day of it, and for its calls.

use serde::{Deserialize, Serialize};
use shared::{Date, IdKey, Number};

use super::{Call, Error, Fee, Month, Origin, PriceList, Tax, Treatment, Yen, early_termination, tallies};
use crate::device::{Acquisition, DeviceId, DeviceState, Model};
use crate::model::{Contract, Customer};

/// What a line is about; lines are grouped by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The contract as a whole.
    Contract,
    /// A direct number and its ID (R7).
    Direct {
        /// The ID.
        key: IdKey,
        /// The number.
        number: Number,
    },
    /// A representative number.
    Rep(Number),
    /// A device.
    Device(DeviceId),
}

impl Subject {
    /// The number it is, if it is one.
    pub const fn number(self) -> Option<Number> {
        match self {
            Self::Direct { number, .. } | Self::Rep(number) => Some(number),
            Self::Contract | Self::Device(_) => None,
        }
    }
}

/// What is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A fee of the price list.
    Fee(Fee),
    /// Something that was bought.
    Purchase(Model),
    /// A month's rent.
    Rent(Model),
    /// A month's use fee.
    Use(Model),
    /// A rental that ended within its minimum term (R48).
    EarlyTermination {
        /// What was rented.
        model: Model,
        /// Months of rent that were subtracted.
        paid: u16,
        /// The customer is no company: the law limits what may be asked for (消費者), so a person has to look at it.
        review: bool,
    },
    /// Calls by this ID, or forwarded (R50).
    Calls(Origin),
}

/// One line of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub subject: Subject,
    /// What is charged.
    pub item: Item,
    /// How many calls; else 1.
    pub count: u32,
    /// How much for all of them, without tax.
    pub amount: Yen,
    /// How it is taxed.
    pub tax: Tax,
}

/// Something a contract has, or had, that is charged for.
struct Holding {
    subject: Subject,
    held: Held,
    since: Date,
    /// The first day on which it no longer is; none while it is.
    ended: Option<Date>,
}

/// Kinds of holdings.
#[derive(Clone, Copy)]
enum Held {
    /// The contract itself, with the basic ID.
    Contract,
    /// An additional ID.
    AdditionalId,
    /// The right to a representative number.
    Rep,
    /// A number, direct or representative, in use or not (R25).
    Number,
    /// A device that was bought.
    Purchase(Model, Ordered),
    /// A device that is rented.
    Rental(Model, Ordered),
    /// A device that was rented until the customer bought it.
    BoughtOut(Model, Ordered),
    /// The use of a device, bought or rented (A12).
    Use(Model, Ordered),
}

/// The day of a device's order, whose prices it keeps.
type Ordered = Date;

impl Holding {
    /// The month is charged for: it was there on a day of it.
    fn charged(&self, month: Month) -> bool {
        self.since < month.end()
            && self
                .ended
                .is_none_or(|ended| ended > self.since.max(month.first()))
    }

    /// Appends its lines in a month.
    fn lines(&self, month: Month, prices: &PriceList, out: &mut Vec<Line>) -> Result<(), Error> {
        let (charged, new) = (self.charged(month), Month::of(self.since) == month);
        // What is configured to cost nothing has no line.
        let mut line = |item, amount| {
            if amount > Yen::ZERO {
                out.push(Line {
                    subject: self.subject,
                    item,
                    count: 1,
                    amount,
                    tax: Tax::Standard,
                });
            }
        };
        let mut fee = |fee, charged, day| {
            if charged {
                line(Item::Fee(fee), prices.fee(fee, day)?);
            }
            Ok::<_, Error>(())
        };
        match self.held {
            Held::Contract => fee(Fee::Base, charged, month.first())?,
            Held::Rep => fee(Fee::Rep, charged, month.first())?,
            Held::AdditionalId => {
                fee(Fee::AdditionalIdSetup, new, self.since)?;
                fee(Fee::AdditionalId, charged, month.first())?;
            }
            Held::Number => {
                fee(Fee::UniversalService, charged, month.first())?;
                fee(Fee::TelephoneRelay, charged, month.first())?;
            }
            Held::Purchase(model, ordered) if new => {
                let price = prices.price(model, Acquisition::Purchase, ordered)?;
                line(Item::Purchase(model), price);
            }
            Held::Rental(model, ordered) | Held::BoughtOut(model, ordered) if charged => {
                let rent = prices.price(model, Acquisition::Rental, ordered)?;
                line(Item::Rent(model), rent);
            }
            Held::Use(model, ordered) if charged => {
                line(Item::Use(model), prices.offer(model, ordered)?.use_fee);
            }
            _ => {}
        }
        Ok(())
    }

    /// The line for a rental that came back within its minimum term, in the month of its last day.
    fn early_termination(
        &self,
        month: Month,
        customer: Customer,
        prices: &PriceList,
    ) -> Result<Option<Line>, Error> {
        let (Held::Rental(model, ordered), Some(ended)) = (self.held, self.ended) else {
            return Ok(None);
        };
        let last = Month::of(ended.plus_days(-1).max(self.since));
        if last != month {
            return Ok(None);
        }
        // A rental of no day is charged for no month.
        let paid = if self.charged(month) {
            Month::of(self.since).until(last).saturating_add(1)
        } else {
            0
        };
        let Treatment { term, tax } = prices.early_termination();
        let offer = prices.offer(model, ordered)?;
        let amount = early_termination(&offer, self.since, ended, paid, term)?;
        let review = customer == Customer::Consumer;
        Ok((amount > Yen::ZERO).then_some(Line {
            subject: self.subject,
            count: 1,
            item: Item::EarlyTermination { model, paid, review },
            amount,
            tax,
        }))
    }
}

/// All lines of a month with its calls, grouped by what they are about.
pub fn lines(
    contract: &Contract,
    month: Month,
    calls: &[Call],
    prices: &PriceList,
) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for holding in holdings(contract) {
        holding.lines(month, prices, &mut lines)?;
        lines.extend(holding.early_termination(month, contract.customer, prices)?);
    }
    for tally in tallies(contract, month, calls, prices)? {
        lines.push(Line {
            subject: tally.subject,
            item: Item::Calls(tally.origin),
            count: tally.calls,
            amount: tally.amount,
            tax: Tax::Standard,
        });
    }
    lines.sort_by_key(|line| (line.subject, line.item));
    Ok(lines)
}

/// A number the contract has or had.
struct Numbered {
    subject: Subject,
    since: Date,
    ended: Option<Date>,
    /// What came in its place.
    next: Option<Number>,
}

impl Numbered {
    /// It goes on as the other one: an ID lasts as long as it has a number (R7), a representative number as long as another
    /// one comes in its place.
    fn goes_on_as(&self, other: &Self) -> bool {
        let same = match (self.subject, other.subject) {
            (Subject::Direct { key, .. }, Subject::Direct { key: next, .. }) => key == next,
            (Subject::Rep(_), Subject::Rep(next)) => self.next == Some(next),
            _ => false,
        };
        same && self.ended.is_some_and(|ended| ended >= other.since)
    }
}

fn numbers(contract: &Contract) -> impl Iterator<Item = Numbered> {
    let direct = |key, number| Subject::Direct { key, number };
    let ids = contract.ids.iter().map(move |id| Numbered {
        subject: direct(id.key, id.direct.number),
        since: id.direct.since,
        ended: None,
        next: None,
    });
    let reps = contract.reps.iter().map(|rep| Numbered {
        subject: Subject::Rep(rep.line.number),
        since: rep.line.since,
        ended: None,
        next: None,
    });
    let former = contract.former.iter().map(move |former| Numbered {
        subject: match former.id {
            Some(key) => direct(key, former.number),
            None => Subject::Rep(former.number),
        },
        since: former.since,
        ended: Some(former.until),
        next: former.next,
    });
    former.chain(ids).chain(reps)
}

/// What a number was to the contract on a day, its last one included; none if it was not the contract's.
pub(super) fn subject(contract: &Contract, number: Number, day: Date) -> Option<Subject> {
    numbers(contract)
        .find(|one| {
            one.subject.number() == Some(number)
                && one.since <= day
                && one.ended.is_none_or(|ended| day <= ended)
        })
        .map(|one| one.subject)
}

/// The direct number of an ID, or the last one it had.
pub(super) fn direct(contract: &Contract, key: IdKey) -> Option<Number> {
    numbers(contract)
        .filter_map(|numbered| match numbered.subject {
            Subject::Direct { key: own, number } if own == key => Some(number),
            _ => None,
        })
        .last()
}

/// Everything a contract has or had.
fn holdings(contract: &Contract) -> Vec<Holding> {
    // The contract's last day is a day of it, and all it had goes with it.
    let end = contract.ended.map(|last| last.plus_days(1));
    let mut holdings = Vec::new();
    let mut hold = |subject, held, since, ended: Option<Date>| {
        holdings.push(Holding {
            subject,
            held,
            since,
            ended: ended.into_iter().chain(end).min(),
        })
    };
    hold(Subject::Contract, Held::Contract, contract.signed, None);
    for number in numbers(contract) {
        hold(number.subject, Held::Number, number.since, number.ended);
    }
    let rights = rights(contract);
    let basic = basic(contract, &rights);
    for right in rights {
        let held = match right.subject {
            Subject::Direct { key, .. } if Some(key) == basic => continue,
            Subject::Direct { .. } => Held::AdditionalId,
            _ => Held::Rep,
        };
        hold(right.subject, held, right.since, right.ended);
    }
    for device in &contract.devices {
        let (Some(since), model, ordered) = (device.shipped, device.model, device.ordered) else {
            continue;
        };
        let subject = Subject::Device(device.id);
        let returned = match (device.acquisition, device.state) {
            // Came back before it was ever used, so it was not sold; what is used is the customer's for good.
            (Acquisition::Purchase, DeviceState::Returned(_)) => continue,
            (Acquisition::Rental, DeviceState::Returned(day)) => Some(day),
            _ => None,
        };
        hold(subject, Held::Use(model, ordered), since, returned);
        match (device.acquisition, device.state) {
            (Acquisition::Purchase, _) => hold(subject, Held::Purchase(model, ordered), since, None),
            (Acquisition::Rental, DeviceState::Purchased(day)) => {
                hold(subject, Held::BoughtOut(model, ordered), since, Some(day));
                hold(subject, Held::Purchase(model, ordered), day, None);
            }
            (Acquisition::Rental, _) => hold(subject, Held::Rental(model, ordered), since, returned),
        }
    }
    holdings
}

/// The IDs and representative numbers with their days, under their last number.
fn rights(contract: &Contract) -> Vec<Numbered> {
    let mut numbers: Vec<Numbered> = numbers(contract).collect();
    numbers.sort_by_key(|number| number.since);
    let mut rights: Vec<Numbered> = Vec::new();
    for next in numbers {
        match rights.iter_mut().find(|right| right.goes_on_as(&next)) {
            Some(right) => {
                let since = right.since;
                *right = Numbered { since, ..next };
            }
            None => rights.push(next),
        }
    }
    rights
}

/// The basic ID, which is in the base fee. It ends with the contract (R16), so it is the first while there are any.
fn basic(contract: &Contract, rights: &[Numbered]) -> Option<IdKey> {
    let first = contract.ids.first().map(|id| id.key);
    let keys = rights.iter().filter_map(|right| match right.subject {
        Subject::Direct { key, .. } => Some((right.since, key)),
        _ => None,
    });
    first.or_else(|| keys.min().map(|(_, key)| key))
}
