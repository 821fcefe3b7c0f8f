//! What must hold whatever happened, once everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use shared::id::{BoxId, IdKey, IdSet};
use shared::number::Number;
use shared::record::{CallLeg, FinalState, Side};
use shared::sync::{EventBody, EventId};

use crate::network::Millis;
use crate::office;
use crate::phone::{CallLog, Direction, Outcome};
use crate::scene::{CARRIER, CLOUD, CONTRACT, Scene};

/// What was done to the scene, as far as it excuses something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excuses {
    /// The box lost its power: calls in progress are forgotten, with their records.
    pub box_died: bool,
    /// The cloud's process ended: the same for its side.
    pub cloud_died: bool,
    /// The line was cut.
    pub cut: bool,
    /// Datagrams were lost on a path: something may time out.
    pub lossy: bool,
}

/// Everything that does not hold.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    /// One line each.
    pub fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, fault| {
            let _ = writeln!(text, "  {fault}");
            text
        })
    }
}

/// One call with everything that everybody knows of it.
#[derive(Debug, Default)]
pub struct Joined {
    /// What user agents saw: node and log.
    pub seen: Vec<(usize, CallLog)>,
    /// The records of the box where it began; of a call from outside, those of the office itself.
    pub box_legs: Vec<CallLeg>,
    /// Those of the other box.
    pub other_legs: Vec<CallLeg>,
    /// The cloud's.
    pub cloud_legs: Vec<CallLeg>,
}

/// Calls by their session name.
pub fn join(scene: &mut Scene) -> BTreeMap<String, Joined> {
    let mut calls: BTreeMap<String, Joined> = BTreeMap::new();
    for node in scene.agents() {
        for log in scene.at(node).log().to_vec() {
            if !log.session.is_empty() {
                calls
                    .entry(log.session.clone())
                    .or_default()
                    .seen
                    .push((node, log));
            }
        }
    }
    for (_, id) in scene.boxes() {
        for leg in box_legs(scene, id) {
            let call = calls.entry(leg.session.text().as_str().to_owned()).or_default();
            // A call from outside may cross both boxes, and then the first is the office's.
            let began = call.seen.iter().find(|(_, log)| log.direction == Direction::Out);
            let first = match began {
                Some((node, _)) if *node != CARRIER => scene.box_of(*node),
                _ => office::BOX,
            };
            match id == first {
                true => call.box_legs.push(leg),
                false => call.other_legs.push(leg),
            }
        }
    }
    for (_, leg) in scene.cloud().records.clone() {
        calls
            .entry(leg.session.text().as_str().to_owned())
            .or_default()
            .cloud_legs
            .push(leg);
    }
    calls
}

/// A box's records in the cloud's database.
fn box_legs(scene: &mut Scene, id: BoxId) -> Vec<CallLeg> {
    let events = scene.cloud().database().events(id);
    let legs = events
        .into_iter()
        .filter_map(|received| match received.event?.body {
            EventBody::CallLeg(leg) => Some(leg),
            _ => None,
        });
    legs.collect()
}

/// Everything, when all calls are over and the line has been whole for minutes.
pub fn at_rest(scene: &mut Scene, excuses: Excuses) -> Faults {
    let mut faults = Faults::default();
    agents(scene, &mut faults);
    leaks(scene, &mut faults);
    telephones(scene, &mut faults);
    events(scene, &mut faults);
    calls(scene, excuses, &mut faults);
    faults
}

/// A box has just started: every phone that was told that it is registered still is.
pub fn remembered(scene: &mut Scene) -> Faults {
    let mut faults = Faults::default();
    let now = scene.world.now();
    let mut known = IdSet::EMPTY;
    for (node, _) in scene.boxes() {
        let here = scene.desk_at(node).brain(|brain| brain.registered().collect());
        known = known.union(here.unwrap_or_default());
    }
    for phone in 0..scene.office.phones {
        let is_known = IdKey::new(phone).is_some_and(|key| known.contains(key));
        faults.unless(is_known || !scene.phone(phone).is_registered(now), || {
            format!("phone{phone} got its 200 and is forgotten at {now}")
        });
    }
    faults
}

/// Every call of every phone has ended, once, and nobody broke the protocol.
fn agents(scene: &mut Scene, faults: &mut Faults) {
    for node in scene.agents() {
        let agent = scene.at(node);
        let name = agent.identity().name.clone();
        for problem in agent.problems() {
            faults.0.push(problem.clone());
        }
        faults.unless(agent.busy() == 0, || {
            format!("{name} is still in {} calls", agent.busy())
        });
        for log in agent.log() {
            faults.unless(log.outcome.is_some(), || {
                format!("{name}: call {} has no end", log.call_id)
            });
        }
    }
}

