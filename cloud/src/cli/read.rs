//! Reading what people type.

use std::net::SocketAddr;
use std::str::FromStr;

use shared::NumberError;
use shared::hub::Voice;
use shared::id::{Extension, SessionId};
use shared::number::Number;
use shared::route::{BlockRule, Caller};
use shared::schedule::{Day, Hours, MAX_INTERVALS};

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

/// A value, or `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrNone<T>(pub Option<T>);

impl<T: FromStr<Err: std::fmt::Display>> FromStr for OrNone<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            value => value
                .parse()
                .map(|value| Self(Some(value)))
                .map_err(|error: T::Err| error.to_string()),
        }
    }
}

/// The hours of a day: `closed`, or intervals with spaces between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayHours(pub Day);

impl FromStr for DayHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut day = Day::new();
        if text.trim() == "closed" {
            return Ok(Self(day));
        }
        for part in text.split_whitespace() {
            let hours: Hours = part.parse().map_err(str::to_owned)?;
            day.push(hours)
                .map_err(|_| format!("a day has at most {MAX_INTERVALS} intervals"))?;
        }
        match day.is_empty() {
            true => Err("give hours as 09:00-17:30, or closed".into()),
            false => Ok(Self(day)),
        }
    }
}

/// The hours of a week: `mon-fri 09:00-12:00 13:00-18:00, sat 10:00-15:00`. Days that are not named are closed.
#[derive(Clone, Debug)]
pub struct Week(pub [Day; 7]);

impl FromStr for Week {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut week: [Day; 7] = Default::default();
        for part in text
            .split([',', '、'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (days, hours) = part
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("give days and hours, as mon-fri 09:00-17:30, not {part:?}"))?;
            let (first, last) = days.split_once('-').unwrap_or((days, days));
            let DayHours(hours) = hours.parse()?;
            let (from, to) = (weekday(first)?, weekday(last)?);
            if from > to {
                return Err(format!("{days} is the wrong way round"));
            }
            for one in week.iter_mut().take(to + 1).skip(from) {
                *one = hours.clone();
            }
        }
        Ok(Self(week))
    }
}

fn weekday(text: &str) -> Result<usize, String> {
    const DAYS: [(&str, &str); 7] = [
        ("mon", "月"),
        ("tue", "火"),
        ("wed", "水"),
        ("thu", "木"),
        ("fri", "金"),
        ("sat", "土"),
        ("sun", "日"),
    ];
    DAYS.iter()
        .position(|(en, ja)| text == *en || text == *ja)
        .ok_or_else(|| format!("{text:?} is no day: mon tue wed thu fri sat sun"))
}

/// Callers that are refused: numbers, beginnings with an asterisk, `withheld`.
#[derive(Clone, Debug)]
pub struct Callers(pub Vec<BlockRule>);

impl FromStr for Callers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = |part: &str| match part.strip_suffix('*') {
            _ if part == "withheld" => Ok(BlockRule::Withheld),
            Some(beginning) => beginning
                .parse()
                .map(BlockRule::Prefix)
                .map_err(|error| format!("{part:?}: {error}")),
            None => part
                .parse()
                .map(BlockRule::Number)
                .map_err(|error| format!("{part:?}: {error}")),
        };
        let parts = text
            .split([',', '、', '，'])
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(rule).collect::<Result<_, _>>().map(Self)
    }
}

/// A telephone number. People count its characters from 1.
pub fn number(text: &str) -> Result<Number, String> {
    text.parse().map_err(|NumberError { problem, at }| {
        let at = at.saturating_add(1);
        NumberError { problem, at }.to_string()
    })
}

/// A number of the contract, or `none`.
pub fn number_or_none(text: &str) -> Result<OrNone<Number>, String> {
    match text {
        "none" => Ok(OrNone(None)),
        text => number(text).map(|number| OrNone(Some(number))),
    }
}

