//! The client's side: reading a challenge and answering it.

use super::{Algorithm, Ha1, Hex, Protected, Qop, response};
use crate::fields::Auth;
use crate::header::Name;
use crate::message::Message;
use crate::write::Writer;

/// A challenge as a client reads it, values raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// `realm`.
    pub realm: &'a [u8],
    /// `nonce`.
    pub nonce: &'a [u8],
    /// `opaque`, to be given back.
    pub opaque: Option<&'a [u8]>,
    /// `algorithm`; `None` where none is named, which means MD5.
    pub algorithm: Option<Algorithm>,
    /// The offered `qop` to be used: auth if it is among them, else auth-int; `None` where none is offered.
    pub qop: Option<Qop>,
    /// The last answer's nonce was too old and its secret right.
    pub stale: bool,
}

impl<'a> Challenge<'a> {
    /// Reads a Digest challenge. `None`: another scheme, an unknown algorithm, or offered `qop`s all unknown.
    pub fn parse(auth: &Auth<'a>) -> Option<Self> {
        if !auth.is_digest() {
            return None;
        }
        let qop = match auth.param("qop") {
            None | Some(b"") => None,
            Some(list) => {
                let known = || {
                    list.split(|&b| b == b',')
                        .filter_map(|name| Qop::parse(name.trim_ascii()))
                };
                Some(known().find(|&q| q == Qop::Auth).or_else(|| known().next())?)
            }
        };
        let algorithm = auth.param("algorithm");
        let challenge = Self {
            realm: auth.param("realm")?,
            nonce: auth.param("nonce")?,
            opaque: auth.param("opaque"),
            algorithm: match algorithm {
                Some(_) => Some(Algorithm::parse(algorithm)?),
                None => None,
            },
            qop,
            stale: auth
                .param("stale")
                .is_some_and(|v| v.eq_ignore_ascii_case(b"true")),
        };
        // They are written back as they came, and must not be able to end a line.
        let values = [Some(challenge.realm), Some(challenge.nonce), challenge.opaque];
        let plain = values
            .into_iter()
            .flatten()
            .all(|v| !v.iter().any(|b| b.is_ascii_control()));
        plain.then_some(challenge)
    }

    /// The strongest challenge of a 401 or 407 that can be answered, the topmost of equals (RFC 8760 §2.4), and the header
    /// to answer it with. One who can take the better challenge out of the response gets the weaker answer all the same.
    pub fn choose(response: &Message<'a>) -> Option<(Self, Name)> {
        let (header, answer) = match response.status()? {
            401 => (Name::WwwAuthenticate, Name::Authorization),
            407 => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return None,
        };
        let known = response.auths(header).filter_map(|auth| Self::parse(&auth));
        let best = known.reduce(|best, next| {
            if next.strength() > best.strength() {
                next
            } else {
                best
            }
        })?;
        Some((best, answer))
    }

    fn strength(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }

    /// Writes the answer as a header line. `user` must be able to stand in a quoted string; `cnonce` is fresh randomness;
    /// `count` is 1 for a new nonce and grows by one with each request that uses it again.
    #[allow(clippy::too_many_arguments, reason = "each is a field of the header")]
    pub fn answer(
        &self,
        w: &mut Writer<'_>,
        name: Name,
        user: &[u8],
        ha1: &Ha1,
        request: Protected<'_>,
        cnonce: u64,
        count: u32,
    ) {
        let algorithm = self.strength();
        let (cnonce, nc) = (
            Hex::<16>::of(&cnonce.to_be_bytes()),
            Hex::<8>::of(&count.to_be_bytes()),
        );
        let response = response(
            algorithm,
            ha1,
            self.nonce,
            nc.as_bytes(),
            cnonce.as_bytes(),
            self.qop,
            request,
        );
        w.raw(name.as_ref().as_bytes())
            .raw(b": Digest username=\"")
            .raw(user);
        w.raw(b"\", realm=\"")
            .raw(self.realm)
            .raw(b"\", nonce=\"")
            .raw(self.nonce);
        w.raw(b"\", uri=\"")
            .raw(request.uri)
            .raw(b"\", response=\"")
            .raw(response.as_bytes())
            .raw(b"\"");
        if let Some(algorithm) = self.algorithm {
            w.raw(b", algorithm=").raw(algorithm.as_str().as_bytes());
        }
        if let Some(opaque) = self.opaque {
            w.raw(b", opaque=\"").raw(opaque).raw(b"\"");
        }
        if let Some(qop) = self.qop {
            w.raw(b", qop=").raw(qop.as_str().as_bytes());
            w.raw(b", nc=")
                .raw(nc.as_bytes())
                .raw(b", cnonce=\"")
                .raw(cnonce.as_bytes())
                .raw(b"\"");
        }
        w.raw(b"\r\n");
    }
}
