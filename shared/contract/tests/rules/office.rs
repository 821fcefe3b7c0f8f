//! Steps of the contract: sites, IDs, numbers, groups, requests.

use contract::command::{Decision, IdChange, NewId, NewRep, NewSite, RepChange};
use contract::effect::Effect;
use contract::model::{RequestState, Reviewed};
use contract::{Command, PlanVersion};
use shared::route::{NumberRules, Treatment};
use shared::{Extension, SiteId, TerminalKind};

use crate::world::{Outcome, World, Wrong, position, same};

/// The letter a case gives to a terminal.
pub fn letter(kind: TerminalKind) -> char {
    match kind {
        TerminalKind::App => 'A',
        TerminalKind::Fixed => 'F',
        TerminalKind::Adapter => 'P',
    }
}

/// Makes a site whose address emergency services know.
pub fn open(world: &mut World, id: SiteId, address: &str) {
    let site = NewSite {
        id,
        name: "本社".into(),
        address: Some(address.into()),
    };
    world.command(Command::AddSite(site)).unwrap();
    world.command(Command::ConfirmEmergency(id)).unwrap();
}

pub fn act(world: &mut World, words: &[&str]) -> Outcome {
    match words {
        ["today", "is", day] => {
            world.today = day.parse()?;
            Ok(())
        }
        ["plan", "From2021"] => {
            world.contract.plan = PlanVersion::From2021;
            Ok(())
        }
        ["address", address] => {
            world.command(Command::Move(SiteId(1), (*address).into()))?;
            world.command(Command::ConfirmEmergency(SiteId(1)))
        }
        ["site", site, "at", address] => {
            open(world, site_id(site)?, address);
            Ok(())
        }
        ["move", site, "to", address] => world.command(Command::Move(site_id(site)?, (*address).into())),
        [site, "is", "seen", "to", "be", "in", "area", zone] => {
            let site = site_id(site)?;
            let there = world.contract.site(site).ok_or("there is no such site")?;
            let reviewed = Reviewed {
                zone: zone.parse()?,
                address: there.address.clone().unwrap_or_default(),
                document: "登記簿謄本 2021-03-01".into(),
                by: "審査".into(),
                on: world.today,
            };
            world.command(Command::Review(site, reviewed))
        }
        ["outside", "line", "by", digit] => {
            let mut settings = world.contract.settings.clone();
            settings.outside_prefix = Some(digit.parse()?);
            world.command(Command::Set(settings))
        }
        ["unanswered", number, "goes", "to", other] => {
            let (number, other) = (world.number(number)?, world.number(other)?);
            let rules = NumberRules {
                unanswered: Treatment::Forward(other),
                ..NumberRules::default()
            };
            world.command(Command::SetRules(number, rules))
        }
        [number, "is", "another", "contract's"] => {
            let number = world.number(number)?;
            world.taken.push(number);
            Ok(())
        }
        ["busy", "phones", "free", "the", "apps"] => {
            let mut settings = world.contract.settings.clone();
            settings.busy_frees_apps = true;
            world.command(Command::Set(settings))
        }
        ["end", "the", "contract"] => world.command(Command::End),

        ["IDs", names @ ..] => names.iter().try_for_each(|name| world.step_given(&["add", name])),
        ["add", "rep", name] => add_rep(world, name, name, ""),
        ["add", "rep", name, "with", number] => add_rep(world, name, number, ""),
        ["add", "rep", name, "for", usage] => add_rep(world, name, name, usage),
        ["add", name] => {
            let position = position(name, &["A", "F", "P"])?;
            add_id(world, name, &format!("D{position}"), None)
        }
        ["add", name, "with", number] => add_id(world, name, number, None),
        ["add", name, "with", number, "at", site] => add_id(world, name, number, Some(site_id(site)?)),
        ["remove", "rep", name] => {
            let number = world.number(name)?;
            world.command(Command::RemoveRep(number))
        }
        ["remove", name] => {
            let key = world.id(name)?;
            world.command(Command::RemoveId(key))
        }
        [name, "is", "named", label] if name.starts_with('R') => {
            let label = Some((*label).into());
            change_rep(world, name, |change| change.label = label)
        }
        [name, "is", "named", label] => {
            let label = Some((*label).into());
            change_id(world, name, |change| change.label = label)
        }
        [name, "usually", "presents", number] => {
            let outgoing = Some(world.number(number)?);
            change_id(world, name, |change| change.outgoing = outgoing)
        }
        [name, "takes", number] => {
            let direct = Some(world.number(number)?);
            change_id(world, name, |change| change.direct = direct)
        }
        [number, "off", "for", "calls", "in"] => {
            change_id(world, number, |change| change.direct_in = Some(false))
        }
        [number, "off", "for", "calls", "out"] => {
            change_id(world, number, |change| change.direct_out = Some(false))
        }
        [name, "has", "extension", extension] => {
            let extension = Some(extension.parse()?);
            change_id(world, name, |change| change.extension = extension)
        }

        ["reps", names @ ..] => names.iter().try_for_each(|name| {
            world.step_given(&["add", "rep", name, "for", "用途"])?;
            match world.contract.pending().count() {
                0 => Ok(()),
                _ => world.step_given(&["approve", name]),
            }
        }),
        ["approve", name] => decide(world, name, Decision::Approve),
        ["decline", name, "because", reason] => decide(world, name, Decision::Refuse((*reason).into())),
        [name, "rings", members @ ..] => {
            let ring = Some(extensions(world, members)?);
            change_rep(world, name, |change| change.ring = ring)
        }
        [name, "members", members @ ..] => {
            let members = Some(extensions(world, members)?);
            change_rep(world, name, |change| change.members = members)
        }
        [name, "has", "at", "most", calls, "calls"] => {
            let sub_cap = Some(Some(calls.parse()?));
            change_rep(world, name, |change| change.sub_cap = sub_cap)
        }

        [number, "comes", "for", line] => {
            let (line, number) = (world.number(line)?, world.number(number)?);
            world.command(Command::PortIn { line, number })
        }
        [line, "goes", "to", "another", "carrier"] => {
            let line = world.number(line)?;
            world.command(Command::PortOut { line, next: None })
        }
        ["the", "port", "of", line, "is", "done"] => {
            let line = world.number(line)?;
            world.command(Command::PortDone(line))
        }
        _ => Err(Wrong::Unknown),
    }
}

