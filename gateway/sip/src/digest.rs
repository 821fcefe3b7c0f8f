//! Digest authentication (RFC 8760, RFC 7616; RFC 2617 and 2069 for old phones): MD5 and SHA-256, `qop` auth and auth-int.
//!
//! Server: [`Nonces::issue`] and [`write_challenges`] challenge, [`Credentials::find`] and [`Nonces::verify`] judge the answer.
//! Client: [`Challenge::choose`] and [`Challenge::answer`]. The `-sess` algorithms are neither offered nor accepted.

use crate::fields::Auth;
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::siphash::SipHash;
use crate::time::Instant;
use crate::uri::Uri;
use crate::write::Writer;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use md5::Md5;
use sha2::{Digest, Sha256};

/// Hash algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5`, also meant where none is named.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
}

impl Algorithm {
    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn parse(name: Option<&[u8]>) -> Option<Self> {
        let Some(name) = name else {
            return Some(Algorithm::Md5);
        };
        [Algorithm::Md5, Algorithm::Sha256]
            .into_iter()
            .find(|a| a.as_str().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// Method and URI are protected.
    Auth,
    /// The body is protected too.
    AuthInt,
}

impl Qop {
    const fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        [Qop::Auth, Qop::AuthInt]
            .into_iter()
            .find(|q| q.as_str().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The hashes of `user:realm:password`: as good as the password, and so not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ha1 {
    /// For MD5.
    pub md5: [u8; 16],
    /// For SHA-256.
    pub sha256: [u8; 32],
}

impl Ha1 {
    /// From a password in the clear.
    pub fn from_password(user: &[u8], realm: &[u8], password: &[u8]) -> Self {
        let parts = [user, realm, password];
        Self {
            md5: hash::<Md5>(&parts).into(),
            sha256: hash::<Sha256>(&parts).into(),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(..)")
    }
}

/// What a digest is made over besides the secret.
#[derive(Clone, Copy, Debug)]
pub struct Protected<'a> {
    /// The request's method.
    pub method: Method<'a>,
    /// The request's URI.
    pub uri: &'a [u8],
    /// The request's body.
    pub body: &'a [u8],
}

impl<'a> Protected<'a> {
    /// Of a received request; `None` for a response.
    pub fn of(request: &Message<'a>) -> Option<Self> {
        Some(Self {
            method: request.method(),
            uri: request.request_uri()?,
            body: request.body(),
        })
    }
}

/// Credentials of an Authorization or Proxy-Authorization, values raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// `username`.
    pub username: &'a [u8],
    /// `realm`.
    pub realm: &'a [u8],
    /// `algorithm`.
    pub algorithm: Algorithm,
    /// `qop`; `None` from a client of RFC 2069.
    pub qop: Option<Qop>,
    /// `nc`, the count of requests with this nonce; 1 without `qop`.
    pub count: u32,
    nonce: &'a [u8],
    uri: &'a [u8],
    nc: &'a [u8],
    cnonce: &'a [u8],
    response: &'a [u8],
}

impl<'a> Credentials<'a> {
    /// Reads Digest credentials. `None`: another scheme, something missing, or an unknown algorithm or `qop`.
    pub fn parse(auth: &Auth<'a>) -> Option<Self> {
        if !auth.is_digest() {
            return None;
        }
        let qop = match auth.param("qop") {
            Some(name) => Some(Qop::parse(name)?),
            None => None,
        };
        let (nc, cnonce, count) = match qop {
            Some(_) => {
                let nc = auth.param("nc")?;
                (nc, auth.param("cnonce")?, hexadecimal(nc)?)
            }
            None => (&b""[..], &b""[..], 1),
        };
        Some(Self {
            username: auth.param("username")?,
            realm: auth.param("realm")?,
            algorithm: Algorithm::parse(auth.param("algorithm"))?,
            qop,
            count,
            nonce: auth.param("nonce")?,
            uri: auth.param("uri")?,
            nc,
            cnonce,
            response: auth.param("response")?,
        })
    }

    /// The number of the nonce if it was issued by [`Nonces`] (which [`Nonces::verify`] tells), growing from one to the next.
    pub fn nonce_number(&self) -> u32 {
        Nonce::parse(self.nonce).map_or(0, |nonce| nonce.serial)
    }

    /// The first readable credentials for this realm in the request's headers of the name given.
    pub fn find(request: &Message<'a>, name: Name, realm: &[u8]) -> Option<Self> {
        request
            .auths(name)
            .filter_map(|auth| Self::parse(&auth))
            .find(|c| c.realm == realm)
    }

    /// Whether the response is right for this secret; takes the same time either way.
    fn is_right(&self, ha1: &Ha1, method: Method<'_>, body: &[u8]) -> bool {
        let request = Protected {
            method,
            uri: self.uri,
            body,
        };
        let expected = response(
            self.algorithm,
            ha1,
            self.nonce,
            self.nc,
            self.cnonce,
            self.qop,
            request,
        );
        // Both in lower case: LHEX is what the RFC wants, capitals are what some write.
        let expected = expected.as_bytes();
        let mut differ = u8::from(expected.len() != self.response.len());
        for (a, b) in expected.iter().zip(self.response) {
            differ |= a ^ b.to_ascii_lowercase();
        }
        core::hint::black_box(differ) == 0
    }

    /// The protected URI is the request's own (RFC 7616 §3.4.6).
    fn covers(&self, uri: &[u8]) -> bool {
        self.uri == uri
            || Uri::parse(self.uri)
                .zip(Uri::parse(uri))
                .is_some_and(|(ours, theirs)| ours.equivalent(&theirs))
    }
}

/// The judgement on credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right, and never seen before.
    Accepted,
    /// Right, but this count of this nonce was used. Unless the request is a retransmission: challenge with `stale`.
    Replayed,
    /// The secret is right, the nonce is old or unknown: challenge with `stale`, nobody has to type a password.
    Stale,
    /// Wrong: unknown user, wrong password or another request's credentials.
    Refused {
        /// With a nonce given to this very address: nobody can make such a failure count against somebody else.
        challenged: bool,
    },
}

/// Which counts of one nonce were used. Hand in an array of [`Used::NONE`].
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// The nonce; 0: nothing here.
    serial: u32,
    /// Highest count.
    count: u32,
    /// Bit n: `count - n` was used. A datagram may be overtaken by 31 others.
    window: u32,
}

impl Used {
    /// An empty entry.
    pub const NONE: Self = Self {
        serial: 0,
        count: 0,
        window: 0,
    };
}

/// Issues nonces and knows which were used. A nonce is a token (serial, time, keyed MAC over both and the address it is sent
/// to), so that a challenge costs no memory; only a nonce that was used rightly takes an entry. When the room is full the oldest goes, and all nonces as old
/// become stale: none can be replayed.
#[derive(Debug)]
pub struct Nonces<S> {
    /// Ascending by serial; empty ones (serial 0) in front.
    used: S,
    secret: [u64; 2],
    lifetime: Duration,
    issued: u32,
    /// Nonces up to this one that have no entry are stale.
    forgotten: u32,
}

/// A nonce to be written into a challenge: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    serial: u32,
    second: u32,
    mac: u64,
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:08x}{:016x}", self.serial, self.second, self.mac)
    }
}

