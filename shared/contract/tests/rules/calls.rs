//! Steps of calls: who rings, channels, the number presented, the emergency guard.

use contract::model::Role;
use shared::caller_id::{self, Presented};
use shared::channels::{self, Full, Use};
use shared::ring::{Call as Ring, Ringing, To};
use shared::route::{Caller, Cause, Inbound, NumberRules, NumberState, Route, route};
use shared::{Called, Dialled, IdKey, IdSet, Number, Site, dial, ring};

use crate::world::{Outcome, World, Wrong, same};

/// The calls there are, and what became of the last one that came in.
#[derive(Default)]
pub struct Calls {
    live: Vec<Call>,
    ended: Option<Ended>,
}

struct Call {
    holds: Use,
    ringing: Option<Ringing>,
    call: Option<Ring>,
    called: Option<Called>,
    talks: Option<IdKey>,
}

impl Call {
    fn new(holds: Use) -> Self {
        Self {
            holds,
            ringing: None,
            call: None,
            called: None,
            talks: None,
        }
    }
}

/// Why a call did not ring.
struct Ended {
    treatment: &'static str,
    rule: &'static str,
}

/// What the terminal's last outgoing call came to.
pub struct Outgoing {
    meaning: String,
    presented: Option<Presented>,
}

const NOW: u64 = 0;

pub fn act(world: &mut World, words: &[&str]) -> Outcome {
    match words {
        [who, "logged", "out"] => fact(world, who, |facts, key| facts.logged_in.remove(key)),
        [who, "logged", "in"] => fact(world, who, |facts, key| facts.logged_in.insert(key)),
        [who, "in", "foreground"] => fact(world, who, |facts, key| facts.foreground.insert(key)),
        [who, "in", "background"] => fact(world, who, |facts, key| facts.foreground.remove(key)),
        [who, "unplugged"] => fact(world, who, |facts, key| facts.registered.remove(key)),
        [who, "busy"] => fact(world, who, |facts, key| facts.busy.insert(key)),
        [count, "calls", "with", "the", "outside"] => {
            let number = world.number("03-1234-0001")?;
            for _ in 0..count.parse::<usize>()? {
                world.calls.live.push(Call::new(Use::Outside(number)));
            }
            Ok(())
        }
        [number, "is", "called"] => {
            let number = world.number(number)?;
            incoming(world, number)
        }
        ["the", "callee", "calls", "back"] => {
            let presented = world.outgoing.as_ref().and_then(|outgoing| outgoing.presented);
            incoming(world, presented.ok_or("nothing was presented")?.number)
        }
        [who, "answers"] => {
            let key = world.id(who)?;
            let call = world.calls.live.last_mut().ok_or("there is no call")?;
            let ringing = call.ringing.as_mut().ok_or("it does not ring")?;
            match ringing.answer(key) {
                true => call.talks = Some(key),
                false => return Err(format!("{who} cannot answer").into()),
            }
            world.facts.busy.insert(key);
            Ok(())
        }
        // Nothing changes: a call holds its channel until its end.
        [who, "holds"] => talks(world, who),
        ["the", "caller", "hangs", "up"] => {
            let call = world.calls.live.pop().ok_or("there is no call")?;
            if let Some(key) = call.talks {
                world.facts.busy.remove(key);
            }
            Ok(())
        }
        [who, "dials", digits] => outgoing(world, who, digits, None),
        [who, "dials", digits, "as", number] => {
            let wish = world.number(number)?;
            outgoing(world, who, digits, Some(wish))
        }
        _ => Err(Wrong::Unknown),
    }
}

