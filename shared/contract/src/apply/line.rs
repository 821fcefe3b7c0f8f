//! Lines: their numbers come, change, are ported and go.

use shared::number::plan::{Kind, classify};
use shared::route::Treatment;
use shared::{IdKey, Number};

use super::Work;
use super::claim::Use;
use crate::effect::{Effect, Warning};
use crate::model::{Direction, Former, Line, Porting, Role};
use crate::refusal::Refusal;

impl Work<'_> {
    pub(super) fn line_mut(&mut self, number: Number) -> Result<&mut Line, Refusal> {
        let direct = self.contract.ids.iter_mut().map(|id| &mut id.direct);
        let mut lines = direct.chain(self.contract.reps.iter_mut().map(|rep| &mut rep.line));
        lines
            .find(|line| line.number == number)
            .ok_or(Refusal::NoNumber(number))
    }

    /// What a line's number may be used for, and so what another one in its place must be.
    fn use_of(&self, number: Number) -> Result<Use, Refusal> {
        let (_, role) = self
            .contract
            .lines()
            .find(|(line, _)| line.number == number)
            .ok_or(Refusal::NoNumber(number))?;
        Ok(match role {
            Role::Direct(key) => Use::Direct(self.id(key)?.site),
            Role::Rep => Use::Rep,
        })
    }

    /// Writes down that a line is gone, and lets nothing point to it.
    pub(super) fn former(&mut self, line: &Line, id: Option<IdKey>, next: Option<Number>, ported: bool) {
        self.contract.former.push(Former {
            number: line.number,
            id,
            since: line.since,
            until: self.context.today,
            next,
            ported,
        });
        self.redirect(line.number, Treatment::End);
    }

    /// Calls that were forwarded to a number are treated so from now on.
    fn redirect(&mut self, number: Number, now: Treatment) {
        let direct = self.contract.ids.iter_mut().map(|id| &mut id.direct);
        for line in direct.chain(self.contract.reps.iter_mut().map(|rep| &mut rep.line)) {
            let mut ends = false;
            for treatment in [&mut line.rules.closed, &mut line.rules.unanswered] {
                if *treatment == Treatment::Forward(number) && line.number != number {
                    // A line does not forward to itself.
                    let own = now == Treatment::Forward(line.number);
                    *treatment = if own { Treatment::End } else { now };
                    ends |= *treatment == Treatment::End;
                }
            }
            if ends {
                let warning = Warning::ForwardEnds {
                    line: line.number,
                    gone: number,
                };
                self.told.push(Effect::Warning(warning));
            }
        }
    }

    /// Gives a line another number; everything that pointed to the old one points to the new one.
    pub(super) fn replace(&mut self, old: Number, new: Number, ported: bool) -> Result<(), Refusal> {
        let today = self.context.today;
        let line = self.line_mut(old)?;
        let before = line.clone();
        line.number = new;
        line.since = today;
        line.porting = None;
        let mut key = None;
        for id in &mut self.contract.ids {
            if id.direct.number == new {
                key = Some(id.key);
            }
            if id.outgoing == old {
                id.outgoing = new;
            }
        }
        // R10: a new user name, and so a new password.
        if let Some(key) = key {
            self.claim_anew(key)?;
        }
        self.contract.reps.sort_by_key(|rep| rep.line.number);
        self.redirect(old, Treatment::Forward(new));
        self.former(&before, key, Some(new), ported);
        Ok(())
    }

    fn portable(&self, number: Number) -> Result<(), Refusal> {
        match classify(number, self.context.today) {
            Kind::Geographic(_) => Ok(()),
            _ => Err(Refusal::NotPortable(number)),
        }
    }

    fn begin_porting(
        &mut self,
        number: Number,
        direction: Direction,
        next: Option<Number>,
    ) -> Result<(), Refusal> {
        if self.line_mut(number)?.porting.is_some() {
            return Err(Refusal::Porting(number));
        }
        if let Some(next) = next {
            let wanted = self.use_of(number)?;
            match direction {
                // It may well be one that went to another carrier.
                Direction::In => self.suits(next, wanted)?,
                Direction::Out => self.claim(next, wanted)?,
            }
        }
        let since = self.context.today;
        self.line_mut(number)?.porting = Some(Porting {
            direction,
            next,
            since,
        });
        Ok(())
    }

    pub(super) fn port_in(&mut self, line: Number, number: Number) -> Result<(), Refusal> {
        self.portable(number)?;
        self.begin_porting(line, Direction::In, Some(number))
    }

    pub(super) fn port_out(&mut self, line: Number, next: Option<Number>) -> Result<(), Refusal> {
        self.portable(line)?;
        self.releasable(line)?;
        if let (Use::Direct(_), None) = (self.use_of(line)?, next) {
            return Err(Refusal::DirectRequired(line));
        }
        self.begin_porting(line, Direction::Out, next)
    }

    pub(super) fn port_done(&mut self, number: Number) -> Result<(), Refusal> {
        let line = self.line_mut(number)?.clone();
        let Some(porting) = line.porting else {
            return Err(Refusal::NotPorting(number));
        };
        let ported = porting.direction == Direction::Out;
        match porting.next {
            Some(next) => {
                // R18: its site may have another address since, of which emergency services do not know.
                self.check_area(next, self.use_of(number)?)?;
                self.replace(number, next, ported)
            }
            None => {
                self.contract.reps.retain(|rep| rep.line.number != number);
                self.former(&line, None, None, ported);
                Ok(())
            }
        }
    }

    pub(super) fn port_cancel(&mut self, number: Number) -> Result<(), Refusal> {
        let gone = self.line_mut(number)?.porting.take();
        gone.map(drop).ok_or(Refusal::NotPorting(number))
    }
}
