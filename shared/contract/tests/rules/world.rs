//! An office as a case sees it: a contract, what its terminals do, and what the last step came to.

use std::collections::BTreeMap;

use contract::area::Table;
use contract::device::DeviceId;
use contract::effect::Effect;
use contract::model::Customer;
use contract::{Actor, Command, Context, Contract, Lang, PlanVersion, apply};
use shared::guard::Guard;
use shared::{ContractId, Date, Facts, IdKey, IdSet, Number, Site, SiteId};

use crate::calls::{Calls, Outgoing};
use crate::document::Mood;
use crate::money::Bill;
use crate::{calls, money, office, terminals};

/// Why a step is not as it says.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It says nothing that is understood.
    Unknown,
    /// What is the case instead.
    Is(String),
}

impl<T: ToString> From<T> for Wrong {
    fn from(what: T) -> Self {
        Self::Is(what.to_string())
    }
}

/// A step that was done, or an expectation that holds.
pub type Outcome = Result<(), Wrong>;

/// Fails unless both are the same.
pub fn same<T: PartialEq + std::fmt::Display>(wanted: T, found: T) -> Outcome {
    match wanted == found {
        true => Ok(()),
        false => Err(Wrong::Is(format!("it is {found}"))),
    }
}

/// The rule and the texts of a refusal.
pub struct Refused {
    pub rule: String,
    pub text: String,
    /// The case said that it would be refused.
    pub expected: bool,
}

pub struct World {
    pub contract: Contract,
    pub today: Date,
    /// Keys of IDs by their digit, from 1; removed ones too.
    pub ids: Vec<IdKey>,
    /// Numbers that are not those of their position.
    pub numbers: BTreeMap<String, Number>,
    /// Numbers of somebody else.
    pub taken: Vec<Number>,
    pub areas: Table,
    pub facts: Facts,
    pub guard: Guard,
    pub calls: Calls,
    pub outgoing: Option<Outgoing>,
    pub bill: Bill,
    /// What the last command led to.
    pub effects: Vec<Effect>,
    pub refused: Option<Refused>,
}

impl World {
    /// A contract with one site and nothing else.
    pub fn new() -> Self {
        let today = Date::new(2021, 4, 1).unwrap();
        let id = ContractId(7);
        let mut world = Self {
            contract: Contract::sign(
                id,
                "株式会社電話番",
                Customer::Corporate,
                PlanVersion::Guide,
                today,
            ),
            today,
            ids: Vec::new(),
            numbers: BTreeMap::new(),
            taken: Vec::new(),
            areas: Table::shipped(),
            facts: Facts::default(),
            guard: Guard::new(),
            calls: Calls::default(),
            outgoing: None,
            bill: Bill::default(),
            effects: Vec::new(),
            refused: None,
        };
        office::open(&mut world, SiteId(1), "東京都千代田区丸の内");
        world
    }

    /// Does a step of a case, or looks whether it is so.
    pub fn step(&mut self, mood: Mood, text: &str) -> Outcome {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let (["refused", rule], Mood::Then) = (words.as_slice(), mood) {
            let refused = self.refused.as_mut().ok_or("it was not refused")?;
            refused.expected = true;
            return same(*rule, &refused.rule);
        }
        if let Some(refused) = self.refused.as_ref().filter(|refused| !refused.expected) {
            return Err(Wrong::Is(format!(
                "the step before was refused by {}: {}",
                refused.rule, refused.text
            )));
        }
        let modules: [fn(&mut Self, &[&str]) -> Outcome; 4] = match mood {
            Mood::Then => [office::expect, terminals::expect, calls::expect, money::expect],
            Mood::Given | Mood::When => {
                self.refused = None;
                self.effects.clear();
                [office::act, terminals::act, calls::act, money::act]
            }
        };
        let outcomes = modules.into_iter().map(|module| module(self, &words));
        let mut known = outcomes.filter(|outcome| *outcome != Err(Wrong::Unknown));
        known.next().unwrap_or(Err(Wrong::Unknown))
    }

    /// Does a step that must not be refused, within another one.
    pub fn step_given(&mut self, words: &[&str]) -> Outcome {
        self.step(Mood::Given, &words.join(" "))
    }

