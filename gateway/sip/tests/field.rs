//! Messages as telephones, servers and carriers send them: `field/*.sip`, and in `field/expected.txt` what becomes of each,
//! what is read from it and how it is answered. The README there says what the words mean.
mod common;

use sip::digest::{Challenge, Credentials};
use sip::header::Name;
use sip::sdp::{Media, Sdp};
use sip::{Host, Message, NameAddr, RAck, Rejected, Scheme, StartLine, Uri, Writer, write_response_head};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where every message comes from.
const SOURCE: &str = "192.0.2.77:5062";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field")
}

/// Bytes for people: text where they are UTF-8 (a fold is a space), escaped where not.
fn show(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => unfold(text),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// White space with a line end in it is one space.
fn unfold(text: &str) -> String {
    let lines = text.split("\r\n").enumerate();
    let mut out = String::new();
    for (n, line) in lines {
        if n > 0 {
            out.truncate(out.trim_end().len());
            out.push(' ');
        }
        out.push_str(if n > 0 { line.trim_start() } else { line });
    }
    out
}

fn host(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => show(name),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    }
}

fn address(a: NameAddr<'_>) -> String {
    let display = a.display.map(|d| format!("\"{}\" ", show(d))).unwrap_or_default();
    let tag = a.tag().map(|t| format!(" tag={}", show(t))).unwrap_or_default();
    format!("{display}{}{tag}", show(a.uri))
}

fn via(m: &Message<'_>) -> String {
    let via = m.via().expect("a Via");
    let mut out = format!("{} ", show(via.transport));
    out += &match via.host {
        Host::V6(address) => format!("[{address}]"),
        other => host(other),
    };
    out += &via.port.map(|p| format!(":{p}")).unwrap_or_default();
    out += &via.branch.map(|b| format!(" {}", show(b))).unwrap_or_default();
    out += &match via.rport {
        None => String::new(),
        Some(None) => " rport".into(),
        Some(Some(port)) => format!(" rport={port}"),
    };
    out + &via.received.map(|r| format!(" received={r}")).unwrap_or_default()
}

fn uri_part(m: &Message<'_>, part: &str, name: &str) -> Option<String> {
    let uri: Uri<'_> = m.parsed_request_uri()?;
    match part {
        "user" => uri.user.map(show),
        "host" => Some(host(uri.host)),
        "param" => uri.param(name).map(show),
        _ => Some(match uri.scheme {
            Scheme::Sip => "sip".into(),
            Scheme::Sips => "sips".into(),
            Scheme::Tel => "tel".into(),
            Scheme::Other(name) => show(name),
        }),
    }
}

