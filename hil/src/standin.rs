//! A registrar that admits every password and a stateless proxy (RFC 3261 §16.11) for their calls. It proves the rig's
//! phones among themselves before a box is there; it is no oracle for the box.

use crate::world::Namespace;
use anyhow::Result;
use std::collections::HashMap;
use std::net::UdpSocket;

/// Starts it in `namespace` on `address`; it serves until the run ends.
pub fn start(namespace: &Namespace, address: &str) -> Result<()> {
    let socket = namespace.within(|| Ok(UdpSocket::bind(address)?))?;
    let own = format!("Via: SIP/2.0/UDP {address};branch=z9hG4bK");
    std::thread::spawn(move || {
        let mut contacts = HashMap::new();
        let mut buffer = [0; 8192];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let forward = if text.starts_with("REGISTER ") {
                register(&text, &mut contacts).map(|answer| (answer, peer.to_string()))
            } else if text.starts_with("SIP/2.0 ") {
                response(&text)
            } else {
                request(&text, &contacts, &own)
            };
            if let Some((message, to)) = forward {
                // What gets lost is sent again by a phone.
                let _ = socket.send_to(message.as_bytes(), to);
            }
        }
    });
    Ok(())
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.split("\r\n").skip(1);
    lines.find(|line| {
        line.split_once(':')
            .is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
    })
}

fn uri(line: &str) -> Option<&str> {
    Some(line.split_once('<')?.1.split_once('>')?.0)
}

/// User and "host:port" of a SIP URI.
fn parts(uri: &str) -> Option<(&str, String)> {
    let (user, rest) = uri.strip_prefix("sip:")?.split_once('@')?;
    let host = rest.split(';').next()?;
    Some((
        user,
        if host.contains(':') {
            host.into()
        } else {
            format!("{host}:5060")
        },
    ))
}

fn register(text: &str, contacts: &mut HashMap<String, String>) -> Option<String> {
    let contact = uri(header(text, "Contact")?)?;
    let (user, _) = parts(uri(header(text, "To")?)?)?;
    let copied: Vec<_> = ["Via", "From", "Call-ID", "CSeq"]
        .iter()
        .filter_map(|name| header(text, name))
        .collect();
    let (copied, to) = (copied.join("\r\n"), header(text, "To")?);
    if header(text, "Authorization").is_none() {
        let challenge = r#"WWW-Authenticate: Digest realm="stand-in", nonce="0", qop="auth", algorithm=MD5"#;
        return Some(format!(
            "SIP/2.0 401 Unauthorized\r\n{copied}\r\n{to};tag=r\r\n{challenge}\r\nContent-Length: 0\r\n\r\n"
        ));
    }
    contacts.insert(user.into(), contact.into());
    Some(format!(
        "SIP/2.0 200 OK\r\n{copied}\r\n{to};tag=r\r\nContact: <{contact}>;expires=3600\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn request(text: &str, contacts: &HashMap<String, String>, own: &str) -> Option<(String, String)> {
    let (line, rest) = text.split_once("\r\n")?;
    let mut words = line.split(' ');
    let (method, called) = (words.next()?, words.next()?);
    let (user, _) = parts(called)?;
    let target = contacts.get(user).map_or(called, String::as_str);
    // Without state the same request must get the same branch: RFC 3261 §16.11.
    let branch: String = header(text, "Via")?
        .rsplit_once("branch=")?
        .1
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    Some((
        format!("{method} {target} SIP/2.0\r\n{own}{branch}\r\n{rest}"),
        parts(target)?.1,
    ))
}

fn response(text: &str) -> Option<(String, String)> {
    // Several values may share a line: RFC 3261 §7.3.1.
    let text = text.replace(", SIP/2.0/", "\r\nVia: SIP/2.0/");
    let own = header(&text, "Via")?;
    let rest = text.replacen(&format!("{own}\r\n"), "", 1);
    let to = header(&rest, "Via")?
        .split_whitespace()
        .nth(2)?
        .split(';')
        .next()?
        .to_string();
    Some((rest, to))
}
