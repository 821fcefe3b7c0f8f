//! Random commands on two contracts that share the number range: the invariants hold, a refusal changes nothing, the
//! effects alone keep the table of numbers, documents come back as they were, every site can be sent to its box, and with
//! a complete price list every month can be billed.

mod common;

use std::collections::BTreeMap;

use common::{World, add_id_with, add_site, day, empty, extension, key, number};
use contract::command::{Consent, Decision, IdChange, NewDevice, NewId, NewRep, NewSite, RepChange};
use contract::device::{Acquisition, DeviceId, Interface, Mac, Model, Phone};
use contract::model::{Id, Network, Reviewed, Settings, Suspension, SuspensionCause, Terminal};
use contract::tariff::{Month, PriceList, lines};
use contract::{Actor, Command, Context, Contract, Effect, Lang, apply};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use shared::analog::Port;
use shared::hub::{Dhcp, PhoneModel, Voice};
use shared::route::{BlockRule, NumberRules, Treatment};
use shared::schedule::Schedule;
use shared::site::Credential;
use shared::{ContractId, Date, Extension, IdKey, IdSet, Number, SiteId, TerminalKind, caller_id};

/// Numbers of 東京, some of 浦和 and 050, and some that nobody gets.
fn a_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        20 => (0..10u32).prop_map(|n| number(&format!("03123400{n:02}"))),
        2 => (0..3u32).prop_map(|n| number(&format!("048830000{n}"))),
        2 => (0..6u32).prop_map(|n| number(&format!("0501234000{n}"))),
        1 => prop::sample::select(vec!["119", "0120123456", "+12025550123"]).prop_map(number),
    ]
}

fn an_extension() -> impl Strategy<Value = Extension> {
    prop_oneof![20 => 200..206u32, 1 => Just(901u32)].prop_map(extension)
}

fn a_key() -> impl Strategy<Value = IdKey> {
    (0..6u16).prop_map(key)
}

fn a_site() -> impl Strategy<Value = SiteId> {
    prop_oneof![5 => 1..3u32, 1 => Just(3u32)].prop_map(SiteId)
}

fn an_address() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "東京都千代田区丸の内一丁目",
        "東京都港区芝公園4-2-8",
        "東京都狛江市西和泉",
        "埼玉県さいたま市浦和区高砂3-15-1",
        "",
    ])
    .prop_map(String::from)
}

fn a_kind() -> impl Strategy<Value = TerminalKind> {
    prop::sample::select(vec![
        TerminalKind::App,
        TerminalKind::Fixed,
        TerminalKind::Adapter,
    ])
}

fn a_label() -> impl Strategy<Value = String> {
    prop_oneof![20 => Just("受付".to_owned()), 1 => "\\PC{0,60}", 1 => Just("\u{1}".to_owned())]
}

fn a_terminal() -> impl Strategy<Value = Terminal> {
    prop_oneof![
        (1..4u32).prop_map(|id| Terminal::Device(DeviceId(id))),
        "[ab]".prop_map(Terminal::App),
    ]
}

fn a_device() -> impl Strategy<Value = DeviceId> {
    (1..5u32).prop_map(DeviceId)
}

fn a_mac() -> impl Strategy<Value = Mac> {
    (0..6u8).prop_map(|last| Mac([0, 0x0b, 0x82, 0, 0, last]))
}

fn a_phone() -> impl Strategy<Value = Phone> {
    let model = prop::sample::select(PhoneModel::ALL.to_vec());
    // Of every port there is, two that there are not.
    (a_mac(), model, 0..4u8, option::weighted(0.5, 1..6u8)).prop_map(|(mac, model, line, port)| Phone {
        mac,
        model,
        line,
        port: port.and_then(|port| port.try_into().ok()),
    })
}

fn a_network() -> impl Strategy<Value = Network> {
    let voice = (0..3u16, 0..2u8).prop_map(|(vlan, host)| Voice {
        vlan,
        address: [192, 168, 20, host].into(),
        prefix: 24,
    });
    (
        option::of(voice),
        prop::sample::select(vec![Dhcp::Auto, Dhcp::Never]),
    )
        .prop_map(|(voice, dhcp)| Network { voice, dhcp })
}

fn a_cause() -> impl Strategy<Value = SuspensionCause> {
    prop::sample::select(vec![SuspensionCause::Legal, SuspensionCause::Unpaid])
}

