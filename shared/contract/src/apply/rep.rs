//! Representative numbers (R2 to R4, R12 to R14, R44, A4) and what happens to calls to any number.

use shared::route::{BlockRule, MAX_BLOCKED, NumberRules, Treatment};
use shared::schedule::Schedule;
use shared::{Extension, IdSet, Number};

use super::claim::Use;
use super::{Work, label};
use crate::command::{Decision, NewRep, RepChange};
use crate::model::{Line, Rep, RepRequest, RequestState};
use crate::refusal::Refusal;

impl Work<'_> {
    pub(super) fn add_rep(&mut self, new: &NewRep, usage: &str) -> Result<(), Refusal> {
        label(&new.label)?;
        let reps = self.contract.reps.len();
        let pending = self.contract.pending().count();
        self.room_for_rep(pending)?;
        // R14: who waits for a review has asked beyond what is given without one, and goes on doing so.
        if reps + pending < self.contract.rules().self_service_reps {
            return self.give_rep(new);
        }
        let usage = usage.trim();
        if usage.is_empty() {
            return Err(Refusal::UsageRequired { reps });
        }
        self.groups(new.number, &new.members, new.ring.as_deref())?;
        self.claim(new.number, Use::Rep)?;
        let last = self.contract.requests.iter().map(|request| request.id).max();
        self.contract.requests.push(RepRequest {
            id: last.unwrap_or(0).saturating_add(1),
            since: self.context.today,
            rep: new.clone(),
            usage: usage.into(),
            state: RequestState::Submitted,
        });
        Ok(())
    }

    /// R12, R13: may there be one more, beside so many that wait for a review?
    fn room_for_rep(&self, pending: usize) -> Result<(), Refusal> {
        let (ids, reps) = (self.contract.ids.len(), self.contract.reps.len());
        let least = self.contract.rules().min_ids_for_reps;
        if ids < least {
            return Err(Refusal::NeedsMultipleIds { ids, least });
        }
        if reps + pending >= ids {
            return Err(Refusal::RepCap { reps, pending, ids });
        }
        Ok(())
    }

    fn give_rep(&mut self, new: &NewRep) -> Result<(), Refusal> {
        let (members, ring) = self.groups(new.number, &new.members, new.ring.as_deref())?;
        self.claim(new.number, Use::Rep)?;
        self.contract.reps.push(Rep {
            line: Line::new(new.number, self.context.today),
            label: label(&new.label)?,
            members,
            ring,
            sub_cap: None,
        });
        self.contract.reps.sort_by_key(|rep| rep.line.number);
        Ok(())
    }

    pub(super) fn decide_rep(&mut self, request: u32, decision: &Decision) -> Result<(), Refusal> {
        let today = self.context.today;
        let mut requests = self.contract.requests.iter_mut();
        let found = requests
            .find(|one| one.id == request)
            .ok_or(Refusal::NoRequest(request))?;
        if found.state != RequestState::Submitted {
            return Err(Refusal::Decided(request));
        }
        let rep = found.rep.clone();
        match decision {
            Decision::Approve => {
                found.state = RequestState::Approved(today);
                // IDs may have gone since; the other requests wait for their own decision.
                self.room_for_rep(0)?;
                self.give_rep(&rep)
            }
            Decision::Refuse(reason) if reason.trim().is_empty() => Err(Refusal::ReasonRequired),
            Decision::Refuse(reason) => {
                found.state = RequestState::Refused {
                    on: today,
                    reason: reason.clone(),
                };
                Ok(())
            }
        }
    }

    pub(super) fn change_rep(&mut self, number: Number, change: &RepChange) -> Result<(), Refusal> {
        if *change == RepChange::default() {
            return Err(Refusal::NothingToChange);
        }
        let channels = self.contract.channels();
        let most = self.contract.rules().max_sub_cap.map_or(channels, usize::from);
        let (members, ring) = {
            let rep = self.rep_mut(number)?;
            (rep.members, rep.ring)
        };
        let extensions = |set: IdSet| -> Vec<Extension> {
            let ids = set.iter().filter_map(|key| self.contract.id(key));
            ids.map(|id| id.extension).collect()
        };
        let groups = match (&change.members, &change.ring) {
            (None, None) => (members, ring),
            (Some(now), None) => {
                let (now, _) = self.groups(number, now, None)?;
                // R44: who was silent stays silent; who is new rings.
                (now, now.difference(members.difference(ring)))
            }
            (Some(now), Some(ring)) => self.groups(number, now, Some(ring))?,
            (None, Some(ring)) => self.groups(number, &extensions(members), Some(ring))?,
        };
        if let Some(Some(cap)) = change.sub_cap {
            let most = most.min(channels);
            if cap == 0 || usize::from(cap) > most {
                return Err(Refusal::SubCap { cap, most });
            }
        }
        let rep = self.rep_mut(number)?;
        if let Some(text) = &change.label {
            rep.label = label(text)?;
        }
        (rep.members, rep.ring) = groups;
        rep.sub_cap = change.sub_cap.unwrap_or(rep.sub_cap);
        Ok(())
    }

    /// Members and who of them rings, by extension; all of them ring if it is not said (R4, R44).
    fn groups(
        &self,
        number: Number,
        members: &[Extension],
        ring: Option<&[Extension]>,
    ) -> Result<(IdSet, IdSet), Refusal> {
        let keys = |extensions: &[Extension]| -> Result<IdSet, Refusal> {
            let key = |extension: &Extension| {
                let id = self.contract.by_extension(*extension);
                id.map(|id| id.key).ok_or(Refusal::NoExtension(*extension))
            };
            extensions.iter().map(key).collect()
        };
        let ring = ring.unwrap_or(members);
        if let Some(extension) = ring.iter().find(|one| !members.contains(one)) {
            let extension = *extension;
            return Err(Refusal::RingNotMember { extension, number });
        }
        Ok((keys(members)?, keys(ring)?))
    }

    pub(super) fn remove_rep(&mut self, number: Number) -> Result<(), Refusal> {
        let line = self.rep_mut(number)?.line.clone();
        self.releasable(number)?;
        if line.porting.is_some() {
            return Err(Refusal::Porting(number));
        }
        self.contract.reps.retain(|rep| rep.line.number != number);
        self.former(&line, None, None, false);
        Ok(())
    }

    pub(super) fn set_schedule(&mut self, index: u8, schedule: Option<&Schedule>) -> Result<(), Refusal> {
        match schedule {
            Some(schedule) => {
                schedule.validate().map_err(Refusal::Schedule)?;
                self.contract.schedules.insert(index, schedule.clone());
            }
            None => {
                self.unused(|rules| rules.schedule == Some(index))?;
                let gone = self.contract.schedules.remove(&index);
                gone.ok_or(Refusal::NoSchedule(index))?;
            }
        }
        Ok(())
    }

    pub(super) fn set_block_list(&mut self, index: u8, list: Option<&[BlockRule]>) -> Result<(), Refusal> {
        match list {
            Some(list) if list.len() > MAX_BLOCKED => return Err(Refusal::BlockListFull(MAX_BLOCKED)),
            Some(list) => {
                self.contract.blocks.insert(index, list.to_vec());
            }
            None => {
                self.unused(|rules| rules.block == Some(index))?;
                let gone = self.contract.blocks.remove(&index);
                gone.ok_or(Refusal::NoBlockList(index))?;
            }
        }
        Ok(())
    }

    fn unused(&self, uses: impl Fn(&NumberRules) -> bool) -> Result<(), Refusal> {
        match self.contract.lines().find(|(line, _)| uses(&line.rules)) {
            Some((line, _)) => Err(Refusal::RuleInUse(line.number)),
            None => Ok(()),
        }
    }

    pub(super) fn set_rules(&mut self, number: Number, rules: NumberRules) -> Result<(), Refusal> {
        if let Some(index) = rules
            .schedule
            .filter(|index| !self.contract.schedules.contains_key(index))
        {
            return Err(Refusal::NoSchedule(index));
        }
        if let Some(index) = rules
            .block
            .filter(|index| !self.contract.blocks.contains_key(index))
        {
            return Err(Refusal::NoBlockList(index));
        }
        for treatment in [rules.closed, rules.unanswered] {
            if let Treatment::Forward(to) = treatment
                && (to == number || self.contract.line(to).is_none())
            {
                return Err(Refusal::ForwardTarget(to));
            }
        }
        self.line_mut(number)?.rules = rules;
        Ok(())
    }
}