impl Nonce {
    fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        let word = |at: usize| hexadecimal(text.get(at..at + 8)?);
        Some(Self {
            serial: word(0)?,
            second: word(8)?,
            mac: u64::from(word(16)?) << 32 | u64::from(word(24)?),
        })
    }
}

impl<S: AsRef<[Used]> + AsMut<[Used]>> Nonces<S> {
    /// `used`: room for as many nonces as there are clients; `secret`: fresh randomness of this boot; `lifetime` of a
    /// nonce in whole seconds, longer than a registration or every refresh takes a challenge.
    pub fn new(mut used: S, secret: [u64; 2], lifetime: Duration) -> Self {
        used.as_mut().fill(Used::NONE);
        Self {
            used,
            secret,
            lifetime,
            issued: 0,
            forgotten: 0,
        }
    }

    /// A new nonce for the client at this address. From another one it is stale.
    pub fn issue(&mut self, now: Instant, to: IpAddr) -> Nonce {
        self.issued = self.issued.checked_add(1).unwrap_or_else(|| {
            // After 2^32 challenges the serials begin again, with another key and no memory of the old ones.
            self.secret[0] = SipHash::new(self.secret).byte(1).finish();
            self.used.as_mut().fill(Used::NONE);
            self.forgotten = 0;
            1
        });
        let (serial, second) = (self.issued, seconds(now));
        Nonce {
            serial,
            second,
            mac: self.mac(serial, second, to),
        }
    }

