//! Orders: what is in the cart, whether it can work (R5, R17, R39, R40, R43), and what it costs.

use shared::{Date, IdKey};

use crate::catalogue::HUB_PORTS;
use crate::device::{Acquisition, Interface, Model};
use crate::refusal::Rule;
use crate::tariff::{Error, Fee, Item, PriceList, TooLarge, Yen};

/// Where a device gets its power from (R38).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// The AC adapter in its box, or PoE if there is none (R39).
    Included,
    /// PoE.
    Poe,
    /// An AC adapter of the customer's own (A7).
    OwnAdapter,
}

/// One device in the cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What.
    pub model: Model,
    /// Bought or rented (R46).
    pub acquisition: Acquisition,
    /// Its power.
    pub power: Power,
    /// What an adapter's ports connect; of no interest for others (R43).
    pub interface: Interface,
}

impl Unit {
    /// It needs a port with power. The Panasonic phone could take AC, but comes without the adapter (R39, A7).
    const fn needs_poe(&self) -> bool {
        match self.power {
            Power::Included => !self.model.has_ac_adapter(),
            Power::Poe => true,
            Power::OwnAdapter => false,
        }
    }
}

/// What a customer wants to order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cart {
    /// Devices, hubs among them.
    pub units: Vec<Unit>,
    /// Smartphones with the app.
    pub apps: u16,
    /// Representative numbers; whether they can be had is the contract's matter (R12 to R14).
    pub reps: u16,
    /// Free ports with power of hubs the customer has, as the customer attests (R39).
    pub own_poe_ports: u16,
}

/// What the contract has already; nothing if it is to be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// IDs.
    pub ids: u16,
    /// Terminals, each on one of the IDs (R5).
    pub terminals: u16,
}

/// A line of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// What.
    pub item: Item,
    /// How many.
    pub count: u16,
    /// One of them, without tax.
    pub price: Yen,
    /// All of them.
    pub amount: Yen,
}

/// What an order costs, without tax. Calls are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// IDs to add: the basic one of a new contract, and additional ones (R17).
    pub ids: u16,
    /// Paid once.
    pub once: Vec<Position>,
    /// Paid every month.
    pub monthly: Vec<Position>,
    /// Sum of what is paid once.
    pub once_total: Yen,
    /// Sum of what is paid every month.
    pub monthly_total: Yen,
    /// Rented devices with the month with which the rent exceeds the purchase price (R47).
    pub break_even: Vec<(Model, i64)>,
    /// Rented devices with the months the rental lasts at least (R48).
    pub minimum: Vec<(Model, u16)>,
}

/// Why an order cannot be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// R39: more devices need a port with power than there are.
    NoPoePort {
        /// Devices that need one.
        units: u16,
        /// Ports of the hubs in the cart and the customer's own.
        ports: u16,
    },
    /// R43: an adapter connects analog equipment only.
    AnalogOnly(Interface),
    /// R35: it is no longer sold.
    NotOnSale {
        /// What.
        model: Model,
        /// The last day it was.
        until: Date,
    },
    /// R5: every terminal needs an ID, and a contract has no more than these.
    TooManyIds {
        /// IDs it would have.
        ids: u16,
        /// The most there can be.
        most: u16,
    },
    /// R46 to R52: it has no price.
    Price(Error),
}

/// What the customer can do about a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Buy so many hubs (more) (R40).
    BuyHubs(u16),
    /// Attest so many ports (more) of hubs of one's own (R40).
    UseOwnPorts(u16),
    /// Connect an analog telephone or FAX machine instead (R43).
    ConnectAnalog,
    /// Order another desk phone.
    OtherModel,
    /// Order fewer terminals.
    FewerTerminals,
    /// Ask the operator: the price list lacks a price.
    AskOperator,
}

impl Fault {
    /// The rule that was broken.
    pub const fn rule(self) -> Rule {
        match self {
            Self::NoPoePort { .. } => Rule::R(39),
            Self::AnalogOnly(_) => Rule::R(43),
            Self::NotOnSale { .. } => Rule::R(35),
            Self::TooManyIds { .. } => Rule::R(5),
            Self::Price(error) => error.rule(),
        }
    }

