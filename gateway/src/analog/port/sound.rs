//! What the telephone of a port hears, as the audio chain is told.

use core::net::SocketAddr;

use media::caller_id::{Caller, Frame, Reason};
use media::chain::{Command, Stream};
use media::player::Start;
use media::tone::Tone;

use super::{Output, Port, State};

/// What a telephone hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// On hook.
    Stop,
    Silence,
    Tone(Tone),
    Somebody(Stream),
}

impl Sound {
    fn command(self) -> Command {
        match self {
            Sound::Stop => Command::Stop,
            Sound::Silence => Command::Listen,
            Sound::Tone(tone) => Command::Tone(tone),
            Sound::Somebody(stream) => Command::Connect(stream),
        }
    }
}

impl Port {
    /// What the chain is to be told next.
    pub(super) fn sound(&mut self) -> Option<Output> {
        if core::mem::take(&mut self.number.0) {
            // Silence comes behind it, whatever it was.
            self.told = Sound::Silence;
            return Some(Output::Audio(Command::CallerId(self.caller_id()?)));
        }
        let (sound, peer) = self.wanted()?;
        if let Some(peer) = peer.filter(|_| self.peer != peer) {
            self.peer = Some(peer);
            if let Sound::Somebody(_) = self.told {
                // Somebody else is heard from now on.
                self.new_stream();
            }
            return Some(Output::Peer(peer));
        }
        if self.told == sound {
            return None;
        }
        self.told = sound;
        Some(Output::Audio(sound.command()))
    }

    /// What the telephone is to hear, and whom to send what it says. Nothing: as it is.
    fn wanted(&self) -> Option<(Sound, Option<SocketAddr>)> {
        let alone = |sound| Some((sound, None));
        match self.state {
            State::Rings if self.number.1 => None,
            State::Idle | State::Rings | State::Recalls(_) | State::Silent => alone(Sound::Stop),
            State::Dials(_) if self.digits.is_empty() && self.held.is_some() => {
                alone(Sound::Tone(Tone::SecondDial))
            }
            State::Dials(_) if self.digits.is_empty() => alone(Sound::Tone(Tone::Dial)),
            State::Dials(_) => alone(Sound::Silence),
            State::Over(tone, _) => alone(Sound::Tone(tone)),
            State::Calls { rings } => match self.remote() {
                Some(connected) => Some(connected),
                None if rings => alone(Sound::Tone(Tone::Ringback)),
                None => alone(Sound::Silence),
            },
            State::Talks => self.remote().or(alone(Sound::Silence)),
        }
    }

    /// What the display shows: who calls and, of several numbers, which one was called.
    fn caller_id(&self) -> Option<Frame> {
        let slot = self.active?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let caller = match self.agent.peer(slot) {
            number if digits(number) => Caller::Number(number),
            "anonymous" => Caller::Unknown(Reason::Private),
            _ => Caller::Unknown(Reason::OutOfArea),
        };
        let dialled = Some(self.agent.called()).filter(|number| digits(number));
        // What is longer than a display has no place there.
        Frame::new(caller, dialled)
            .or(Frame::new(Caller::Unknown(Reason::OutOfArea), None))
            .ok()
    }

    fn remote(&self) -> Option<(Sound, Option<SocketAddr>)> {
        let remote = self.agent.remote(self.active?)?;
        let stream = Stream {
            law: remote.law,
            telephone_event: remote.telephone_event,
            redundancy: remote.redundancy,
            sending: remote.listens,
            fax: self.id.is_some_and(|(_, setting)| setting.fax),
            start: Start {
                ssrc: self.ssrc,
                sequence: (self.ssrc >> 16) as u16 & 0x7FFF,
                timestamp: self.ssrc.rotate_left(16),
            },
        };
        Some((Sound::Somebody(stream), Some(remote.to)))
    }
}
