//! Digest answers of a phone (RFC 7616, RFC 2617 with MD5), computed with nothing but the hash functions.

use md5::{Digest, Md5};
use sha2::Sha256;
use sip::{Message, Name};

/// A challenge as received.
#[derive(Clone, Debug)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    sha256: bool,
    qop: bool,
    /// The header that answers it.
    pub answer_in: Name,
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

fn hex(sha256: bool, parts: &[&str]) -> String {
    let all = parts.join(":");
    let hash = if sha256 {
        Sha256::digest(all).to_vec()
    } else {
        Md5::digest(all).to_vec()
    };
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Challenge {
    /// The first challenge of a 401 or 407 whose algorithm is known here: MD5 alone unless `sha256`.
    pub fn find(response: &Message<'_>, sha256: bool) -> Option<Self> {
        let (asked_in, answer_in) = match response.status()? {
            401 => (Name::WwwAuthenticate, Name::Authorization),
            407 => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return None,
        };
        response
            .auths(asked_in)
            .filter(|auth| auth.is_digest())
            .find_map(|auth| {
                let is_sha256 = match text(auth.param("algorithm")).to_ascii_uppercase().as_str() {
                    "" | "MD5" => false,
                    "SHA-256" if sha256 => true,
                    _ => return None,
                };
                Some(Challenge {
                    realm: text(auth.param("realm")),
                    nonce: text(auth.param("nonce")),
                    opaque: auth.param("opaque").map(|opaque| text(Some(opaque))),
                    sha256: is_sha256,
                    qop: text(auth.param("qop")).split(',').any(|qop| qop.trim() == "auth"),
                    answer_in,
                })
            })
    }

    /// The credentials for one request.
    pub fn answer(&self, user: &str, password: &str, method: &str, uri: &str, cnonce: &str) -> String {
        let ha1 = hex(self.sha256, &[user, &self.realm, password]);
        let ha2 = hex(self.sha256, &[method, uri]);
        let algorithm = if self.sha256 { "SHA-256" } else { "MD5" };
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", algorithm={algorithm}",
            self.realm, self.nonce
        );
        if self.qop {
            let response = hex(
                self.sha256,
                &[&ha1, &self.nonce, "00000001", cnonce, "auth", &ha2],
            );
            value += &format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\", response=\"{response}\"");
        } else {
            value += &format!(", response=\"{}\"", hex(self.sha256, &[&ha1, &self.nonce, &ha2]));
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque=\"{opaque}\"");
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, both algorithms.
    #[test]
    fn the_example_of_the_rfc() {
        let mut challenge = Challenge {
            realm: "http-auth@example.org".into(),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
            opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".into()),
            sha256: false,
            qop: true,
            answer_in: Name::Authorization,
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = |c: &Challenge| c.answer("Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce);
        assert!(answer(&challenge).contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""));
        challenge.sha256 = true;
        let response = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(answer(&challenge).contains(response));
    }
}
