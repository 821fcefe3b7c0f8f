//! Typed values of the headers of transfers: Refer-To (RFC 3515), Replaces (RFC 3891), Referred-By (RFC 3892).

use crate::addr::NameAddr;
use crate::params::Params;
use crate::scan::{find, is_token, trim};
use crate::uri::{Uri, unescape};

/// Longest Replaces within a Refer-To that is read, unescaped, in bytes.
pub const REPLACES_MAX: usize = 512;

/// A part of a value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Refer-To: who is to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferTo<'a> {
    /// The URI. Its headers are for the request that is made of it.
    pub uri: Uri<'a>,
}

impl<'a> ReferTo<'a> {
    /// Reads `<sip:203@office.example?Replaces=..>`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let uri = NameAddr::parse(value)
            .filter(|address| !address.is_star())?
            .parsed_uri()?;
        Some(Self { uri })
    }

    /// The method of the request, if it says another one than INVITE.
    pub fn method(&self) -> Option<&'a [u8]> {
        self.uri.param("method").filter(|method| *method != b"INVITE")
    }

    /// The Replaces that the INVITE is to have, unescaped into `out`.
    pub fn replaces<'b>(&self, out: &'b mut [u8; REPLACES_MAX]) -> Result<Option<Replaces<'b>>, Unreadable> {
        let headers = self.uri.headers.unwrap_or_default().split(|&b| b == b'&');
        let named = |header: &'a [u8]| {
            let (name, value) = header.split_at(find(header, b'=')?);
            name.eq_ignore_ascii_case(b"Replaces").then(|| value.get(1..))?
        };
        let mut found = headers.filter_map(named);
        let Some(value) = found.next() else {
            return Ok(None);
        };
        if found.next().is_some() {
            return Err(Unreadable);
        }
        let plain = unescape(value, out).ok_or(Unreadable)?;
        Replaces::parse(plain).map(Some).ok_or(Unreadable)
    }
}

/// Replaces: the dialog whose place the new one takes, as its recipient sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The recipient's tag.
    pub to_tag: &'a [u8],
    /// The other side's.
    pub from_tag: &'a [u8],
    /// Only if the dialog is not confirmed yet.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads `12345@192.0.2.9;to-tag=7;from-tag=8;early-only`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (call_id, params) = value.split_at(find(value, b';')?);
        let params = Params::new(params);
        let tag = |name| params.get(name).filter(|tag| is_token(tag));
        let call_id = trim(call_id);
        let is_word = |b: &u8| b.is_ascii_graphic() && !matches!(b, b',' | b';');
        (!call_id.is_empty() && call_id.iter().all(is_word)).then_some(())?;
        Some(Self {
            call_id,
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

/// Referred-By: who wants the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferredBy<'a> {
    /// Its address.
    pub address: NameAddr<'a>,
    /// The part of the body that proves it, without its quotes.
    pub cid: Option<&'a [u8]>,
}

impl<'a> ReferredBy<'a> {
    /// Reads `<sip:referrer@example.com>;cid="..."`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let address = NameAddr::parse(value).filter(|address| !address.is_star())?;
        let cid = address.param("cid").map(crate::fields::unquote);
        Some(Self { address, cid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaces(value: &str) -> Option<([&str; 3], bool)> {
        let r = Replaces::parse(value.as_bytes())?;
        let texts = [r.call_id, r.to_tag, r.from_tag].map(|text| core::str::from_utf8(text).unwrap());
        Some((texts, r.early_only))
    }

    #[test]
    fn replaces_by_the_rfc() {
        // RFC 3891 §6.1.
        assert_eq!(
            replaces("98732@sip.example.com\r\n   ;from-tag=r33th4x0r\r\n ;to-tag=ff87ff"),
            Some((["98732@sip.example.com", "ff87ff", "r33th4x0r"], false))
        );
        assert_eq!(
            replaces("12adf2f34456gs5;To-Tag=12345;from-tag=54321;early-only"),
            Some((["12adf2f34456gs5", "12345", "54321"], true))
        );
        for bad in [
            "",
            "a",
            ";to-tag=1;from-tag=2",
            "a;to-tag=1",
            "a;from-tag=2",
            "a b;to-tag=1;from-tag=2",
            "a;to-tag=;from-tag=2",
            "a;to-tag=\"1\";from-tag=2",
            "a,b;to-tag=1;from-tag=2",
        ] {
            assert_eq!(replaces(bad), None, "{bad}");
        }
    }

    #[test]
    fn refer_to() {
        let mut out = [0; REPLACES_MAX];
        let to = ReferTo::parse(b"<sip:203@office.example>").unwrap();
        assert_eq!(
            (to.uri.user, to.method(), to.replaces(&mut out)),
            (Some(&b"203"[..]), None, Ok(None))
        );
        // RFC 5589 §7.3, and a name in another case.
        let to = ReferTo::parse(
            b"<sips:482n4z24kdg@chicago.example.com;gr=8594958?Subject=x&replaces=090459243588173445%3B\
              to-tag%3D7553452%3Bfrom-tag%3D31431>",
        )
        .unwrap();
        let r = to.replaces(&mut out).unwrap().unwrap();
        assert_eq!(
            (r.call_id, r.to_tag, r.from_tag),
            (&b"090459243588173445"[..], &b"7553452"[..], &b"31431"[..])
        );
        let method = |text: &'static [u8]| ReferTo::parse(text).unwrap().method();
        assert_eq!(method(b"<sip:a@b;method=BYE>"), Some(&b"BYE"[..]));
        assert_eq!(method(b"<sip:a@b;method=INVITE>"), None);
        for bad in [&b"*"[..], b"", b"203", b"<sip:a@b"] {
            assert_eq!(ReferTo::parse(bad), None);
        }
        for broken in [
            &b"<sip:a@b?Replaces=x>"[..],
            b"<sip:a@b?Replaces=x%3Bto-tag%3D1>",
            b"<sip:a@b?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=y%3Bto-tag%3D1%3Bfrom-tag%3D2>",
        ] {
            assert_eq!(
                ReferTo::parse(broken).unwrap().replaces(&mut out),
                Err(Unreadable),
                "{}",
                broken.escape_ascii()
            );
        }
    }

    #[test]
    fn referred_by() {
        let by =
            ReferredBy::parse(b"\"R\" <sip:referrer@example.com>;cid=\"20398823.2UWQFN309shb3@example.com\"")
                .unwrap();
        assert_eq!(by.address.uri, b"sip:referrer@example.com");
        assert_eq!(by.cid, Some(&b"20398823.2UWQFN309shb3@example.com"[..]));
        assert_eq!(ReferredBy::parse(b"<sip:a@b>").unwrap().cid, None);
        assert_eq!(ReferredBy::parse(b"*"), None);
    }
}