    /// Judges credentials that came from this address. `ha1` is `None` for an unknown user, which takes as long as a wrong
    /// password.
    pub fn verify(
        &mut self,
        now: Instant,
        from: IpAddr,
        credentials: &Credentials<'_>,
        request: Protected<'_>,
        ha1: Option<&Ha1>,
    ) -> Verdict {
        let nobody = Ha1 {
            md5: [0; 16],
            sha256: [0; 32],
        };
        let right = credentials.is_right(ha1.unwrap_or(&nobody), request.method, request.body);
        let nonce = Nonce::parse(credentials.nonce).filter(|n| n.mac == self.mac(n.serial, n.second, from));
        if !right || ha1.is_none() || !credentials.covers(request.uri) {
            return Verdict::Refused {
                challenged: nonce.is_some(),
            };
        }
        let age = |n: &Nonce| u64::from(seconds(now).wrapping_sub(n.second));
        match nonce.filter(|n| age(n) <= self.lifetime.as_secs()) {
            Some(nonce) => self.spend(nonce.serial, credentials.count),
            None => Verdict::Stale,
        }
    }

    fn spend(&mut self, serial: u32, count: u32) -> Verdict {
        let used = self.used.as_mut();
        match used.binary_search_by_key(&serial, |u| u.serial) {
            Ok(at) => match used.get_mut(at) {
                Some(entry) => entry.spend(count),
                None => Verdict::Stale,
            },
            Err(_) if serial <= self.forgotten => Verdict::Stale,
            // The first entry gives way: an empty one, or the oldest, be it this one itself.
            Err(at) => {
                let oldest = used.first().map_or(serial, |u| u.serial);
                self.forgotten = self.forgotten.max(oldest);
                let Some(last) = at.checked_sub(1) else {
                    return Verdict::Stale;
                };
                if let Some(front) = used.get_mut(..at) {
                    front.rotate_left(1);
                }
                if let Some(entry) = used.get_mut(last) {
                    *entry = Used {
                        serial,
                        count,
                        window: 1,
                    };
                }
                Verdict::Accepted
            }
        }
    }

