//! INFO (RFC 6086), as of keys that are pressed: passed from one side of an answered call to the other, and its answer back.

use super::*;

/// An INFO on its way.
#[derive(Debug)]
pub(super) struct Passed {
    /// The leg that it came from, and the one that it goes to.
    pub from: Key,
    to: Key,
    pub tx: TxId,
    /// It has no final answer yet.
    pub open: bool,
    /// The header lines that its answer copies, those that say what it is, and its body.
    pub text: Text<3>,
}

/// Parts of [`Passed::text`].
pub(super) const HEAD: usize = 0;
pub(super) const LINES: usize = 1;
pub(super) const BODY: usize = 2;

impl Passed {
    pub const NONE: Self = Self {
        from: Key::NONE,
        to: Key::NONE,
        tx: TxId::NONE,
        open: false,
        text: Text::EMPTY,
    };
}

impl<M> Calls<'_, M> {
    pub(super) fn on_info(&mut self, now: Instant, tx: TxId, key: Key, flow: Flow, message: &Message<'_>) {
        if let Err(status) = self.pass_info(now, tx, key, flow, message) {
            self.reply(now, tx, flow, message, status, |w| {
                if status == 500 {
                    w.header(Name::RetryAfter, 1);
                }
            });
        }
    }

    fn pass_info(
        &mut self,
        now: Instant,
        tx: TxId,
        key: Key,
        flow: Flow,
        message: &Message<'_>,
    ) -> Result<(), u16> {
        let to = self.opposite(key).ok_or(481u16)?;
        let (call, _) = self.place(key).ok_or(481u16)?;
        let call = self.calls.get_mut(call).ok_or(481u16)?;
        if call.passed.open || self.legs.get(to).is_none_or(Leg::is_asked) {
            return Err(500);
        }
        let paper = self.paper.blank();
        let mut w = Writer::new(paper);
        crate::write::write_response_lines(&mut w, message, None, flow.peer);
        let head = w.written().len();
        if let Some(package) = message.other("Info-Package") {
            w.header_bytes("Info-Package", package);
        }
        w.copy(message, Name::ContentDisposition)
            .copy(message, Name::ContentType);
        let written = w.end().map_err(|_| 513u16)?;
        let (head, lines) = paper
            .get(..written)
            .and_then(|written| written.split_at_checked(head))
            .ok_or(513u16)?;
        if message.body().len() > SDP_MAX {
            return Err(513);
        }
        let mut parts = [&b""[..]; 3];
        (parts[HEAD], parts[LINES], parts[BODY]) = (head, lines, message.body());
        let kept = self.texts.replace(&mut call.passed.text, parts);
        kept.map_err(|_| 503u16)?;
        (call.passed.from, call.passed.to) = (key, to);
        (call.passed.tx, call.passed.open) = (tx, true);
        self.tx.set_user(tx, key.to_bits());
        if !self.ask(now, to, Asking::Info, Priority::Normal) {
            self.passed(now, to, 503);
        }
        Ok(())
    }

    /// The call whose INFO goes to this leg.
    pub(super) fn passer(&self, key: Key) -> Option<Key> {
        let own = self.legs.get(key)?.call;
        // Who asked may have another partner by now.
        let linked = self.calls.get(own)?.link.map(|link| link.with);
        let waits = |call: &Key| {
            let call = self.calls.get(*call);
            call.is_some_and(|call| call.passed.open && call.passed.to == key)
        };
        [Some(own), linked].into_iter().flatten().find(waits)
    }

    /// The call is over: so is what is on its way in it.
    pub(super) fn end_info(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if core::mem::take(&mut call.passed.open) {
            let _ = self.tx.respond(now, call.passed.tx, 487);
        }
    }

    /// The final answer to it.
    pub(super) fn passed(&mut self, now: Instant, key: Key, status: u16) {
        let call = self.passer(key).and_then(|call| self.calls.get_mut(call));
        let Some(call) = call else { return };
        call.passed.open = false;
        let _ = self.tx.respond(now, call.passed.tx, status);
    }
}