/// Nothing is held for calls that are over.
fn leaks(scene: &mut Scene, faults: &mut Faults) {
    let now = scene.world.now();
    for (node, _) in scene.boxes() {
        if scene.world.is_on(node) {
            let usage = scene.desk_at(node).brain(|brain| brain.usage());
            faults.unless(usage == Some(Default::default()), || {
                format!("box {node} holds: {usage:?} at {now}")
            });
        }
    }
    if scene.world.is_on(CLOUD) {
        let usage = scene
            .cloud()
            .pbx()
            .map(|pbx| (pbx.usage(), pbx.channels_used(CONTRACT)));
        faults.unless(usage == Some(Default::default()), || {
            format!("cloud holds room of calls, relays; channels: {usage:?} at {now}")
        });
        if let Some(ports) = scene.cloud().ports() {
            let (open, problems) = (ports.in_use(), ports.problems.clone());
            faults.unless(open == 0, || format!("{open} relays are open"));
            faults.0.extend(problems);
        }
    }
    let problems = scene.cloud().problems.clone();
    faults.0.extend(problems);
}

/// Every telephone is on hook and its line is quiet: none rings or is busy for ever.
fn telephones(scene: &mut Scene, faults: &mut Faults) {
    let desk = scene.desk();
    let idle = desk.brain(|brain| brain.idle_ports());
    faults.unless(idle.is_none_or(|idle| idle == gateway::budget::LINES), || {
        format!("only {idle:?} ports are idle")
    });
    let on = idle.is_some();
    for (line, telephone) in desk.telephones.iter().enumerate() {
        faults.unless(!on || telephone.is_at_rest(), || {
            format!("telephone {line} is not at rest")
        });
        for problem in &telephone.problems {
            faults.0.push(format!("telephone {line}: {problem}"));
        }
    }
}

/// Every event of a box is in the database once, in order and without gaps.
fn events(scene: &mut Scene, faults: &mut Faults) {
    for (node, id) in scene.boxes() {
        let stored = scene.cloud().database().events(id);
        let mut last: Option<EventId> = None;
        for event in &stored {
            let id = event.id;
            let follows = match last {
                None => id.seq == 0,
                Some(last) if id.boot == last.boot => id.seq == last.seq + 1,
                Some(last) => id.boot > last.boot && id.seq == 0,
            };
            faults.unless(follows, || format!("event {id:?} follows {last:?}"));
            faults.unless(event.event.is_some(), || format!("event {id:?} cannot be read"));
            last = Some(id);
        }
        let boots: BTreeSet<u32> = stored.iter().map(|event| event.id.boot).collect();
        faults.unless(!boots.is_empty(), || "no event reached the database".into());
        let left = scene.desk_at(node).waiting();
        faults.unless(left == 0, || format!("{left} events left in the box"));
    }
}

/// What the sides know of a call fits together.
fn calls(scene: &mut Scene, excuses: Excuses, faults: &mut Faults) {
    for (session, call) in join(scene) {
        one_record_each(&session, &call, excuses, faults);
        one_answer(scene, &session, &call, excuses, faults);
        // Who takes a call that is there already (`**`) has not made it.
        let calls = |log: &CallLog| log.direction == Direction::Out && !log.peer.starts_with("**");
        let mut callers = call.seen.iter().filter(|(_, log)| calls(log));
        let more = callers.clone().count();
        faults.unless(more <= 1, || format!("{session}: {more} callers"));
        let Some((node, caller)) = callers.next() else {
            continue;
        };
        let (legs, side, died) = match *node {
            CARRIER => (&call.cloud_legs, Side::Cloud, excuses.cloud_died),
            _ => (&call.box_legs, Side::Box, excuses.box_died),
        };
        let first = legs.iter().find(|leg| leg.leg == 0);
        match first {
            None => faults.unless(died, || format!("{session}: no record at {side:?}: {caller:?}")),
            Some(leg) => agree(&session, caller, leg, excuses, faults),
        }
        both_sides(&session, &call, excuses, faults);
    }
}