    fn mac(&self, serial: u32, second: u32, address: IpAddr) -> u64 {
        let address = match address {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        SipHash::new(self.secret)
            .byte(0)
            .word(u64::from(serial) << 32 | u64::from(second))
            .bytes(&address.octets())
            .finish()
    }
}

impl Used {
    fn spend(&mut self, count: u32) -> Verdict {
        if count > self.count {
            self.window = self.window.checked_shl(count - self.count).unwrap_or(0) | 1;
            self.count = count;
            return Verdict::Accepted;
        }
        // Too long ago to know counts as used.
        let bit = 1u32.checked_shl(self.count - count).unwrap_or(0);
        if bit == 0 || self.window & bit != 0 {
            return Verdict::Replayed;
        }
        self.window |= bit;
        Verdict::Accepted
    }
}

/// Writes two challenges, SHA-256 first (RFC 8760 §2.3), as `WWW-Authenticate` or `Proxy-Authenticate`. The realm must be
/// able to stand in a quoted string.
pub fn write_challenges(w: &mut Writer<'_>, name: Name, realm: &str, nonce: Nonce, stale: bool) {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let stale = if stale { ", stale=true" } else { "" };
        let algorithm = algorithm.as_str();
        w.header(
            name,
            format_args!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\"{stale}, algorithm={algorithm}, qop=\"auth\""
            ),
        );
    }
}

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

    /// The topmost challenge that can be answered (RFC 8760 §2.4) of a 401 or 407 and the header to answer it with.
    pub fn choose(response: &Message<'a>) -> Option<(Self, Name)> {
        let pairs = [
            (Name::WwwAuthenticate, Name::Authorization),
            (Name::ProxyAuthenticate, Name::ProxyAuthorization),
        ];
        pairs.into_iter().find_map(|(challenge, answer)| {
            let first = response.auths(challenge).find_map(|auth| Self::parse(&auth))?;
            Some((first, answer))
        })
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
        let algorithm = self.algorithm.unwrap_or(Algorithm::Md5);
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

/// The response of RFC 7616 §3.4.1 in hexadecimal; without `qop` that of RFC 2069.
fn response(
    algorithm: Algorithm,
    ha1: &Ha1,
    nonce: &[u8],
    nc: &[u8],
    cnonce: &[u8],
    qop: Option<Qop>,
    request: Protected<'_>,
) -> Hex<64> {
    fn with<D: Digest>(
        ha1: &[u8],
        nonce: &[u8],
        nc: &[u8],
        cnonce: &[u8],
        qop: Option<Qop>,
        request: Protected<'_>,
    ) -> Hex<64> {
        let method = request.method.as_bytes();
        let ha2 = match qop {
            Some(Qop::AuthInt) => {
                let body = Hex::<64>::of(&D::digest(request.body));
                hash::<D>(&[method, request.uri, body.as_bytes()])
            }
            _ => hash::<D>(&[method, request.uri]),
        };
        let (ha1, ha2) = (Hex::<64>::of(ha1), Hex::<64>::of(&ha2));
        let (ha1, ha2) = (ha1.as_bytes(), ha2.as_bytes());
        Hex::of(&match qop {
            Some(qop) => hash::<D>(&[ha1, nonce, nc, cnonce, qop.as_str().as_bytes(), ha2]),
            None => hash::<D>(&[ha1, nonce, ha2]),
        })
    }
    match algorithm {
        Algorithm::Md5 => with::<Md5>(&ha1.md5, nonce, nc, cnonce, qop, request),
        Algorithm::Sha256 => with::<Sha256>(&ha1.sha256, nonce, nc, cnonce, qop, request),
    }
}

/// Hash of the parts with a colon between each two.
fn hash<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut hash = D::new();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash.finalize()
}

/// Up to `N` hexadecimal digits in lower case.
struct Hex<const N: usize> {
    digits: [u8; N],
    len: usize,
}

impl<const N: usize> Hex<N> {
    fn of(bytes: &[u8]) -> Self {
        let mut hex = Self {
            digits: [0; N],
            len: 0,
        };
        for (pair, byte) in hex.digits.chunks_exact_mut(2).zip(bytes) {
            for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = if value < 10 {
                    b'0' + value
                } else {
                    b'a' + value - 10
                };
            }
            hex.len += 2;
        }
        hex
    }

    fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }
}

/// A number of one to eight hexadecimal digits.
fn hexadecimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    text.iter()
        .try_fold(0, |n, &digit| Some(n << 4 | char::from(digit).to_digit(16)?))
}

/// Whole seconds since boot; what is beyond 2^32 does not matter for an age.
fn seconds(now: Instant) -> u32 {
    (now.as_millis() / 1000) as u32
}

#[cfg(test)]
mod tests;
