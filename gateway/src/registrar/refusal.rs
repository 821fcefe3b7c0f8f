//! What is not accepted, and how it is answered.

use super::{Asked, EXPIRES_MIN, Registrar, offer, path};
use core::time::Duration;
use shared::id::IdKey;
use sip::digest::{Algorithm, write_challenge, write_challenges};
use sip::{Full, Name};

/// Why a request is not accepted.
pub(super) enum No {
    /// `read`: the algorithm of the credentials that came.
    Challenge {
        stale: bool,
        read: Option<Algorithm>,
    },
    /// 503: too many wrong passwords before, or no room.
    Busy {
        retry: Duration,
    },
    TooBrief,
    /// 403: right credentials of this ID, and not its phone.
    Stolen(IdKey),
    Status(u16),
}

impl Registrar<'_> {
    /// Writes the answer: `challenge` is the status and `header` the header of a challenge.
    pub(super) fn refuse(
        &mut self,
        asked: Asked<'_, '_>,
        no: No,
        challenge: u16,
        header: Name,
        realm: &str,
        out: &mut [u8],
    ) -> Result<usize, Full> {
        let mut w = match no {
            No::Challenge { stale, read } => {
                self.counters.challenged = self.counters.challenged.wrapping_add(1);
                let only = read.or_else(|| self.only(asked));
                let mut w = asked.answer(challenge, out);
                let nonce = self.nonces.issue(asked.now, asked.flow.peer.ip());
                match only {
                    Some(algorithm) => write_challenge(&mut w, header, realm, nonce, stale, algorithm),
                    None => write_challenges(&mut w, header, realm, nonce, stale),
                }
                w
            }
            No::Busy { retry } => {
                let mut w = asked.answer(503, out);
                w.header(Name::RetryAfter, retry.as_secs().max(1));
                w
            }
            No::Status(status) => {
                let mut w = asked.answer(status, out);
                if status == 420 {
                    // What is demanded and not there; without such, the Path that the phone knows nothing of.
                    let mut tags = asked.request.unsupported(path::EXTENSIONS).peekable();
                    let none = tags.peek().is_none().then_some(&b"path"[..]);
                    tags.chain(none)
                        .for_each(|tag| _ = w.header_bytes(Name::Unsupported, tag));
                }
                w
            }
            No::Stolen(_) => asked.answer(403, out),
            No::TooBrief => {
                let mut w = asked.answer(423, out);
                w.header(Name::MinExpires, EXPIRES_MIN.as_secs());
                w
            }
        };
        w.finish_empty()
    }

    /// The one algorithm to challenge a client with that brought no credentials; `None`: all, for it to choose.
    fn only(&mut self, asked: Asked<'_, '_>) -> Option<Algorithm> {
        let simple = self.sources.challenged(asked.now, asked.flow.peer.ip());
        if simple || offer::is_simple(asked.request.header(Name::UserAgent)) {
            return Some(Algorithm::Md5);
        }
        // What the phone registered with it can do, and with nothing less it need be content.
        self.iter().find(|b| b.leads_to(asked.flow)).map(|b| b.algorithm)
    }
}