    /// The next steps, one of which is enough.
    pub fn choices(self) -> Vec<Choice> {
        match self {
            Self::NoPoePort { units, ports } => {
                let missing = units.saturating_sub(ports);
                vec![
                    Choice::BuyHubs(missing.div_ceil(HUB_PORTS)),
                    Choice::UseOwnPorts(missing),
                ]
            }
            Self::AnalogOnly(_) => vec![Choice::ConnectAnalog],
            Self::NotOnSale { .. } => vec![Choice::OtherModel],
            Self::TooManyIds { .. } => vec![Choice::FewerTerminals],
            Self::Price(_) => vec![Choice::AskOperator],
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Price(error)
    }
}

impl From<TooLarge> for Fault {
    fn from(error: TooLarge) -> Self {
        Self::Price(error.into())
    }
}

impl Cart {
    /// Checks the order on a day and says what it costs.
    pub fn quote(&self, present: Present, prices: &PriceList, day: Date) -> Result<Quote, Fault> {
        self.check_devices(prices, day)?;
        let ids = self.missing_ids(present)?;
        let first = u16::from(present.ids == 0);
        let additional = ids.saturating_sub(first);
        let numbers = count(&[ids, self.reps])?;
        let mut quote = Quote {
            ids,
            ..Quote::default()
        };
        for (fee, count) in [
            (Fee::Base, first),
            (Fee::AdditionalId, additional),
            (Fee::Rep, self.reps),
            (Fee::UniversalService, numbers),
            (Fee::TelephoneRelay, numbers),
        ] {
            push(&mut quote.monthly, Item::Fee(fee), count, || prices.fee(fee, day))?;
        }
        push(
            &mut quote.once,
            Item::Fee(Fee::AdditionalIdSetup),
            additional,
            || prices.fee(Fee::AdditionalIdSetup, day),
        )?;
        for model in Model::ALL {
            let on = |terms| self.count(|unit| unit.model == model && unit.acquisition == terms);
            let (bought, rented) = (on(Acquisition::Purchase)?, on(Acquisition::Rental)?);
            push(&mut quote.once, Item::Purchase(model), bought, || {
                prices.price(model, Acquisition::Purchase, day)
            })?;
            push(&mut quote.monthly, Item::Rent(model), rented, || {
                prices.price(model, Acquisition::Rental, day)
            })?;
            let all = count(&[bought, rented])?;
            if all == 0 {
                continue;
            }
            let offer = prices.offer(model, day)?;
            push(&mut quote.monthly, Item::Use(model), all, || Ok(offer.use_fee))?;
            if rented > 0 {
                quote
                    .break_even
                    .extend(offer.break_even().map(|month| (model, month)));
                if offer.minimum > 0 {
                    quote.minimum.push((model, offer.minimum));
                }
            }
        }
        quote.once_total = Yen::sum(quote.once.iter().map(|position| position.amount))?;
        quote.monthly_total = Yen::sum(quote.monthly.iter().map(|position| position.amount))?;
        Ok(quote)
    }

    /// R35, R39, R43: each device is sold, has its power, and an adapter what it can work with.
    fn check_devices(&self, prices: &PriceList, day: Date) -> Result<(), Fault> {
        for unit in &self.units {
            let model = unit.model;
            if let Some(until) = prices.sold_until(model, day) {
                return Err(Fault::NotOnSale { model, until });
            }
            if model.is_adapter() && unit.interface != Interface::Analog {
                return Err(Fault::AnalogOnly(unit.interface));
            }
        }
        let units = self.count(Unit::needs_poe)?;
        let hubs = self.count(|unit| unit.model == Model::PoeHub)?;
        let ports = hubs
            .checked_mul(HUB_PORTS)
            .and_then(|ports| ports.checked_add(self.own_poe_ports))
            .ok_or(TooLarge)?;
        if units > ports {
            return Err(Fault::NoPoePort { units, ports });
        }
        Ok(())
    }

    /// IDs to add so that every terminal has one, and a new contract its basic one (R5, R16, R17, A14).
    fn missing_ids(&self, present: Present) -> Result<u16, Fault> {
        let mut terminals = count(&[self.apps, present.terminals])?;
        for unit in &self.units {
            terminals = count(&[terminals, unit.model.ports() as u16])?;
        }
        let ids = terminals.max(1).max(present.ids);
        let most = IdKey::COUNT as u16;
        if ids > most {
            return Err(Fault::TooManyIds { ids, most });
        }
        Ok(ids.saturating_sub(present.ids))
    }

    fn count(&self, which: impl Fn(&Unit) -> bool) -> Result<u16, TooLarge> {
        u16::try_from(self.units.iter().filter(|unit| which(unit)).count()).map_err(|_| TooLarge)
    }
}

fn count(counts: &[u16]) -> Result<u16, TooLarge> {
    counts
        .iter()
        .try_fold(0u16, |sum, count| sum.checked_add(*count))
        .ok_or(TooLarge)
}

/// Appends a line. What is not ordered needs no price, and what is configured to cost nothing has no line.
fn push(
    positions: &mut Vec<Position>,
    item: Item,
    count: u16,
    price: impl FnOnce() -> Result<Yen, Error>,
) -> Result<(), Error> {
    if count == 0 {
        return Ok(());
    }
    let price = price()?;
    if price > Yen::ZERO {
        positions.push(Position {
            item,
            count,
            price,
            amount: price.times(u64::from(count))?,
        });
    }
    Ok(())
}