pub fn expect(world: &mut World, words: &[&str]) -> Outcome {
    match words {
        ["rings", who @ ..] => same(world.names(world.set(who)?), world.names(rings(world))),
        [who, "silent", rule] => {
            let key = world.id(who)?;
            if rings(world).contains(key) {
                return Err("it rings".into());
            }
            let call = world.calls.live.last().and_then(|call| call.call);
            let decision = ring(&world.site()?, call.ok_or("nobody calls")?, &world.facts);
            let reason = decision.reason(key).ok_or("the trace does not name it")?;
            same(*rule, reason.rule())
        }
        [who, "talks"] => talks(world, who),
        [who, "heard", "that", by, "answered"] => {
            talks(world, by)?;
            let call = world.calls.live.last().ok_or("there is no call")?;
            let offered = call.ringing.map_or(IdSet::EMPTY, |ringing| ringing.offered());
            match offered.contains(world.id(who)?) {
                true => Ok(()),
                false => Err("it never rang".into()),
            }
        }
        ["shows", label @ ..] => same(label.join(" "), shown(world)?),
        [treatment @ ("busy" | "rejected"), rule] => ended(world, treatment, rule),
        ["not", "in", "use", rule] => ended(world, "not in use", rule),
        ["channels", used, "of", all] => {
            let (used, all): (usize, usize) = (used.parse()?, all.parse()?);
            let found = channels::used(world.calls.live.iter().map(|call| call.holds));
            same(used, found)?;
            same(all, usize::from(world.site()?.sys.channels))
        }
        ["connected"] => same("outside", meaning(world)?),
        ["emergency", number] => same(format!("emergency {number}"), meaning(world)?.to_owned()),
        ["extension", who] => {
            let key = world.id(who)?;
            same(format!("extension {}", world.name(key)), meaning(world)?.to_owned())
        }
        ["presents", number] => {
            let presented = presented(world)?;
            same(world.number(number)?, presented.number)?;
            match presented.withheld {
                true => Err("it is withheld".into()),
                false => Ok(()),
            }
        }
        ["withheld"] => match presented(world)?.withheld {
            true => Ok(()),
            false => Err("it is shown".into()),
        },
        [who, "may", "present", numbers @ ..] => {
            let site = world.site()?;
            let id = site.id(world.id(who)?).ok_or("it is gone")?;
            let found: Vec<String> = caller_id::choices(&site, id)
                .map(|number| number.to_string())
                .collect();
            let wanted = numbers
                .iter()
                .map(|number| Ok(world.number(number)?.to_string()))
                .collect::<Result<Vec<_>, Wrong>>()?;
            same(wanted.join(" "), found.join(" "))
        }
        _ => Err(Wrong::Unknown),
    }
}

/// Changes what is known of a terminal; a call that rings is asked again (R21).
fn fact(world: &mut World, who: &str, change: impl Fn(&mut shared::Facts, IdKey)) -> Outcome {
    let key = world.id(who)?;
    change(&mut world.facts, key);
    let site = world.site()?;
    for ringing in world.calls.live.iter_mut().filter_map(|call| call.ringing.as_mut()) {
        ringing.ask(&site, &world.facts);
    }
    Ok(())
}

/// A call from outside, as the cloud treats it.
fn incoming(world: &mut World, number: Number) -> Outcome {
    let site = world.site()?;
    let guard = world.guard.caller(NOW, number);
    let holds = match guard {
        Some(_) => Use::Emergency(number),
        None => Use::Outside(number),
    };
    let others = world.calls.live.iter().map(|call| call.holds);
    let full = channels::admit(&site, holds, others).err();
    let called = site.by_number(number);
    let (becomes, _) = route(&Inbound {
        called: number,
        caller: Caller::Number(Number::parse("090-1111-2222")?),
        at: None,
        guard,
        state: state(world, &site, number),
        full,
        rules: NumberRules::default(),
        block: &[],
        schedule: None,
    });
    let ringing = match becomes {
        Route::Ring { number, first, .. } => Ring {
            back_to: first,
            ..Ring::from(number)
        },
        Route::Refuse(cause) => {
            world.calls.ended = Some(why(cause, full));
            // It is not there any more; what is left is the question why nothing rang.
            world.calls.live.push(Call {
                call: Some(number.into()),
                called,
                ..Call::new(Use::Inside)
            });
            return Ok(());
        }
    };
    world.calls.ended = None;
    let mut asked = Ringing::new(ringing);
    asked.ask(&site, &world.facts);
    world.calls.live.push(Call {
        ringing: Some(asked),
        call: Some(ringing),
        called,
        ..Call::new(holds)
    });
    Ok(())
}

fn state(world: &World, site: &Site, number: Number) -> NumberState {
    if world.contract.is_suspended(number) {
        return NumberState::Suspended;
    }
    match (site.by_number(number), world.contract.role(number)) {
        (None, None) => NumberState::Unassigned,
        (None, Some(Role::Direct(_) | Role::Rep)) => NumberState::Porting,
        (Some(Called::Direct(key)), _) if site.id(key).is_some_and(|id| !id.direct_in) => {
            NumberState::DirectOff
        }
        (Some(_), _) => NumberState::InUse,
    }
}