/// Each leg is recorded once on each side, by itself without contradiction.
fn one_record_each(session: &str, call: &Joined, excuses: Excuses, faults: &mut Faults) {
    for (legs, side) in [
        (&call.box_legs, Side::Box),
        (&call.other_legs, Side::Box),
        (&call.cloud_legs, Side::Cloud),
    ] {
        let numbers: BTreeSet<u8> = legs.iter().map(|leg| leg.leg).collect();
        faults.unless(numbers.len() == legs.len(), || {
            format!("{session}: records twice at {side:?}: {legs:?}")
        });
        for leg in legs {
            faults.unless(leg.side == side, || format!("{session}: wrong side in {leg:?}"));
            let was_answered = matches!(leg.state, FinalState::Answered | FinalState::Lost);
            faults.unless(leg.answered.is_some() == was_answered, || {
                format!("{session}: contradiction in {leg:?}")
            });
            let in_order = leg.started.mono <= leg.ended.mono
                && leg
                    .answered
                    .is_none_or(|at| leg.started.mono <= at.mono && at.mono <= leg.ended.mono);
            faults.unless(in_order, || format!("{session}: times out of order in {leg:?}"));
        }
        if let Some(first) = legs.iter().find(|leg| leg.leg == 0) {
            // The power may go between the records of a call's two legs.
            let torn = side == Side::Box && excuses.box_died;
            faults.unless(torn || first.answered.is_some() == numbers.contains(&1), || {
                format!(
                    "{session}: an answer with {} legs at {side:?}: {legs:?}",
                    numbers.len()
                )
            });
        }
    }
}

/// Did this agent's answer stand? One that came too late gets its ACK and a BYE with the reason.
fn stands(log: &CallLog) -> bool {
    log.direction == Direction::In && log.answered.is_some() && !log.reason.contains("cause=200")
}

fn one_answer(scene: &Scene, session: &str, call: &Joined, excuses: Excuses, faults: &mut Faults) {
    // Who had the call before it was parked may be followed by another (R29): its third leg is one that took it.
    let was_parked = call.box_legs.iter().any(|leg| leg.leg > 1);
    let follows = |log: &CallLog, end: Millis| stands(log) && log.answered.is_some_and(|at| at > end);
    let is_followed = |log: &CallLog| {
        let end = log.ended.filter(|_| was_parked);
        end.is_some_and(|end| call.seen.iter().any(|(_, other)| follows(other, end)))
    };
    // A phone whose 200 was never acknowledged did not win.
    let winners: Vec<_> = call
        .seen
        .iter()
        .filter(|(_, log)| stands(log) && log.outcome != Some(Outcome::Lost) && !is_followed(log))
        .map(|(node, log)| (node, log.answered, &log.outcome))
        .collect();
    let caller_gave_up = call.seen.iter().any(|(_, log)| {
        log.direction == Direction::Out
            && matches!(log.outcome, Some(Outcome::Cancelled | Outcome::Refused(_)))
    });
    let apart = excuses.cut || excuses.cloud_died || excuses.box_died;
    let sides: Vec<BoxId> = winners.iter().map(|(node, ..)| scene.box_of(**node)).collect();
    faults.unless(caller_gave_up || one_winner(&sides, apart), || {
        format!("{session}: answered by {winners:?}")
    });
}

/// One phone has the call; of two boxes that are `apart` and do not hear of each other, each lets one of its phones have it.
fn one_winner(boxes: &[BoxId], apart: bool) -> bool {
    let different: BTreeSet<_> = boxes.iter().collect();
    different.len() == boxes.len() && (apart || boxes.len() <= 1)
}

/// What the carrier holds a call for after the cloud let go of it: its BYE may be lost three times.
const LET_GO: Millis = 4_000;

/// R15 as the carrier sees it: the calls that were let through, at the moment of each, are no more than the channels then.
/// Calls to the authorities, and those to a number that such a call presented, need none.
pub fn channels(log: &[CallLog], limit: impl Fn(Millis) -> usize) -> Faults {
    let mut faults = Faults::default();
    let number = |user: &str| Number::parse(user).ok();
    let emergency = |call: &&CallLog| {
        call.direction == Direction::In && ["110", "118", "119"].contains(&call.called.as_str())
    };
    let call_back = |call: &CallLog| {
        let presented = |first: &CallLog| number(&first.peer) == number(&call.called);
        let mut before = log.iter().filter(|first| first.started <= call.started);
        call.direction == Direction::Out && before.any(|first| emergency(&first) && presented(first))
    };
    let through = |call: &CallLog| call.ringing.or(call.answered);
    let counted = log.iter().filter(|call| !emergency(call) && !call_back(call));
    let counted: Vec<(Millis, Millis)> = counted
        .filter_map(|call| Some((through(call)?, call.ended.unwrap_or(Millis::MAX))))
        .collect();
    for (at, _) in &counted {
        let holds = |(from, to): &&(Millis, Millis)| from <= at && to.saturating_sub(LET_GO) >= *at;
        let used = counted.iter().filter(holds).count();
        faults.unless(used <= limit(*at), || format!("{used} channels in use at {at}"));
    }
    faults
}

