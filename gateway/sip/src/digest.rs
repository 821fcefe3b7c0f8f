//! Digest authentication (RFC 8760, RFC 7616; RFC 2617 and 2069 for old phones): MD5 and SHA-256, `qop` auth and auth-int.
//!
//! Server: [`Nonces::issue`] and [`write_challenges`] challenge, [`Credentials::find`] and [`Nonces::verify`] judge the answer.
//! Client: [`Challenge::choose`] and [`Challenge::answer`], for servers (401) and proxies (407) alike.
//!
//! Left out because it brings nothing here: the `-sess` algorithms and `userhash` are neither offered nor accepted (such
//! credentials are those of an unknown user); no `opaque` is sent, as a nonce says everything about itself; no
//! `Authentication-Info`, as whoever can put himself between two sides relays it.

mod challenge;
mod nonces;
#[cfg(test)]
mod tests;

pub use challenge::Challenge;
pub use nonces::{Nonce, Nonces, Used, Verdict, write_challenge, write_challenges};

use crate::fields::Auth;
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::uri::Uri;
use core::fmt;
use md5::Md5;
use sha2::{Digest, Sha256};

/// Hash algorithm, the weaker one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        // One pass; of a name that stands there twice the first counts.
        const NAMES: [&str; 9] = [
            "username",
            "realm",
            "nonce",
            "uri",
            "response",
            "algorithm",
            "qop",
            "nc",
            "cnonce",
        ];
        let mut found = [None; NAMES.len()];
        for (name, value) in auth.params() {
            let place = NAMES.iter().position(|n| n.as_bytes().eq_ignore_ascii_case(name));
            if let Some(slot @ None) = place.and_then(|place| found.get_mut(place)) {
                *slot = Some(value);
            }
        }
        let [username, realm, nonce, uri, response, algorithm, qop, nc, cnonce] = found;
        let qop = match qop {
            Some(name) => Some(Qop::parse(name)?),
            None => None,
        };
        let (nc, cnonce, count) = match qop {
            Some(_) => (nc?, cnonce?, hexadecimal(nc?)?),
            None => (&b""[..], &b""[..], 1),
        };
        Some(Self {
            username: username?,
            realm: realm?,
            algorithm: Algorithm::parse(algorithm)?,
            qop,
            count,
            nonce: nonce?,
            uri: uri?,
            nc,
            cnonce,
            response: response?,
        })
    }

    /// The number of the nonce if it was issued by [`Nonces`] (which [`Nonces::verify`] tells), growing from one to the next.
    pub fn nonce_number(&self) -> u32 {
        Nonce::parse(self.nonce).map_or(0, |nonce| nonce.serial())
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

    /// The protected URI names what the request does (RFC 7616 §3.4.6): the same user. The host is not looked at, and a URI
    /// without user taken for any: clients write there how they reached the server (SIPp: its address and port).
    fn covers(&self, uri: &[u8]) -> bool {
        self.uri == uri
            || Uri::parse(self.uri)
                .zip(Uri::parse(uri))
                .is_some_and(|(ours, asked)| ours.user.is_none() || ours.user == asked.user)
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