fn a_treatment() -> impl Strategy<Value = Treatment> {
    prop_oneof![Just(Treatment::End), a_number().prop_map(Treatment::Forward)]
}

fn a_new_rep() -> impl Strategy<Value = NewRep> {
    let ring = option::weighted(0.3, vec(an_extension(), 0..3));
    (a_number(), a_label(), vec(an_extension(), 0..3), ring).prop_map(|(number, label, members, ring)| {
        NewRep {
            number,
            label,
            members,
            ring,
        }
    })
}

fn a_new_id() -> impl Strategy<Value = NewId> {
    (
        option::of(a_site()),
        a_number(),
        an_extension(),
        a_label(),
        a_kind(),
    )
        .prop_map(|(site, direct, extension, label, kind)| NewId {
            site,
            direct,
            extension,
            label,
            kind,
        })
}

fn an_id_change() -> impl Strategy<Value = IdChange> {
    (
        option::weighted(0.2, a_site()),
        option::weighted(0.2, a_number()),
        option::weighted(0.2, an_extension()),
        option::weighted(0.2, a_label()),
        option::weighted(0.4, a_number()),
        option::weighted(0.4, any::<bool>()),
        option::weighted(0.4, any::<bool>()),
    )
        .prop_map(
            |(site, direct, extension, label, outgoing, direct_in, direct_out)| IdChange {
                site,
                direct,
                extension,
                label,
                outgoing,
                direct_in,
                direct_out,
            },
        )
}

fn a_rep_change() -> impl Strategy<Value = RepChange> {
    (
        option::weighted(0.2, a_label()),
        option::weighted(0.4, vec(an_extension(), 0..4)),
        option::weighted(0.4, vec(an_extension(), 0..3)),
        option::weighted(0.4, option::of(0..5u8)),
    )
        .prop_map(|(label, members, ring, sub_cap)| RepChange {
            label,
            members,
            ring,
            sub_cap,
        })
}

fn a_new_device() -> impl Strategy<Value = NewDevice> {
    (
        prop::sample::select(Model::ALL.to_vec()),
        any::<bool>(),
        a_site(),
        prop_oneof![4 => vec(option::weighted(0.9, a_key()), 1), 1 => vec(option::of(a_key()), 0..3)],
        prop_oneof![4 => Just(Interface::Analog), 1 => Just(Interface::Isdn)],
        any::<bool>(),
    )
        .prop_map(|(model, rental, site, ports, interface, own_power)| NewDevice {
            model,
            acquisition: if rental {
                Acquisition::Rental
            } else {
                Acquisition::Purchase
            },
            site,
            ports,
            interface,
            own_power,
        })
}

fn a_schedule() -> Schedule {
    Schedule {
        weekly: Default::default(),
        holidays: None,
        exceptions: Default::default(),
        manual: None,
    }
}

