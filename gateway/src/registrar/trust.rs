//! Whose request it is: digest credentials (RFC 3261 §22, RFC 8760), from where a phone is registered.

use super::refusal::No;
use super::{Accounts, Asked, Registrar};
use shared::id::IdKey;
use sip::digest::{Algorithm, Credentials, Protected, Verdict};
use sip::{Flow, Full, Instant, Message, Name, Uri};

/// The judgement on a request of a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// It is this ID's.
    Known(IdKey),
    /// It is not served; send this many bytes of the buffer back.
    Refused(usize),
}

/// Right credentials: whose, worth what, and the number of their nonce.
pub(super) struct Judged {
    pub key: IdKey,
    pub verdict: Verdict,
    pub algorithm: Algorithm,
    pub nonce: u32,
}

impl Judged {
    /// Right, but the nonce is not: another one, for which nobody has to type a password.
    pub fn stale(&self) -> No {
        No::Challenge {
            stale: true,
            read: Some(self.algorithm),
        }
    }
}

impl Registrar<'_> {
    /// Judges a request that begins something and is neither REGISTER, ACK nor CANCEL: it must come from where a phone is
    /// registered, with that ID's credentials; otherwise it is challenged with 407.
    pub fn authenticate(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Message<'_>,
        accounts: &impl Accounts,
        random: u64,
        out: &mut [u8],
    ) -> Result<Caller, Full> {
        let asked = Asked {
            now,
            flow,
            request,
            random,
        };
        let no = match self.judge(asked, accounts, &[Name::ProxyAuthorization, Name::Authorization]) {
            Ok(judged) if judged.verdict != Verdict::Accepted => judged.stale(),
            // Several IDs may be registered from one address: a phone with two accounts, or one that was given another ID.
            Ok(judged) if self.of(judged.key).any(|b| b.leads_to(flow)) => {
                return Ok(Caller::Known(judged.key));
            }
            Ok(_) => {
                self.counters.foreign = self.counters.foreign.wrapping_add(1);
                No::Status(403)
            }
            Err(no) => no,
        };
        let (status, header) = (407, Name::ProxyAuthenticate);
        self.refuse(asked, no, status, header, accounts.realm(), out)
            .map(Caller::Refused)
    }

    /// Whose credentials these are and what they are worth. The errors: none, wrong ones, or too many wrong ones before.
    pub(super) fn judge(
        &mut self,
        asked: Asked<'_, '_>,
        accounts: &impl Accounts,
        headers: &[Name],
    ) -> Result<Judged, No> {
        let Asked {
            now, flow, request, ..
        } = asked;
        let from = flow.peer.ip();
        let realm = accounts.realm().as_bytes();
        let credentials = headers
            .iter()
            .find_map(|&header| Credentials::find(request, header, realm));
        let (Some(credentials), Some(protected)) = (credentials, Protected::of(request)) else {
            return Err(No::Challenge {
                stale: false,
                read: None,
            });
        };
        if let Some(retry) = self.sources.must_wait(now, from) {
            self.counters.limited = self.counters.limited.wrapping_add(1);
            return Err(No::Busy { retry });
        }
        let algorithm = credentials.algorithm;
        let account = accounts.account(credentials.username);
        let ha1 = account.as_ref().map(|account| &account.ha1);
        let verdict = self.nonces.verify(now, from, &credentials, protected, ha1);
        match verdict {
            Verdict::Refused { challenged } => {
                self.counters.refused = self.counters.refused.wrapping_add(1);
                if challenged {
                    self.sources.failed(now, from);
                }
            }
            Verdict::Replayed => self.counters.replayed = self.counters.replayed.wrapping_add(1),
            Verdict::Accepted => self.sources.answered(from),
            Verdict::Stale => {}
        }
        match (account, verdict) {
            (None, _) | (_, Verdict::Refused { .. }) => Err(No::Challenge {
                stale: false,
                read: Some(algorithm),
            }),
            (Some(account), verdict) => Ok(Judged {
                key: account.key,
                verdict,
                algorithm,
                nonce: credentials.nonce_number(),
            }),
        }
    }

    /// Whose emergency call this is, although its credentials are wrong: it answers a challenge of ours to this very address,
    /// so that nobody can place it with a forged datagram, and a phone is registered from there. Of several IDs it is the
    /// one that the call says it is from, else the one that registered last.
    pub fn vouched(
        &self,
        now: Instant,
        flow: &Flow,
        request: &Message<'_>,
        accounts: &impl Accounts,
    ) -> Option<IdKey> {
        let realm = accounts.realm().as_bytes();
        let challenged = [Name::ProxyAuthorization, Name::Authorization]
            .into_iter()
            .filter_map(|header| Credentials::find(request, header, realm))
            .any(|credentials| self.nonces.is_ours(now, flow.peer.ip(), &credentials));
        if !challenged {
            return None;
        }
        let from = request.from().and_then(|from| Uri::parse(from.uri)?.user);
        let claimed = from
            .and_then(|user| accounts.account(user))
            .map(|account| account.key);
        self.iter()
            .filter(|b| b.leads_to(flow))
            .max_by_key(|b| (Some(b.key) == claimed, b.expires_at))
            .map(|b| b.key)
    }
}