pub fn expect(world: &mut World, words: &[&str]) -> Outcome {
    let contract = &world.contract;
    match words {
        // A refusal that the case does not name has ended it already.
        ["done"] => match world.refused {
            None => Ok(()),
            Some(_) => Err("it was refused".into()),
        },
        ["says", text @ ..] => {
            let refused = world.refused.as_ref().ok_or("it was not refused")?;
            match refused.text.contains(&text.join(" ")) {
                true => Ok(()),
                false => Err(Wrong::Is(refused.text.clone())),
            }
        }
        ["warns", rule] => {
            let mut warnings = world.effects.iter().filter_map(|effect| match effect {
                Effect::Warning(warning) => Some(warning.rule().to_string()),
                _ => None,
            });
            same((*rule).to_owned(), warnings.next().unwrap_or("no warning".into()))
        }
        ["IDs", count] => same(count.parse()?, contract.ids.len()),
        ["reps", count] => same(count.parse()?, contract.reps.len()),
        ["pending", count] => same(count.parse()?, contract.pending().count()),
        ["devices", count] => same(count.parse()?, contract.devices.len()),
        ["basic", name] => {
            let basic = contract.basic().map(|id| world.name(id.key));
            same(*name, &basic.unwrap_or("nobody".into()))
        }
        // Box and cloud let terminals log in by the site's configuration.
        ["ID", code, "is", name] => {
            let site = world.site()?;
            let id = site.by_user(code).map(|id| world.name(id.key));
            same(*name, &id.unwrap_or("nobody".into()))
        }
        [number, "is", "nobody's"] | [number, "is", "not", "in", "use"] => {
            match contract.line(world.number(number)?) {
                None => Ok(()),
                Some(_) => Err("it is in use".into()),
            }
        }
        [number, "is", "in", "use"] => {
            let line = contract.line(world.number(number)?);
            line.map(|_| ()).ok_or("it is not in use".into())
        }
        [site, "is", "at", address] => {
            let site = contract.site(site_id(site)?).ok_or("there is no such site")?;
            same(*address, site.address.as_deref().unwrap_or_default())
        }
        _ => Err(Wrong::Unknown),
    }
}