fn why(cause: Cause, full: Option<Full>) -> Ended {
    let (treatment, rule) = match (cause, full) {
        (Cause::Busy, Some(full)) => ("busy", full.rule()),
        (Cause::Busy, None) => ("busy", "hours"),
        (Cause::NotInUse, _) => ("not in use", "R25"),
        (Cause::Rejected, _) => ("rejected", "suspended"),
        (Cause::OutOfOrder, _) => ("rejected", "porting"),
    };
    Ended { treatment, rule }
}

/// A terminal dials, as the box treats it.
fn outgoing(world: &mut World, who: &str, digits: &str, wish: Option<Number>) -> Outcome {
    let key = world.id(who)?;
    let site = world.site()?;
    let id = site.id(key).ok_or("it is gone")?;
    world.outgoing = None;
    let dialled = dial(&site, digits, Some(world.today));
    let inside = |to| Ring {
        from: Some(key),
        ..Ring::new(to)
    };
    let (meaning, to, holds, presented) = match dialled {
        Ok(Dialled::Extension(to)) => {
            let meaning = format!("extension {}", world.name(to));
            (meaning, Some(inside(To::Extension(to))), Use::Inside, None)
        }
        Ok(Dialled::Rep(index)) => {
            let rep = site.reps.get(index).ok_or("no such group")?;
            (
                "group".into(),
                Some(inside(To::Number(rep.number))),
                Use::Inside,
                None,
            )
        }
        Ok(Dialled::Emergency(number)) => {
            let presented = caller_id::emergency(&site, id);
            world.guard.called(NOW, key, presented);
            let presented = Presented {
                number: presented,
                withheld: false,
            };
            let holds = Use::Emergency(presented.number);
            (format!("emergency {number}"), None, holds, Some(presented))
        }
        Ok(Dialled::Outside { privacy, present, .. }) => {
            let wish = wish.or(present.number(&site, id).map_err(|_| "no such choice")?);
            match caller_id::present(&site, id, wish, privacy) {
                Ok(presented) => (
                    "outside".into(),
                    None,
                    Use::Outside(presented.number),
                    Some(presented),
                ),
                Err(refusal) => {
                    world.refuse(refusal.rule(), format!("{refusal:?}"));
                    return Ok(());
                }
            }
        }
        Err(refusal) => {
            world.refuse("dial", format!("{refusal:?}"));
            return Ok(());
        }
    };
    let others = world.calls.live.iter().map(|call| call.holds);
    if let Err(full) = channels::admit(&site, holds, others) {
        world.refuse(full.rule(), format!("{full:?}"));
        return Ok(());
    }
    let ringing = to.map(|to| {
        let mut ringing = Ringing::new(to);
        ringing.ask(&site, &world.facts);
        ringing
    });
    world.calls.live.push(Call {
        ringing,
        call: to,
        ..Call::new(holds)
    });
    world.outgoing = Some(Outgoing { meaning, presented });
    Ok(())
}

/// Who rings now.
fn rings(world: &World) -> IdSet {
    match world.calls.live.last() {
        Some(Call {
            ringing: Some(ringing),
            talks: None,
            ..
        }) => ringing.offered(),
        _ => IdSet::EMPTY,
    }
}

fn talks(world: &World, who: &str) -> Outcome {
    let talks = world.calls.live.last().and_then(|call| call.talks);
    let talks = talks.map_or("nobody".to_owned(), |key| world.name(key));
    same(who.to_owned(), talks)
}

/// The label of the called number, as the ringing terminals are told.
fn shown(world: &World) -> Result<String, Wrong> {
    let site = world.site()?;
    let called = world.calls.live.last().and_then(|call| call.called);
    let label = match called.ok_or("nobody calls")? {
        Called::Rep(index) => site.reps.get(index).map(|rep| &rep.label),
        Called::Direct(key) => site.id(key).map(|id| &id.label),
    };
    Ok(label.ok_or("there is no label")?.to_string())
}

fn ended(world: &World, treatment: &str, rule: &str) -> Outcome {
    let ended = world.calls.ended.as_ref().ok_or("the call rings")?;
    same(treatment, ended.treatment)?;
    same(rule, ended.rule)
}

fn meaning(world: &World) -> Result<&str, Wrong> {
    let outgoing = world.outgoing.as_ref().ok_or("nobody dialled")?;
    Ok(&outgoing.meaning)
}

fn presented(world: &World) -> Result<Presented, Wrong> {
    let outgoing = world.outgoing.as_ref().ok_or("nobody dialled")?;
    Ok(outgoing.presented.ok_or("nothing is presented inside")?)
}