/// The caller and the side that took its call tell the same story.
fn agree(session: &str, caller: &CallLog, leg: &CallLeg, excuses: Excuses, faults: &mut Faults) {
    let answered = matches!(caller.outcome, Some(Outcome::HungUpHere | Outcome::HungUpThere));
    let fits = match (&caller.outcome, leg.state) {
        (Some(Outcome::HungUpHere | Outcome::HungUpThere), FinalState::Answered | FinalState::Lost) => true,
        (Some(Outcome::Cancelled), FinalState::Cancelled) => true,
        (Some(Outcome::Refused(status)), state) => {
            *status == leg.status && !matches!(state, FinalState::Answered | FinalState::Cancelled)
        }
        // The caller gave up without an answer to its CANCEL, or to its INVITE.
        (Some(Outcome::TimedOut), _) => excuses.lossy || excuses.box_died || excuses.cloud_died,
        _ => false,
    };
    let dead = excuses.box_died || excuses.cloud_died;
    faults.unless(fits || dead || (excuses.lossy && !answered), || {
        format!(
            "{session}: the caller saw {:?}, recorded is {:?} {}",
            caller.outcome, leg.state, leg.status
        )
    });
}

/// Box and cloud tell the same story of a call that crossed the line, or one of the boxes does; unless the line was cut or
/// one of them died.
fn both_sides(session: &str, call: &Joined, excuses: Excuses, faults: &mut Faults) {
    let first = |legs: &[CallLeg]| legs.iter().find(|leg| leg.leg == 0).cloned();
    let boxes = [first(&call.box_legs), first(&call.other_legs)];
    let boxes: Vec<CallLeg> = boxes.into_iter().flatten().collect();
    let Some(c) = first(&call.cloud_legs).filter(|_| !boxes.is_empty()) else {
        return;
    };
    if excuses.cut || excuses.box_died || excuses.cloud_died {
        return;
    }
    // An answer that crosses the caller's CANCEL is one on the side nearer to it, for as long as the BYE needs to come back.
    let crossed = |answered: &CallLeg, other: &CallLeg| {
        let lasted = answered.answered.map(|at| answered.ended.mono - at.mono);
        lasted.is_some_and(|lasted| lasted <= CROSSING) && other.state == FinalState::Cancelled
    };
    let agree =
        |b: &CallLeg| b.answered.is_some() == c.answered.is_some() || crossed(b, &c) || crossed(&c, b);
    faults.unless(boxes.iter().any(agree), || {
        format!("{session}: box says {boxes:?}, cloud {c:?}")
    });
}

/// The longest way there and back over the line, with a lost segment each way, milliseconds.
const CROSSING: u64 = 1_500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_winner_for_each_box_that_is_apart() {
        let (a, b) = (office::BOX, office::BRANCH_BOX);
        for (boxes, together, apart) in [
            (&[][..], true, true),
            (&[a], true, true),
            (&[a, b], false, true),
            (&[a, a], false, false),
            (&[a, b, b], false, false),
            (&[a, a, a, b, b], false, false),
        ] {
            assert_eq!(one_winner(boxes, false), together, "{boxes:?}");
            assert_eq!(one_winner(boxes, true), apart, "{boxes:?}");
        }
    }

    #[test]
    fn the_carrier_counts_the_channels() {
        let call = |direction, peer: &str, called: &str, from: Millis, to: Millis| CallLog {
            called: called.into(),
            ringing: Some(from),
            ended: Some(to),
            ..CallLog::new(direction, from, peer.into(), String::new())
        };
        let (own, customer) = ("+81312340001", "0809876001");
        let mut log = vec![
            call(Direction::In, own, "+81901234001", 1_000, 60_000),
            call(Direction::In, own, "119", 2_000, 30_000),
            // Calls back while the third below still talks.
            call(Direction::Out, customer, "0312340001", 20_000, 40_000),
            call(Direction::Out, customer, "0312340002", 3_000, 60_000),
        ];
        let full = |log: &[CallLog]| channels(log, |_| 2).0;
        assert!(full(&log).is_empty(), "{:?}", full(&log));
        // A call that was refused holds nothing.
        let refused = CallLog {
            ringing: None,
            ..call(Direction::Out, customer, "0312340000", 9_000, 9_100)
        };
        log.push(refused);
        assert!(full(&log).is_empty(), "{:?}", full(&log));
        // Called before 119 was, or another number: an ordinary call.
        for more in [
            call(Direction::Out, customer, "0312340001", 1_500, 50_000),
            call(Direction::Out, customer, "0312340000", 20_000, 50_000),
            call(Direction::In, own, "117", 20_000, 50_000),
        ] {
            log.push(more);
            assert_eq!(full(&log).len(), 1, "{:?}", full(&log));
            log.pop();
        }
        assert_eq!(channels(&log, |at| usize::from(at < 3_000)).0.len(), 1);
    }
}
