//! The box's hub in the rig: its switch chip stands between the box, what is plugged into its ports, and the office's switch.
//!
//! ```text
//! box ── 5 ┐
//! phone ── 0 ├ chip ── 4 ── office's switch ── everybody else
//! phone ── 1 ┘
//! ```

use super::{Mac, State};
use crate::twin::Card;
use crate::twin::ksz9477::{HOST, Ksz9477, UPLINK};
use std::sync::{Arc, Mutex, PoisonError};

/// The chip on its card, and which port of the rig is at which of its.
pub(super) struct Hub {
    card: Arc<Mutex<Card>>,
    plugged: Vec<(usize, usize)>,
}

impl Hub {
    /// Puts a chip onto the card, as its power comes up.
    pub fn new(card: Arc<Mutex<Card>>, host: usize) -> Hub {
        let mut hub = Hub {
            card,
            plugged: vec![(host, HOST)],
        };
        hub.card.lock().unwrap_or_else(PoisonError::into_inner).switch = Some(Ksz9477::new());
        hub.with(|chip| chip.plug(UPLINK, true));
        hub
    }

    fn with<T: Default>(&mut self, act: impl FnOnce(&mut Ksz9477) -> T) -> T {
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        card.switch.as_mut().map(act).unwrap_or_default()
    }

    /// A port of the rig is at this port of the chip from now on.
    pub fn plug(&mut self, port: usize, at: usize) {
        self.plugged.retain(|(of, place)| *of != port && *place != at);
        self.plugged.push((port, at));
        self.with(|chip| chip.plug(at, true));
    }

    /// The cable of a port of the rig was pulled or mended.
    pub fn link(&mut self, port: usize, is_up: bool) {
        if let Some(at) = self.place(port) {
            self.with(|chip| chip.plug(at, is_up));
        }
    }

    fn place(&self, port: usize) -> Option<usize> {
        let (_, at) = self.plugged.iter().find(|(of, _)| *of == port)?;
        Some(*at)
    }
}

/// Where the office's switch sends a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// To a port of its own.
    Port(usize),
    /// To the hub.
    Hub,
}

impl State {
    /// A frame enters where there is a hub.
    pub(super) fn enter_hub(&mut self, port: usize, frame: &[u8]) {
        match self.hub.as_ref().and_then(|hub| hub.place(port)) {
            Some(at) => self.through_hub(at, frame),
            None => self.enter_office(At::Port(port), frame),
        }
    }

    fn through_hub(&mut self, at: usize, frame: &[u8]) {
        let Some(hub) = &mut self.hub else { return };
        for (to, frame) in hub.with(|chip| chip.forward(at, frame)) {
            let port = self.hub.as_ref().and_then(|hub| {
                let (port, _) = hub.plugged.iter().find(|(_, place)| *place == to)?;
                Some(*port)
            });
            match port {
                Some(port) => self.leave(port, &frame),
                None if to == UPLINK => self.enter_office(At::Hub, &frame),
                None => {}
            }
        }
    }

    /// The office's own switch; what is for the nearest bridge (IEEE 802.1Q table 8-1) goes no further.
    fn enter_office(&mut self, from: At, frame: &[u8]) {
        let Some(([to, source], _)) = frame
            .split_first_chunk::<12>()
            .map(|(head, rest)| (split(head), rest))
        else {
            return;
        };
        if to[..5] == [0x01, 0x80, 0xC2, 0x00, 0x00] && to[5] < 0x10 {
            if from != At::Hub {
                self.through_hub(UPLINK, frame);
            }
            return;
        }
        if source[0] & 1 == 0 {
            self.office.insert(source, from);
        }
        let outside = |state: &State| -> Vec<At> {
            let hub = state.hub.as_ref();
            let inside = |port: &usize| hub.is_some_and(|hub| hub.place(*port).is_some());
            let ports = (0..state.ports.len()).filter(|port| !inside(port)).map(At::Port);
            ports.chain([At::Hub]).collect()
        };
        let all = match self.office.get(&to) {
            Some(at) => vec![*at],
            None => outside(self),
        };
        for at in all.into_iter().filter(|at| *at != from) {
            match at {
                At::Port(port) => self.leave(port, frame),
                At::Hub => self.through_hub(UPLINK, frame),
            }
        }
    }
}

fn split(head: &[u8; 12]) -> [Mac; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *head;
    [[a, b, c, d, e, f], [g, h, i, j, k, l]]
}
