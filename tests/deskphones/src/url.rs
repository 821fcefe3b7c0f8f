//! Addresses of files, as the vendors write them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// How a file is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 1350, port 69.
    Tftp,
    /// RFC 9110, port 80.
    Http,
}

/// Address of a file or of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// How.
    pub scheme: Scheme,
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// From the first slash on; empty if there is none.
    pub path: String,
}

impl Url {
    /// Parses `scheme://host[:port][/path]`; without a scheme it is `otherwise`, if that is given. HTTPS and FTP are not
    /// spoken here.
    pub fn parse(text: &str, otherwise: Option<Scheme>) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tftp") => (Scheme::Tftp, rest),
            Some(_) => return None,
            None => (otherwise?, text),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // User and password for servers that ask for them.
        let authority = authority.rsplit('@').next()?;
        let default = if scheme == Scheme::Http { 80 } else { 69 };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, default),
        };
        let graphic = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        (!host.is_empty() && graphic(host) && graphic(path)).then(|| Url {
            scheme,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// The file `name` in this folder.
    pub fn file(&self, name: &str) -> Self {
        let mut url = self.clone();
        if !url.path.ends_with('/') {
            url.path.push('/');
        }
        url.path.push_str(name);
        url
    }

    /// The server, if it is given by its address.
    pub fn address(&self) -> Option<SocketAddrV4> {
        let address: Ipv4Addr = self.host.parse().ok()?;
        Some(SocketAddrV4::new(address, self.port))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = match self.scheme {
            Scheme::Http => ("http", 80),
            Scheme::Tftp => ("tftp", 69),
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != default {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_folders_and_files() {
        let url = |text| Url::parse(text, Some(Scheme::Tftp)).map(|url| url.file("a").to_string());
        for (text, file) in [
            ("http://10.0.0.1", Some("http://10.0.0.1/a")),
            ("http://10.0.0.1/pana", Some("http://10.0.0.1/pana/a")),
            ("HTTP://box.lan:8080/p/", Some("http://box.lan:8080/p/a")),
            ("10.0.0.1", Some("tftp://10.0.0.1/a")),
            ("40.40.40.40/ht801", Some("tftp://40.40.40.40/ht801/a")),
            ("http://id:pass@10.0.0.1/x", Some("http://10.0.0.1/x/a")),
            ("https://10.0.0.1/", None),
            ("http:///x", None),
            ("http://10.0.0.1/a b", None),
            ("", None),
        ] {
            assert_eq!(url(text).as_deref(), file, "{text}");
        }
        assert_eq!(Url::parse("10.0.0.1", None), None);
    }
}