    /// Has the contract carry out a command, or keeps its refusal.
    pub fn command(&mut self, command: Command) -> Outcome {
        let own = self.contract.id;
        let owner = |number| match self.taken.contains(&number) {
            true => Some(ContractId(8)),
            false => self.contract.role(number).map(|_| own),
        };
        let context = Context {
            today: self.today,
            actor: actor(&command),
            owner: &owner,
            areas: &self.areas,
            in_call: self.facts.busy,
        };
        match apply(&self.contract, &command, &context) {
            Ok((contract, effects)) => {
                self.contract = contract;
                self.effects = effects;
            }
            Err(refusal) => {
                let texts = [Lang::Ja, Lang::En].map(|lang| refusal.text(lang));
                let [ja, en] = texts.map(|text| format!("{}。{}", text.what, text.next));
                self.refuse(refusal.rule(), format!("{ja} {en}"));
            }
        }
        Ok(())
    }

    /// The last step was refused.
    pub fn refuse(&mut self, rule: impl ToString, text: impl ToString) {
        self.refused = Some(Refused {
            rule: rule.to_string(),
            text: text.to_string(),
            expected: false,
        });
    }

    /// The configuration that box and cloud have of the head office, which knows all IDs of the contract.
    pub fn site(&self) -> Result<Site, Wrong> {
        Ok(self.contract.configuration(SiteId(1), "denwaban.example", &[])?)
    }

    /// The ID a case calls so: a letter for its terminal, or D for its direct number, and its position.
    pub fn id(&self, name: &str) -> Result<IdKey, Wrong> {
        let position = position(name, &["A", "F", "P", "D"])?;
        let key = self.ids.get(position - 1).copied();
        key.ok_or_else(|| Wrong::Is(format!("there was never an ID {name}")))
    }

    /// Several IDs; `nobody` is none.
    pub fn set(&self, names: &[&str]) -> Result<IdSet, Wrong> {
        match names {
            ["nobody"] => Ok(IdSet::EMPTY),
            _ => names.iter().map(|name| self.id(name)).collect(),
        }
    }

    /// What a case calls this ID.
    pub fn name(&self, key: IdKey) -> String {
        let position = self.ids.iter().position(|id| *id == key).unwrap_or_default() + 1;
        let kind = self.contract.id(key).map(|id| id.kind);
        let letter = kind.map_or('?', office::letter);
        format!("{letter}{position}")
    }

    /// What a case calls these IDs.
    pub fn names(&self, set: IdSet) -> String {
        match set.is_empty() {
            true => "nobody".to_owned(),
            false => set.iter().map(|key| self.name(key)).collect::<Vec<_>>().join(" "),
        }
    }

    /// `D2`, `R1` or the digits of a number.
    pub fn number(&self, text: &str) -> Result<Number, Wrong> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        let digits = match (position(text, &["D"]), position(text, &["R"])) {
            (Ok(position), _) => format!("03-1234-{position:04}"),
            (_, Ok(position)) => format!("03-1234-{:04}", 1_000 + position),
            _ => text.to_owned(),
        };
        Ok(Number::parse(&digits).map_err(|error| format!("{text}: {error}"))?)
    }
}

/// The position in a name of one of these letters and a number from 1.
pub fn position(name: &str, letters: &[&str]) -> Result<usize, Wrong> {
    letters
        .iter()
        .find_map(|letter| name.strip_prefix(letter))
        .and_then(|digits| digits.parse().ok())
        .filter(|position| *position > 0)
        .ok_or_else(|| Wrong::Is(format!("{name} is no name of this kind")))
}

/// `device 1`, by its number.
pub fn device(number: &str) -> Result<DeviceId, Wrong> {
    Ok(DeviceId(number.parse()?))
}

/// Who gives such a command.
fn actor(command: &Command) -> Actor {
    match command {
        Command::Suspend(..)
        | Command::Resume(..)
        | Command::ConfirmEmergency(_)
        | Command::Review(..)
        | Command::DecideRep(..)
        | Command::PortDone(_)
        | Command::PortCancel(_)
        | Command::ConfigureDevice(..)
        | Command::ShipDevice(_)
        | Command::DeviceOnline(_)
        | Command::ReturnDevice(_) => Actor::Operator,
        _ => Actor::Customer,
    }
}
