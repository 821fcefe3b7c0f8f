//! Reading what people type.

use std::net::SocketAddr;
use std::str::FromStr;

use shared::id::Extension;

/// Extensions in a list: between them commas, also Japanese ones, or spaces.
#[derive(Clone, Debug)]
pub struct Extensions(Vec<Extension>);

impl Extensions {
    /// Those of all lists.
    pub fn all(lists: Vec<Self>) -> Vec<Extension> {
        lists.into_iter().flat_map(|list| list.0).collect()
    }
}

impl FromStr for Extensions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list = text
            .split(|c: char| matches!(c, ',' | '，' | '、') || c.is_whitespace())
            .filter(|part| !part.is_empty())
            .map(extension)
            .collect::<Result<Vec<_>, _>>()?;
        if list.is_empty() {
            return Err("give at least one extension, as 201,202".into());
        }
        Ok(Self(list))
    }
}

/// An extension; full-width digits and spaces around it are understood.
pub fn extension(text: &str) -> Result<Extension, String> {
    let digits: String = text
        .trim()
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
            other => other,
        })
        .collect();
    digits
        .parse()
        .map_err(|_| "an extension (内線) has 2 to 6 digits, the first 2 to 9, as 201 (R30)".into())
}

/// Two ports with a hyphen.
pub fn port_range(text: &str) -> Result<(u16, u16), String> {
    let (low, high) = text
        .split_once('-')
        .ok_or("give LOW-HIGH, for example 20000-21999")?;
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low >= 1024 && low < high => Ok((low, high)),
        _ => Err("give two ports from 1024, the lower first".into()),
    }
}

/// An IPv4 address with a port.
pub fn ipv4(text: &str) -> Result<SocketAddr, String> {
    match text.parse() {
        Ok(SocketAddr::V6(_)) => Err("SIP and media run over IPv4 only; give an IPv4 address".into()),
        Ok(address) => Ok(address),
        Err(_) => Err("give an IPv4 address with a port, as 192.0.2.1:5060".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_as_people_type_them() {
        let two = [201, 202].map(|value| Extension::new(value).unwrap());
        for text in [
            "201,202",
            " 201, 202 ",
            "２０１，２０２",
            "２０１、202",
            "201　２０２",
            "201 202,",
        ] {
            assert_eq!(text.parse::<Extensions>().unwrap().0, two, "{text}");
        }
        for bad in [
            "", " ", ",", "101", "2", "2000000", "20a", "201;202", "-201", "+201",
        ] {
            assert!(bad.parse::<Extensions>().is_err(), "{bad:?}");
        }
        assert_eq!(extension(" ２０１ ").unwrap(), two[0]);
        assert!(
            extension("2 01")
                .unwrap_err()
                .contains("2 to 6 digits, the first 2 to 9")
        );
    }

    #[test]
    fn addresses_and_ports() {
        assert!(ipv4("[::1]:5060").unwrap_err().contains("IPv4 only"));
        assert!(ipv4("127.0.0.1").is_err());
        assert_eq!(ipv4("127.0.0.1:5060").unwrap(), ([127, 0, 0, 1], 5060).into());
        assert_eq!(port_range("20000-21999"), Ok((20_000, 21_999)));
        for bad in ["20000", "21999-20000", "80-90", "a-b"] {
            assert!(port_range(bad).is_err(), "{bad}");
        }
    }
}