fn a_command() -> impl Strategy<Value = Command> {
    use Command::*;
    let structure = prop_oneof![
        4 => (a_site(), a_label(), option::of(an_address()))
            .prop_map(|(id, name, address)| AddSite(NewSite { id, name, address })),
        4 => a_site().prop_map(ConfirmEmergency),
        2 => (a_site(), an_address()).prop_map(|(site, address)| Move(site, address)),
        1 => a_site().prop_map(RemoveSite),
        1 => (a_site(), a_network()).prop_map(|(site, network)| SetNetwork(site, network)),
        2 => (a_site(), an_address()).prop_map(|(site, address)| Review(site, Reviewed {
            zone: "254".parse().unwrap(),
            address,
            document: "登記簿".into(),
            by: "審査係".into(),
            on: Date::FIRST,
        })),
        16 => a_new_id().prop_map(AddId),
        6 => (a_key(), an_id_change()).prop_map(|(id, change)| ChangeId(id, change)),
        1 => a_key().prop_map(NewPassword),
        3 => a_key().prop_map(RemoveId),
        10 => (a_new_rep(), "a?").prop_map(|(rep, usage)| AddRep { rep, usage }),
        3 => (1..4u32, any::<bool>()).prop_map(|(request, approve)| DecideRep(request, if approve {
            Decision::Approve
        } else {
            Decision::Refuse("用途".into())
        })),
        6 => (a_number(), a_rep_change()).prop_map(|(rep, change)| ChangeRep(rep, change)),
        3 => a_number().prop_map(RemoveRep),
    ];
    let rules = (
        option::of(0..3u8),
        option::of(0..3u8),
        a_treatment(),
        a_treatment(),
    );
    let numbers = prop_oneof![
        3 => (a_number(), a_number()).prop_map(|(line, number)| PortIn { line, number }),
        3 => (a_number(), option::of(a_number())).prop_map(|(line, next)| PortOut { line, next }),
        3 => a_number().prop_map(PortDone),
        1 => a_number().prop_map(PortCancel),
        1 => (option::weighted(0.9, a_number()), a_cause()).prop_map(|(number, cause)| Suspend(number, Suspension {
            cause,
            reason: "r".into(),
            by: "b".into(),
            since: Date::FIRST,
        })),
        2 => (option::of(a_number()), a_cause()).prop_map(|(number, cause)| Resume(number, cause)),
        1 => (0..3u8, any::<bool>())
            .prop_map(|(index, set)| SetSchedule(index, set.then(|| Box::new(a_schedule())))),
        1 => (0..3u8, any::<bool>())
            .prop_map(|(index, set)| SetBlockList(index, set.then(|| vec![BlockRule::Withheld]))),
        3 => (a_number(), rules).prop_map(|(number, (schedule, block, closed, unanswered))| {
            SetRules(number, NumberRules { schedule, block, closed, unanswered })
        }),
        1 => option::of(prop::sample::select(vec![0, 5, 9])).prop_map(|outside_prefix| Set(Settings {
            outside_prefix,
            ..Settings::default()
        })),
    ];
    let terminals = prop_oneof![
        4 => a_new_device().prop_map(OrderDevice),
        3 => (a_device(), a_mac()).prop_map(|(device, mac)| ConfigureDevice(device, mac)),
        3 => a_device().prop_map(ShipDevice),
        3 => a_mac().prop_map(DeviceOnline),
        1 => a_device().prop_map(ReturnDevice),
        1 => a_device().prop_map(BuyDevice),
        2 => (a_device(), 0..2u8, option::of(a_key())).prop_map(|(device, port, id)| Bind(device, port, id)),
        3 => (a_key(), option::weighted(0.8, (0..6u8, any::<bool>(), any::<bool>())))
            .prop_map(|(key, port)| Plug(key, port.map(|(number, number_display, fax)| Port {
                number,
                number_display,
                fax,
            }))),
        8 => (a_key(), a_phone()).prop_map(|(key, phone)| Claim(key, phone)),
        2 => a_key().prop_map(Release),
        1 => a_site().prop_map(ClaimSite),
        4 => (a_key(), a_terminal(), 0..3u8).prop_map(|(id, terminal, consent)| Login {
            id,
            terminal,
            consent: match consent {
                0 => Consent::None,
                1 => Consent::Takeover,
                _ => Consent::CutCall,
            },
        }),
        1 => (a_key(), 0..4u32).prop_map(|(id, epoch)| Logout { id, epoch }),
        2 => (a_key(), a_terminal(), 0..4u32).prop_map(|(id, terminal, base)| Reconcile { id, terminal, base }),
    ];
    prop_oneof![12 => structure, 6 => numbers, 8 => terminals, 1 => a_label().prop_map(Rename)]
}

