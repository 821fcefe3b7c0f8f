//! A contract to try things on: 東京商店 with a site in 千代田区 and as many IDs and numbers as wanted.
#![allow(dead_code, reason = "each test uses its part")]

use contract::area::Table;
use contract::command::{NewId, NewRep, NewSite};
use contract::model::Customer;
use contract::plan::PlanVersion;
use contract::{Actor, Command, Context, Contract, Effect, Refusal, apply};
use shared::{ContractId, Date, Extension, IdKey, IdSet, Number, SiteId, TerminalKind};

pub const SITE: SiteId = SiteId(1);

pub fn number(text: &str) -> Number {
    text.parse().unwrap()
}

pub fn extension(value: u32) -> Extension {
    Extension::new(value).unwrap()
}

pub fn key(index: u16) -> IdKey {
    IdKey::new(index).unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Everything outside the contract.
pub struct World {
    pub today: Date,
    pub actor: Actor,
    pub areas: Table,
    pub in_call: IdSet,
}

impl Default for World {
    fn default() -> Self {
        Self {
            today: day("2026-04-01"),
            actor: Actor::Operator,
            areas: Table::shipped(),
            in_call: IdSet::EMPTY,
        }
    }
}

/// The contract that has 03-9999-xxxx.
pub const OTHER: ContractId = ContractId(7);

impl World {
    pub fn customer() -> Self {
        Self {
            actor: Actor::Customer,
            ..Self::default()
        }
    }

    pub fn apply(&self, contract: &Contract, command: &Command) -> Result<(Contract, Vec<Effect>), Refusal> {
        let owner = |number: Number| number.digits().starts_with("039999").then_some(OTHER);
        let context = Context {
            today: self.today,
            actor: self.actor,
            owner: &owner,
            areas: &self.areas,
            in_call: self.in_call,
        };
        apply(contract, command, &context)
    }

    /// Carries out a command that must not be refused, and checks what must always hold.
    pub fn run(&self, contract: &mut Contract, command: Command) -> Vec<Effect> {
        let (next, effects) = self.apply(contract, &command).unwrap_or_else(|refusal| {
            panic!("{command:?}: {refusal}");
        });
        next.check().unwrap();
        *contract = next;
        effects
    }

    /// The rule a command is refused with.
    pub fn rule(&self, contract: &Contract, command: Command) -> String {
        self.refusal(contract, command).rule().to_string()
    }

    pub fn refusal(&self, contract: &Contract, command: Command) -> Refusal {
        self.apply(contract, &command)
            .expect_err(&format!("{command:?} was not refused"))
    }
}

pub fn empty() -> Contract {
    let signed = day("2026-04-01");
    Contract::sign(
        ContractId(1),
        "東京商店",
        Customer::Corporate,
        PlanVersion::on(signed),
        signed,
    )
}

pub fn add_site(id: u32, address: &str) -> Command {
    Command::AddSite(NewSite {
        id: SiteId(id),
        name: "本社".into(),
        address: Some(address.into()),
    })
}

/// An ID with the direct number 03-1234-0nnn.
pub fn add_id(extension: u32, kind: TerminalKind) -> Command {
    add_id_with(extension, &format!("0312340{extension}"), kind)
}

pub fn add_id_with(value: u32, direct: &str, kind: TerminalKind) -> Command {
    Command::AddId(NewId {
        site: None,
        direct: number(direct),
        extension: extension(value),
        label: format!("{value}"),
        kind,
    })
}

pub fn new_rep(text: &str, members: &[u32]) -> NewRep {
    NewRep {
        number: number(text),
        label: "代表".into(),
        members: members.iter().copied().map(extension).collect(),
        ring: None,
    }
}

pub fn add_rep(text: &str, members: &[u32], usage: &str) -> Command {
    Command::AddRep {
        rep: new_rep(text, members),
        usage: usage.into(),
    }
}

/// A contract with so many IDs for desk phones, 201 and on, and so many representative numbers, 03-5555-0000 and on,
/// with all of them as members.
pub fn contract(ids: u32, reps: u32) -> Contract {
    let world = World::default();
    let mut contract = empty();
    world.run(&mut contract, add_site(1, "東京都千代田区丸の内一丁目"));
    world.run(&mut contract, Command::ConfirmEmergency(SITE));
    let extensions: Vec<u32> = (201..201 + ids).collect();
    for extension in &extensions {
        world.run(&mut contract, add_id(*extension, TerminalKind::Fixed));
    }
    for rep in 0..reps {
        world.run(
            &mut contract,
            add_rep(&format!("035555000{rep}"), &extensions, "受付"),
        );
        if contract.reps.len() <= rep as usize {
            let request = contract.requests.last().unwrap().id;
            let approve = contract::command::Decision::Approve;
            world.run(&mut contract, Command::DecideRep(request, approve));
        }
    }
    contract
}