fn site_id(name: &str) -> Result<SiteId, Wrong> {
    Ok(SiteId(position(name, &["S"])? as u32))
}

fn add_id(world: &mut World, name: &str, number: &str, site: Option<SiteId>) -> Outcome {
    let position = position(name, &["A", "F", "P"])?;
    if position > world.ids.len() + 1 {
        return Err(format!("the next ID is the one with {}", world.ids.len() + 1).into());
    }
    let direct = world.number(number)?;
    let kind = match name.chars().next() {
        Some('A') => TerminalKind::App,
        Some('F') => TerminalKind::Fixed,
        _ => TerminalKind::Adapter,
    };
    world.command(Command::AddId(NewId {
        site,
        direct,
        extension: extension(position)?,
        label: name.into(),
        kind,
    }))?;
    let ids = &world.contract.ids;
    let Some(id) = ids
        .iter()
        .find(|id| id.direct.number == direct && id.kind == kind)
    else {
        return Ok(());
    };
    if world.refused.is_none() {
        world.ids.truncate(position - 1);
        world.ids.push(id.key);
        world.numbers.insert(format!("D{position}"), direct);
        match kind.is_fixed() {
            true => world.facts.registered.insert(id.key),
            false => world.facts.logged_in.insert(id.key),
        }
    }
    Ok(())
}

fn extension(position: usize) -> Result<Extension, Wrong> {
    Ok((200 + position).to_string().parse()?)
}

/// The extensions of these IDs.
fn extensions(world: &World, names: &[&str]) -> Result<Vec<Extension>, Wrong> {
    let set = world.set(names)?;
    let ids = set
        .iter()
        .map(|key| world.contract.id(key).map(|id| id.extension));
    ids.collect::<Option<_>>().ok_or("one of them is gone".into())
}

fn change_id(world: &mut World, name: &str, set: impl FnOnce(&mut IdChange)) -> Outcome {
    let key = world.id(name)?;
    let mut change = IdChange::default();
    set(&mut change);
    world.command(Command::ChangeId(key, change))
}

fn add_rep(world: &mut World, name: &str, number: &str, usage: &str) -> Outcome {
    let rep = NewRep {
        number: world.number(number)?,
        label: name.into(),
        members: world.contract.ids.iter().map(|id| id.extension).collect(),
        ring: None,
    };
    world.numbers.insert(name.into(), rep.number);
    world.command(Command::AddRep {
        rep,
        usage: usage.into(),
    })
}

fn change_rep(world: &mut World, name: &str, set: impl FnOnce(&mut RepChange)) -> Outcome {
    let number = world.number(name)?;
    let mut change = RepChange::default();
    set(&mut change);
    world.command(Command::ChangeRep(number, change))
}

/// Decides the request that waits for this number.
fn decide(world: &mut World, name: &str, decision: Decision) -> Outcome {
    let number = world.number(name)?;
    let waits = |state: &RequestState| matches!(state, RequestState::Submitted);
    let request = world
        .contract
        .requests
        .iter()
        .find(|request| request.rep.number == number && waits(&request.state));
    let id = request.ok_or("nothing waits for it")?.id;
    world.command(Command::DecideRep(id, decision))
}