/// Points a command at something the contract has, most of the time: picked at random, hardly anything would exist.
fn aim(contract: &Contract, command: Command, pick: usize) -> Command {
    use Command::*;
    fn nth<T>(all: impl Iterator<Item = T>, pick: usize, otherwise: T) -> T {
        let mut all: Vec<T> = all.collect();
        if pick.is_multiple_of(5) || all.is_empty() {
            return otherwise;
        }
        let index = pick % all.len();
        all.swap_remove(index)
    }
    let line = |given| nth(contract.lines().map(|(line, _)| line.number), pick, given);
    let porting = |given| {
        let lines = contract.lines().filter(|(line, _)| line.porting.is_some());
        nth(lines.map(|(line, _)| line.number), pick, given)
    };
    let rep = |given| nth(contract.reps.iter().map(|rep| rep.line.number), pick, given);
    let device = |given| nth(contract.devices.iter().map(|device| device.id), pick, given);
    let id = |given| nth(contract.ids.iter().map(|id| id.key), pick, given);
    match command {
        Suspend(number, suspension) => Suspend(number.map(line), suspension),
        Resume(number, cause) => Resume(number.map(line), cause),
        ChangeId(key, change) => ChangeId(id(key), change),
        NewPassword(key) => NewPassword(id(key)),
        RemoveId(key) => RemoveId(id(key)),
        DecideRep(request, decision) => {
            DecideRep(nth(contract.pending().map(|one| one.id), pick, request), decision)
        }
        ChangeRep(number, change) => ChangeRep(rep(number), change),
        RemoveRep(number) => RemoveRep(rep(number)),
        SetRules(number, rules) => SetRules(line(number), rules),
        PortIn { line: given, number } => PortIn {
            line: line(given),
            number,
        },
        PortOut { line: given, next } => PortOut {
            line: line(given),
            next,
        },
        PortDone(number) => PortDone(porting(number)),
        PortCancel(number) => PortCancel(porting(number)),
        OrderDevice(mut new) => {
            new.ports = new.ports.into_iter().map(|port| port.map(id)).collect();
            OrderDevice(new)
        }
        ConfigureDevice(given, mac) => ConfigureDevice(device(given), mac),
        ShipDevice(given) => ShipDevice(device(given)),
        DeviceOnline(mac) => DeviceOnline(nth(
            contract.devices.iter().filter_map(|device| device.mac),
            pick,
            mac,
        )),
        ReturnDevice(given) => ReturnDevice(device(given)),
        BuyDevice(given) => BuyDevice(device(given)),
        Bind(given, port, key) => Bind(device(given), port, key.map(id)),
        Plug(key, port) => Plug(id(key), port),
        Claim(key, mut phone) => {
            let (key, lines) = (id(key), phone.model.lines());
            // A model of the ID's kind, with a line that it has.
            if let Some(kind) = contract.id(key).map(|id| id.kind)
                && !pick.is_multiple_of(7)
            {
                let model = PhoneModel::ALL.into_iter().cycle().skip(pick);
                phone.model = model
                    .take(4)
                    .find(|model| model.kind() == kind)
                    .unwrap_or(phone.model);
                phone.line = phone.line.clamp(1, lines);
            }
            Claim(key, phone)
        }
        Release(key) => Release(nth(
            contract
                .ids
                .iter()
                .filter(|id| id.phone.is_some())
                .map(|id| id.key),
            pick,
            key,
        )),
        Login {
            id: key,
            terminal,
            consent,
        } => Login {
            id: id(key),
            terminal,
            consent,
        },
        other => other,
    }
}

/// A command and where it is pointed, the contract it is for, who asks, the days that pass before, and the IDs that are
/// in a call.
fn a_step() -> impl Strategy<Value = ((Command, usize), usize, bool, u16, u64)> {
    let command = prop_oneof![1000 => a_command().boxed(), 1 => Just(Command::End).boxed()];
    let who = prop::bool::weighted(0.85);
    ((command, 0..1000usize), 0..2usize, who, 0..6u16, any::<u64>())
}

