//! A telephone at an analog line: what is done with it, and what it hears.

use gateway::{Input, LineEvent, LineOrder, Sense, Signal};
use media::chain::{Command, Event, Stream};
use media::dtmf::Digit;
use media::tone::Tone;
use shared::TerminalKind;
use shared::analog::Port;
use shared::site::Site;

use super::*;

/// Plugs the telephone of an ID into a port, by its index.
pub fn plug(site: &mut Site, index: u16, line: u8, number_display: bool, fax: bool) {
    let id = &mut site.ids[usize::from(index)];
    id.kind = TerminalKind::Adapter;
    id.port = Some(Port {
        number: line + 1,
        number_display,
        fax,
    });
}

impl Office {
    /// Telephones 0 to n - 1 are at the lines 0 to n - 1, and so many more IDs have desk phones that are registered.
    pub fn with_telephones(telephones: u16, phones: u16) -> Self {
        let mut site = site(telephones + phones, 16);
        for index in 0..telephones {
            plug(&mut site, index, index as u8, false, false);
        }
        let mut office = Self::new(&site);
        for index in 0..phones {
            office.register(&Phone::new(telephones + index));
        }
        office.lines.clear();
        office.events.clear();
        office
    }

    fn circuit(&mut self, line: u8, sense: Sense) {
        let at = self.instant();
        self.handle(Input::Line {
            line,
            event: LineEvent::Circuit { at, sense },
        });
    }

    fn edge(&mut self, line: u8, closed: bool) {
        self.circuit(line, Sense::Loop { closed });
    }

    /// The handset is lifted, with a contact that bounces.
    pub fn lift(&mut self, line: u8) {
        for closed in [true, false, true] {
            self.edge(line, closed);
            self.wait(3);
        }
        self.wait(100);
    }

    /// The handset is put down.
    pub fn put_down(&mut self, line: u8) {
        self.edge(line, false);
        self.wait(1_100);
    }

    pub fn press_hook(&mut self, line: u8) {
        self.edge(line, false);
        self.wait(500);
        self.edge(line, true);
        self.wait(50);
    }

    /// Digits by buttons.
    pub fn press(&mut self, line: u8, digits: &str) {
        for digit in digits.bytes() {
            self.wait(100);
            self.chain(line, Event::Digit(Digit::from_name(digit).unwrap()));
        }
    }

    /// Digits by a dial of 10 pulses a second.
    pub fn pulse(&mut self, line: u8, digits: &str) {
        for digit in digits.bytes() {
            let pulses = match digit {
                b'0' => 10,
                digit => digit - b'0',
            };
            // The pause of a dial is 450 ms or more.
            self.wait(450);
            for _ in 0..pulses {
                self.edge(line, false);
                self.wait(67);
                self.edge(line, true);
                self.wait(33);
            }
            self.wait(250);
        }
    }

    /// The audio chain tells something.
    pub fn chain(&mut self, line: u8, event: Event) {
        self.handle(Input::Line {
            line,
            event: LineEvent::Audio(event),
        });
    }

    /// The circuit tells something.
    pub fn sense(&mut self, line: u8, sense: Sense) {
        self.circuit(line, sense);
    }

    /// What a line was told since the last time.
    pub fn told(&mut self, line: u8) -> Vec<LineOrder> {
        let (own, others) = core::mem::take(&mut self.lines)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(_, of, _)| *of == line);
        self.lines = others;
        own.into_iter().map(|(_, _, order)| order).collect()
    }

    /// What the chain of a line was told last.
    #[track_caller]
    pub fn hears(&self, line: u8) -> Command {
        let mut orders = self.lines.iter().rev();
        let found = orders.find_map(|(_, of, order)| match order {
            LineOrder::Audio(command) if *of == line => Some(*command),
            _ => None,
        });
        found.unwrap_or(Command::Stop)
    }

    /// The telephone hears this tone.
    #[track_caller]
    pub fn hears_tone(&self, line: u8, tone: Tone) {
        assert_eq!(self.hears(line), Command::Tone(tone));
    }

    /// The telephone hears somebody, who wants to hear it at this address.
    #[track_caller]
    pub fn hears_somebody(&self, line: u8, at: &str) -> Stream {
        let Command::Connect(stream) = self.hears(line) else {
            panic!("it hears {:?}", self.hears(line));
        };
        let mut orders = self.lines.iter().rev();
        let peer = orders.find_map(|(_, of, order)| match order {
            LineOrder::Peer(peer) if *of == line => Some(*peer),
            _ => None,
        });
        assert_eq!(peer, Some(address(at)));
        stream
    }

    /// Whether the bell of a line has voltage.
    pub fn bell(&self, line: u8) -> bool {
        let mut orders = self.lines.iter().rev();
        let found = orders.find_map(|(_, of, order)| match order {
            LineOrder::Circuit(Signal::Ring(on)) if *of == line => Some(*on),
            _ => None,
        });
        found.unwrap_or(false)
    }

    /// Whether the polarity of a line is reversed.
    pub fn is_reversed(&self, line: u8) -> bool {
        let mut orders = self.lines.iter().rev();
        let found = orders.find_map(|(_, of, order)| match order {
            LineOrder::Circuit(Signal::Reverse(on)) if *of == line => Some(*on),
            _ => None,
        });
        found.unwrap_or(false)
    }
}
