//! Steps of calls: who rings, channels, the number presented, the emergency guard.

use shared::caller_id::{self, Presented};
use shared::channels::{self, Full, Use};
use shared::ring::{Call as Asked, Ringing, To};
use shared::route::{Caller, Cause, Inbound, NumberRules, Route, Treatment, route};
use shared::{Called, Dialled, Facts, IdKey, IdSet, Number, dial, ring};

use crate::world::{Outcome, World, Wrong, same};

/// Of one contract, the last one last; one that was turned away is the last until there is another.
#[derive(Default)]
pub struct Calls(Vec<Call>);

struct Call {
    /// What it holds of the channels.
    holds: Use,
    /// What was called; nothing if it went to the outside.
    asked: Option<Asked>,
    called: Option<Called>,
    state: State,
}

enum State {
    /// It rings here.
    Rings(Ringing, Treatment),
    /// One answered; whoever rings all the same is in the set.
    Talks(IdKey, Ringing, IdSet),
    /// It goes on outside.
    Outside,
    /// It did not ring, by this rule.
    TurnedAway(&'static str, &'static str),
}

/// What the last outgoing call came to.
pub struct Outgoing {
    meaning: String,
    presented: Option<Presented>,
}

/// Milliseconds of the clock, which stands still.
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
            let holds = Use::Outside(world.number("D1")?);
            for _ in 0..count.parse::<usize>()? {
                let calls = &mut world.calls.0;
                calls.push(Call::outside(holds));
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
        ["nobody", "answers"] => unanswered(world),
        [who, "answers"] => {
            let key = world.id(who)?;
            let call = world.calls.0.last_mut().ok_or("there is no call")?;
            let State::Rings(mut ringing, _) = call.state else {
                return Err("it does not ring".into());
            };
            if !ringing.answer(key) {
                return Err("it was not offered".into());
            }
            call.state = State::Talks(key, ringing, IdSet::EMPTY);
            world.facts.busy.insert(key);
            Ok(())
        }
        ["the", "caller", "hangs", "up"] => {
            let call = world.calls.0.pop().ok_or("there is no call")?;
            if let State::Talks(key, ..) = call.state {
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
            let asked = world.calls.0.last().and_then(|call| call.asked);
            let decision = ring(&world.site()?, asked.ok_or("nobody calls")?, &world.facts);
            let reason = decision.reason(key).ok_or("the trace does not name it")?;
            same(*rule, reason.rule())
        }
        [who, "talks"] => {
            let talks = match world.calls.0.last().map(|call| &call.state) {
                Some(State::Talks(key, ..)) => world.name(*key),
                _ => "nobody".into(),
            };
            same((*who).to_owned(), talks)
        }
        [who, "cannot", "answer"] => {
            let key = world.id(who)?;
            match world.calls.0.last_mut().map(|call| &mut call.state) {
                Some(State::Rings(ringing, _) | State::Talks(_, ringing, _)) => match ringing.answer(key) {
                    true => Err("it can".into()),
                    false => Ok(()),
                },
                _ => Ok(()),
            }
        }
        ["shows", label @ ..] => same(label.join(" "), shown(world)?),
        ["busy", rule] => turned_away(world, "busy", rule),
        ["not", "in", "use", rule] => turned_away(world, "not in use", rule),
        ["channels", used, "of", all] => {
            let holds = world.calls.0.iter().map(|call| call.holds.channels());
            same(used.parse()?, holds.sum::<usize>())?;
            same(all.parse()?, world.site()?.sys.channels)
        }
        ["connected"] => same("outside", meaning(world)?),
        ["emergency", number] => same(format!("emergency {number}"), meaning(world)?.to_owned()),
        ["pick-up", "at", who] => same(format!("pick-up at {who}"), meaning(world)?.to_owned()),
        ["park", slot] => same(format!("park {slot}"), meaning(world)?.to_owned()),
        ["extension", who] => same(format!("extension {who}"), meaning(world)?.to_owned()),
        ["presents", number] => {
            let presented = presented(world)?;
            same(world.number(number)?, presented.number)?;
            same(false, presented.withheld)
        }
        ["withheld"] => same(true, presented(world)?.withheld),
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

impl Call {
    fn outside(holds: Use) -> Self {
        Self {
            holds,
            asked: None,
            called: None,
            state: State::Outside,
        }
    }
}

/// Changes what is known of a terminal; whoever rings is asked again (R21).
fn fact(world: &mut World, who: &str, change: impl Fn(&mut Facts, IdKey)) -> Outcome {
    let key = world.id(who)?;
    change(&mut world.facts, key);
    let site = world.site()?;
    for call in &mut world.calls.0 {
        match &mut call.state {
            State::Rings(ringing, _) => {
                ringing.ask(&site, &world.facts);
            }
            State::Talks(_, ringing, late) => *late = late.union(ringing.ask(&site, &world.facts)),
            State::Outside | State::TurnedAway(..) => {}
        }
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
    let others = world.calls.0.iter().map(|call| call.holds);
    let full = channels::admit(&site, holds, others).err();
    let line = world.contract.line(number);
    let (becomes, _) = route(&Inbound {
        called: number,
        caller: Caller::Number(Number::parse("090-1111-2222")?),
        at: None,
        guard,
        state: world.contract.state(number),
        full,
        rules: line.map_or(NumberRules::default(), |line| line.rules),
        block: &[],
        schedule: None,
    });
    let called = site.by_number(number);
    let call = match becomes {
        Route::Ring {
            number,
            first,
            unanswered,
        } => {
            let asked = Asked {
                back_to: first,
                ..Asked::from(number)
            };
            let mut ringing = Ringing::new(asked);
            ringing.ask(&site, &world.facts);
            Call {
                holds,
                asked: Some(asked),
                called,
                state: State::Rings(ringing, unanswered),
            }
        }
        Route::Refuse(cause) => {
            let (treatment, rule) = why(cause, full);
            Call {
                holds: Use::Inside,
                asked: Some(number.into()),
                called,
                state: State::TurnedAway(treatment, rule),
            }
        }
    };
    world.calls.0.push(call);
    Ok(())
}

fn why(cause: Cause, full: Option<Full>) -> (&'static str, &'static str) {
    match (cause, full) {
        (Cause::Full, full) => ("busy", full.map_or("R15", Full::rule)),
        (Cause::Closed, _) => ("busy", "hours"),
        (Cause::NotInUse, _) => ("not in use", "R25"),
        (Cause::Rejected, _) => ("rejected", "suspended"),
        (Cause::OutOfOrder, _) => ("rejected", "porting"),
    }
}

/// What was set for the called number happens.
fn unanswered(world: &mut World) -> Outcome {
    let site = world.site()?;
    let call = world.calls.0.last_mut().ok_or("there is no call")?;
    match call.state {
        State::Rings(_, Treatment::Forward(number)) => {
            let asked = Asked::from(number);
            let mut ringing = Ringing::new(asked);
            ringing.ask(&site, &world.facts);
            call.asked = Some(asked);
            call.state = State::Rings(ringing, Treatment::End);
        }
        State::Rings(_, Treatment::End) => {
            world.calls.0.pop();
        }
        _ => return Err("it does not ring".into()),
    }
    Ok(())
}

/// A terminal dials, as the box treats it.
fn outgoing(world: &mut World, who: &str, digits: &str, wish: Option<Number>) -> Outcome {
    let key = world.id(who)?;
    let site = world.site()?;
    let id = site.id(key).ok_or("it is gone")?;
    world.outgoing = None;
    let inside = |to| {
        Some(Asked {
            from: Some(key),
            ..Asked::new(to)
        })
    };
    let (meaning, asked, presented) = match dial(&site, digits, Some(world.today)) {
        Ok(Dialled::Extension(to)) => {
            let meaning = format!("extension {}", world.name(to));
            (meaning, inside(To::Extension(to)), None)
        }
        Ok(Dialled::PickUp(at)) => (format!("pick-up at {}", world.name(at)), None, None),
        Ok(Dialled::Park(slot)) => (format!("park {}", slot.number()), None, None),
        Ok(Dialled::Rep(index)) => {
            let rep = site.reps.get(index).ok_or("no such group")?;
            ("group".into(), inside(To::Number(rep.number)), None)
        }
        Ok(Dialled::Emergency(called)) => {
            let number = caller_id::emergency(&site, id);
            world.guard.called(NOW, key, number);
            let presented = Presented {
                number,
                withheld: false,
            };
            (format!("emergency {called}"), None, Some(presented))
        }
        Ok(Dialled::Outside { privacy, present, .. }) => {
            let chosen = match present.number(&site, id) {
                Ok(chosen) => wish.or(chosen),
                Err(refusal) => {
                    world.refuse("R22", refusal);
                    return Ok(());
                }
            };
            match caller_id::present(&site, id, chosen, privacy) {
                Ok(presented) => ("outside".into(), None, Some(presented)),
                Err(refusal) => {
                    world.refuse(refusal.rule(), format!("{refusal:?}"));
                    return Ok(());
                }
            }
        }
        Err(refusal) => {
            world.refuse("dial", refusal);
            return Ok(());
        }
    };
    let holds = match presented {
        None => Use::Inside,
        Some(presented) if meaning == "outside" => Use::Outside(presented.number),
        Some(presented) => Use::Emergency(presented.number),
    };
    let others = world.calls.0.iter().map(|call| call.holds);
    if let Err(full) = channels::admit(&site, holds, others) {
        world.refuse(full.rule(), format!("{full:?}"));
        return Ok(());
    }
    let mut call = Call::outside(holds);
    if let Some(asked) = asked {
        let mut ringing = Ringing::new(asked);
        ringing.ask(&site, &world.facts);
        call.asked = Some(asked);
        call.state = State::Rings(ringing, Treatment::End);
    }
    world.calls.0.push(call);
    world.outgoing = Some(Outgoing { meaning, presented });
    Ok(())
}

/// Who rings now.
fn rings(world: &World) -> IdSet {
    match world.calls.0.last().map(|call| &call.state) {
        Some(State::Rings(ringing, _)) => ringing.offered(),
        Some(State::Talks(_, _, late)) => *late,
        _ => IdSet::EMPTY,
    }
}

/// The label of the called number, as the ringing terminals are told.
fn shown(world: &World) -> Result<String, Wrong> {
    let site = world.site()?;
    let called = world.calls.0.last().and_then(|call| call.called);
    let label = match called.ok_or("nobody calls")? {
        Called::Rep(index) => site.reps.get(index).map(|rep| &rep.label),
        Called::Direct(key) => site.id(key).map(|id| &id.label),
    };
    Ok(label.ok_or("there is no label")?.to_string())
}

fn turned_away(world: &World, treatment: &str, rule: &str) -> Outcome {
    match world.calls.0.last().map(|call| &call.state) {
        Some(State::TurnedAway(found, by)) => {
            same(treatment, *found)?;
            same(rule, *by)
        }
        _ => Err("it was not turned away".into()),
    }
}

fn meaning(world: &World) -> Result<&str, Wrong> {
    let outgoing = world.outgoing.as_ref().ok_or("nobody dialled")?;
    Ok(&outgoing.meaning)
}

fn presented(world: &World) -> Result<Presented, Wrong> {
    let outgoing = world.outgoing.as_ref().ok_or("nobody dialled")?;
    Ok(outgoing.presented.ok_or("nothing is presented inside")?)
}