/// A voice network as `20:192.168.20.1/24`, or `none`. Whether it can be is the contract's matter.
pub fn voice(text: &str) -> Result<OrNone<Voice>, String> {
    let read = |text: &str| {
        let (vlan, rest) = text.split_once(':')?;
        let (address, prefix) = rest.split_once('/')?;
        Some(Voice {
            vlan: vlan.parse().ok()?,
            address: address.parse().ok()?,
            prefix: prefix.parse().ok()?,
        })
    };
    match text {
        "none" => Ok(OrNone(None)),
        text => read(text)
            .map(|voice| OrNone(Some(voice)))
            .ok_or_else(|| "give VLAN and the box's address, as 20:192.168.20.1/24, or none".into()),
    }
}

/// A caller: a number, or `withheld`.
pub fn caller(text: &str) -> Result<Caller, String> {
    match text {
        "withheld" => Ok(Caller::Withheld),
        text => number(text).map(Caller::Number),
    }
}

/// The name of a call.
pub fn session(text: &str) -> Result<SessionId, String> {
    text.parse()
        .map_err(|_| "a call has 32 hexadecimal digits, see `show records`".into())
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
    fn hours_as_people_type_them() {
        let Week(week) = "mon-fri 09:00-12:00 13:00-18:00, 土 10:00-15:00".parse().unwrap();
        let texts = week
            .each_ref()
            .map(|day| day.iter().map(Hours::to_string).collect::<Vec<_>>().join(" "));
        assert_eq!(texts[0], "09:00-12:00 13:00-18:00");
        assert_eq!(
            (&texts[4], texts[5].as_str(), texts[6].as_str()),
            (&texts[0], "10:00-15:00", "")
        );
        for bad in [
            "mon",
            "mon 9-17",
            "fri-mon 09:00-10:00",
            "tue-mon 09:00-10:00",
            "day 09:00-10:00",
            "mon 00:00-01:00 02:00-03:00 04:00-05:00 06:00-07:00 08:00-09:00",
        ] {
            assert!(bad.parse::<Week>().is_err(), "{bad}");
        }
        assert_eq!("none".parse(), Ok(OrNone::<DayHours>(None)));
        assert_eq!("closed".parse(), Ok(OrNone(Some(DayHours(Day::new())))));
        assert!("".parse::<DayHours>().is_err());
    }

    #[test]
    fn numbers_as_people_type_them() {
        assert_eq!(number("03-1234-0001").unwrap().to_string(), "0312340001");
        for (text, at) in [("x312340001", 1), ("03x2340001", 3), ("", 1)] {
            let told = number(text).unwrap_err();
            assert!(told.ends_with(&format!(" at character {at}")), "{told}");
        }
        assert_eq!(number_or_none("none"), Ok(OrNone(None)));
        for text in [
            "20",
            "20:192.168.20.1",
            "x:192.168.20.1/24",
            "20:192.168.20/24",
            "20:192.168.20.1/x",
        ] {
            assert!(voice(text).unwrap_err().contains("20:192.168.20.1/24"), "{text}");
        }
        assert_eq!(voice("none"), Ok(OrNone(None)));
        let read = voice("20:192.168.20.1/24").unwrap().0.unwrap();
        assert_eq!(
            (read.vlan, read.address.octets(), read.prefix),
            (20, [192, 168, 20, 1], 24)
        );
        assert!(number_or_none("x").unwrap_err().ends_with("character 1"));
    }

    #[test]
    fn callers_as_people_type_them() {
        let Callers(rules) = "03-3555-0001, 0120*、withheld".parse().unwrap();
        assert_eq!(rules.len(), 3);
        assert!(matches!(rules[0], BlockRule::Number(_)) && matches!(rules[1], BlockRule::Prefix(_)));
        assert_eq!(rules[2], BlockRule::Withheld);
        for bad in ["x", "*", "12"] {
            assert!(bad.parse::<Callers>().is_err(), "{bad}");
        }
        assert_eq!("3".parse(), Ok(OrNone(Some(3u8))));
        assert!("x".parse::<OrNone<u8>>().is_err());
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