fn media(m: &Message<'_>, kind: &str) -> Option<Media<'static>> {
    // The descriptions live as long as the test.
    let body: &'static [u8] = Box::leak(m.body().to_vec().into_boxed_slice());
    Sdp::parse(body)?
        .media()
        .find(|medium| medium.kind == kind.as_bytes())
}

fn target(medium: &Media<'_>) -> String {
    medium.target().map_or("refused".into(), |t| t.to_string())
}

fn audio(m: &Message<'_>) -> Option<String> {
    let audio = media(m, "audio")?;
    let mut out = format!(
        "{} {} {}",
        target(&audio),
        show(audio.protocol),
        audio.direction.as_str()
    );
    let mut codecs: Vec<_> = audio.codecs().collect();
    codecs.sort_by_key(|(codec, _)| codec.payload_type());
    for (codec, payload_type) in codecs {
        out += &format!(" {}={payload_type}", codec.encoding().trim_end_matches("/8000"));
    }
    out += &audio
        .telephone_event()
        .map(|pt| format!(" events={pt}"))
        .unwrap_or_default();
    out += if audio.is_held() { " held" } else { "" };
    Some(out)
}

fn credentials(m: &Message<'_>) -> Option<String> {
    let names = [Name::Authorization, Name::ProxyAuthorization];
    let c = names
        .iter()
        .find_map(|&name| Credentials::parse(&m.auths(name).next()?))?;
    let qop = c.qop.map_or("-".into(), |q| format!("{q:?}").to_lowercase());
    Some(format!(
        "{} {} {} {qop} {}",
        show(c.username),
        show(c.realm),
        c.algorithm.as_str(),
        c.count
    ))
}

fn challenge(m: &Message<'_>) -> Option<String> {
    let (c, answer) = Challenge::choose(m)?;
    let qop = c.qop.map_or("-".into(), |q| format!("{q:?}").to_lowercase());
    let algorithm = c.algorithm.map_or("-", |a| a.as_str());
    let stale = if c.stale { "stale" } else { "fresh" };
    Some(format!("{answer} {} {algorithm} {qop} {stale}", show(c.realm)))
}

/// What stands behind a word of the table, `argument` being the first word after it. `None`: there is no such thing.
fn value(m: &Message<'_>, word: &str, argument: &str) -> Option<String> {
    let contact = |n: usize| m.contacts().nth(n);
    let (name, param) = argument.split_once('.').unwrap_or((argument, ""));
    let name = Name::parse(name.as_bytes());
    Some(match word {
        "method" => m.method().to_string(),
        "status" => m.status()?.to_string(),
        "reason-phrase" => match m.start_line() {
            StartLine::Status { reason, .. } => show(reason),
            StartLine::Request { .. } => return None,
        },
        "uri" => show(m.request_uri()?),
        "via" => via(m),
        "from" => address(m.from()?),
        "to" => address(m.to()?),
        "contact" => address(contact(0)?),
        "contact2" => address(contact(1)?),
        "remote-target" => show(m.remote_target()?),
        "call-id" => show(m.call_id()?),
        "cseq" => format!("{} {}", m.cseq()?.seq, m.cseq()?.method),
        "rack" => {
            let rack = RAck::parse(m.header(Name::RAck)?)?;
            format!("{} {} {}", rack.rseq, rack.cseq.seq, rack.cseq.method)
        }
        "expires" => m.expires()?.to_string(),
        "max-forwards" => m.max_forwards()?.to_string(),
        "supports" => m.supports(argument).then(|| argument.to_string())?,
        "unsupported" => m.unsupported(&[]).map(show).collect::<Vec<_>>().join(" "),
        "other" => show(m.other(argument)?),
        "header" => show(m.header(name)?),
        "number" => m.number(name)?.to_string(),
        "item" if param.is_empty() => show(m.item(name)?.value),
        "item" => show(m.item(name)?.params.get(param)?),
        "address" => address(m.addresses(name).next()?),
        "count" => m.values(name).count().to_string(),
        "lines" => m.lines(name).count().to_string(),
        "type" => m.content_type()?.is(argument).then(|| argument.to_string())?,
        "body" => m.body().len().to_string(),
        "credentials" => credentials(m)?,
        "challenge" => challenge(m)?,
        "reason" => {
            let reason = m.reasons().next()?;
            let text = reason.text.map(|t| format!(" {}", show(t))).unwrap_or_default();
            format!("{} {}{text}", show(reason.protocol), reason.cause?)
        }
        "audio" => audio(m)?,
        "media" if target(&media(m, argument)?) == "refused" => "refused".into(),
        "media" => {
            let medium = media(m, argument)?;
            format!(
                "{} {} {}",
                target(&medium),
                show(medium.protocol),
                show(medium.formats)
            )
        }
        word => match word.split_once('.')? {
            ("uri", part) => uri_part(m, part, argument)?,
            ("contact", param) => show(contact(0)?.param(param)?),
            ("contact2", param) => show(contact(1)?.param(param)?),
            ("auth", param) => {
                let names = [
                    Name::Authorization,
                    Name::ProxyAuthorization,
                    Name::WwwAuthenticate,
                ];
                show(
                    names
                        .iter()
                        .find_map(|&name| m.auths(name).next()?.param(param))?,
                )
            }
            _ => panic!("no such word: {word}"),
        },
    })
}

/// Words whose first argument says what is asked for.
const WITH_ARGUMENT: [&str; 9] = [
    "uri.param",
    "other",
    "header",
    "number",
    "item",
    "address",
    "count",
    "lines",
    "media",
];

/// One line of the table; gives what is wrong.
fn check(m: &Message<'_>, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (argument, after) = rest.split_once(' ').unwrap_or((rest, ""));
    if word == "attribute" {
        let (name, want) = after.split_once(' ').unwrap_or((after, ""));
        let found = media(m, argument).is_some_and(|medium| medium.attributes(name).any(|a| show(a) == want));
        return found.then_some(()).ok_or("no such attribute".into());
    }
    let want = if WITH_ARGUMENT.contains(&word) {
        after
    } else {
        rest
    };
    let got = value(m, word, argument);
    match got {
        None if want == "-" => Ok(()),
        Some(got) if got == want => Ok(()),
        got => Err(format!("{got:?}")),
    }
}

fn answer(request: &Message<'_>, status: u16) -> String {
    let mut buffer = [0; 4_096];
    let mut w = Writer::new(&mut buffer);
    let source: SocketAddr = SOURCE.parse().unwrap();
    write_response_head(&mut w, request, status, Some("answer"), source);
    let len = w.finish_empty().unwrap();
    buffer[..len].iter().map(|&b| char::from(b)).collect()
}

/// Verdict, fault and, where there is something to read, the message.
fn judge(bytes: &[u8]) -> (String, Option<Rejected<'_>>, Option<Message<'_>>) {
    match Message::parse_datagram(bytes) {
        Ok(m) => {
            let verdict = match m.screen(&[]) {
                Ok(()) if m.is_request() => "request".into(),
                Ok(()) => "response".into(),
                Err(fault) => format!("screened {}", fault.status().unwrap()),
            };
            (verdict, None, Some(m))
        }
        Err(rejected) => {
            let verdict = rejected
                .status()
                .map_or("dropped".into(), |status| format!("answered {status}"));
            (verdict, Some(rejected), rejected.request())
        }
    }
}

#[test]
fn every_message_is_read_and_answered_as_expected() {
    let table = fs::read_to_string(folder().join("expected.txt")).unwrap();
    let mut wrong = Vec::new();
    let mut told = BTreeSet::new();
    for block in table.split("\n\n").filter(|block| block.starts_with("== ")) {
        let mut lines = block.trim_end_matches('\n').split('\n');
        let name = lines
            .next()
            .and_then(|l| l.strip_prefix("== ")?.split_once(": "))
            .expect(block)
            .0;
        told.insert(name.to_string());
        let bytes = fs::read(folder().join(format!("{name}.sip"))).expect(name);
        let (verdict, rejected, m) = judge(&bytes);
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let result = match (word, &m) {
                ("verdict", _) if rest == verdict => Ok(()),
                ("verdict", _) => Err(format!("{verdict} {:?}", rejected.map(|r| r.fault))),
                ("fault", _) if rejected.is_some_and(|r| r.fault.to_string() == rest) => Ok(()),
                ("fault", _) => Err(format!("{:?}", rejected.map(|r| r.fault.to_string()))),
                ("answer", Some(m)) => {
                    let (status, top_via) = rest.split_once(' ').expect(line);
                    let status = status.parse().expect(line);
                    let got = answer(m, status);
                    (got == common::answer(&bytes, status, top_via))
                        .then_some(())
                        .ok_or(got)
                }
                (_, Some(m)) => check(m, line),
                (_, None) => Err("nothing can be read".into()),
            };
            if let Err(got) = result {
                wrong.push(format!("{name}: {line}\n    got {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "sip"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    assert_eq!(
        files, told,
        "each file is in the table, and each of the table is a file"
    );
    assert!(files.len() >= 100, "{}", files.len());
}

/// A stream's reader takes the same messages where they say how long they are.
#[test]
fn streams_bring_the_same() {
    let mut taken = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "sip") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let Ok(m) = Message::parse_datagram(&bytes) else {
            continue;
        };
        let whole = m.body().as_ptr_range().end == bytes.as_ptr_range().end;
        let same = Message::parse_stream(&bytes).is_ok_and(|s| s.body() == m.body());
        assert_eq!(same, whole, "{}", path.display());
        taken += usize::from(same);
    }
    assert!(taken >= 90, "{taken}");
}
