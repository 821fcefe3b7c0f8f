//! The MQTT broker: rmqtt in this process by default, or any MQTT 5 broker by URL, and the server's own client.
//!
//! Nothing rests on the broker's memory: clean sessions, no retained messages, no session storage. What a box may
//! do there is small: subscribe `c/<own>/#`, publish below `b/<own>/`, with client id = user = box id.

pub mod acl;
mod embedded;
mod link;

pub use embedded::{BoxGate, Embedded, Presence};
pub use link::{FromBroker, Link, connect};

/// The account of the server itself.
pub const SERVER_USER: &str = "denwaban-cloud";

/// The largest MQTT packet accepted from a box: the 4,096-byte message with its topic and properties.
pub const MAX_PACKET: u32 = 4_352;

/// Where an MQTT broker is and how the server logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Host name or address.
    pub host: String,
    /// TCP port, 1883 unless given.
    pub port: u16,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::str::FromStr for BrokerUrl {
    type Err = String;

    /// Reads `mqtt://[user[:password]@]host[:port]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("mqtt://")
            .ok_or("a broker is given as mqtt://user:password@host:port")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| format!("{port} is not a port"))?)
            }
            _ => (place, 1883),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("the broker's host is missing".into());
        }
        let user = if user.is_empty() { SERVER_USER } else { user };
        Ok(Self {
            host: host.into(),
            port,
            user: user.into(),
            password: password.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_urls() {
        let full: BrokerUrl = "mqtt://me:p:w@broker.test:1884".parse().unwrap();
        assert_eq!((full.host.as_str(), full.port), ("broker.test", 1884));
        assert_eq!((full.user.as_str(), full.password.as_str()), ("me", "p:w"));
        let short: BrokerUrl = "mqtt://10.0.0.1".parse().unwrap();
        assert_eq!(
            (short.host.as_str(), short.port, short.user.as_str()),
            ("10.0.0.1", 1883, SERVER_USER)
        );
        let six: BrokerUrl = "mqtt://u:p@[::1]:1885/".parse().unwrap();
        assert_eq!((six.host.as_str(), six.port), ("::1", 1885));
        for bad in ["http://x", "mqtt://", "mqtt://u@:1", "mqtt://h:99999"] {
            assert!(bad.parse::<BrokerUrl>().is_err(), "{bad}");
        }
    }
}