/// Prices for everything that the guide does not price.
fn complete() -> PriceList {
    let row = |of: &str, price: &str| {
        format!(r#"{{"of": "{of}", "from": "2021-07-01", "price": {price}, "source": "test"}}"#)
    };
    let fees = [
        "base",
        "additional_id",
        "additional_id_setup",
        "rep",
        "universal_service",
        "telephone_relay",
    ];
    let fees = fees.map(|fee| row(fee, "10")).join(",");
    let adapter = r#"{"buy": 12000, "rent": 900, "use_fee": 300}"#;
    let devices = ["Ht801", "Ht802"].map(|model| row(model, adapter)).join(",");
    let early = r#"{"term": "completed", "tax": "standard"}"#;
    let text = format!(
        r#"{{"schema": 1, "fees": [{fees}], "devices": [{devices}], "calls": [], "early_termination": {early}}}"#
    );
    PriceList::from_json(&text).unwrap()
}

/// Two contracts with IDs of every kind at two sites.
fn contracts(world: &World) -> [Contract; 2] {
    [1, 2].map(|id| {
        let mut contract = Contract {
            id: ContractId(id),
            signed: world.today,
            ..empty()
        };
        for (site, address) in [(1, "東京都千代田区丸の内一丁目"), (2, "東京都港区芝公園4-2-8")]
        {
            world.run(&mut contract, add_site(site, address));
            world.run(&mut contract, Command::ConfirmEmergency(SiteId(site)));
        }
        let kinds = [
            TerminalKind::App,
            TerminalKind::Fixed,
            TerminalKind::Fixed,
            TerminalKind::Adapter,
        ];
        for (extension, kind) in (200..).zip(kinds).take(if id == 1 { 4 } else { 2 }) {
            let direct = format!("03123400{:02}", 4 * id + extension - 204);
            world.run(&mut contract, add_id_with(extension, &direct, kind));
        }
        contract
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_commanded(steps in vec(a_step(), 1..200)) {
        // The Panasonic phone is sold for two months more.
        let world = World { today: day("2022-04-01"), ..World::default() };
        let prices = complete();
        let mut all = contracts(&world);
        let owned = |contract: &Contract| -> Vec<_> {
            contract.numbers().map(|(number, _)| (number, contract.id)).collect()
        };
        let mut owners: BTreeMap<Number, ContractId> = all.iter().flat_map(owned).collect();
        let mut today = world.today;
        for ((command, pick), of, operator, days, calls) in steps {
            today = today.plus_days(i32::from(days));
            let before = all[of].clone();
            let command = aim(&before, command, pick);
            let owner = |number: Number| owners.get(&number).copied();
            let context = Context {
                today,
                actor: if operator { Actor::Operator } else { Actor::Customer },
                owner: &owner,
                areas: &world.areas,
                in_call: IdSet(calls),
            };
            match apply(&before, &command, &context) {
                Err(refusal) => {
                    for lang in [Lang::Ja, Lang::En] {
                        let text = refusal.text(lang);
                        prop_assert!(!text.what.is_empty() && !text.next.is_empty());
                    }
                    prop_assert_eq!(&before, &all[of]);
                }
                Ok((next, effects)) => {
                    if let Err(broken) = next.check() {
                        prop_assert!(false, "{broken:?} after {command:?} on {before:#?}");
                    }
                    for effect in &effects {
                        match effect {
                            Effect::NumberTaken(number, _) => {
                                prop_assert_eq!(owners.insert(*number, next.id), None);
                            }
                            Effect::NumberReleased(number) => {
                                prop_assert_eq!(owners.remove(number), Some(next.id));
                            }
                            _ => {}
                        }
                    }
                    for month in [Month::of(today), Month::of(today.plus_days(31))] {
                        let billed = lines(&next, month, &[], &prices);
                        prop_assert!(billed.is_ok(), "{:?} after {:?}", billed, command);
                    }
                    let own = owners.iter().filter(|(_, owner)| **owner == next.id).map(|(number, _)| *number);
                    let mut numbers: Vec<Number> = next.numbers().map(|(number, _)| number).collect();
                    numbers.sort();
                    prop_assert_eq!(own.collect::<Vec<_>>(), numbers);
                    prop_assert_eq!(&Contract::from_json(&next.to_json().unwrap()).unwrap(), &next);
                    let credentials: Vec<Credential> = next.ids.iter().map(|id| Credential {
                        key: id.key,
                        ha1_md5: [1; 16],
                        ha1_sha256: [2; 32],
                    }).collect();
                    for site in &next.sites {
                        if next.ids.is_empty() {
                            continue;
                        }
                        let derived = next.configuration(site.id, "pbx.example", &credentials);
                        let derived = derived.map_err(|error| TestCaseError::fail(format!("{error} after {command:?}")))?;
                        let here: Vec<IdKey> = derived.credentials.iter().map(|credential| credential.key).collect();
                        prop_assert_eq!(here, derived.here().iter().collect::<Vec<_>>());
                        // Contract and box judge alike which number an ID may present (R9, R22, R25).
                        for (id, (line, _)) in derived.ids.iter().flat_map(|id| next.lines().map(move |line| (id, line))) {
                            let may = next.may_present(id.key, line.number);
                            prop_assert_eq!(may, caller_id::check(&derived, id, line.number).is_ok());
                        }
                        // What the box must know is said to have changed, and nothing else is.
                        let said = effects.contains(&Effect::SiteChanged(site.id));
                        let same = before.configuration(site.id, "pbx.example", &credentials).ok()
                            .is_some_and(|old| (old.sys, old.ids, old.reps) == (derived.sys, derived.ids, derived.reps));
                        prop_assert_eq!(said, !same, "{:?}", command);
                    }
                    // No claim is ever made again: what a phone was given on an older one stays void.
                    for id in &next.ids {
                        let Some(old) = before.id(id.key) else { continue };
                        prop_assert!(id.claim >= old.claim);
                        let given = |id: &Id| (id.direct.number, id.site, id.phone.map(|phone| (phone.mac, phone.line)));
                        if id.phone.is_some() && given(id) != given(old) {
                            prop_assert!(id.claim > before.claims, "{:?}", command);
                        }
                    }
                    all[of] = next;
                }
            }
        }
    }
}
