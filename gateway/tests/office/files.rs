//! Phones that fetch their files.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;

use gateway::budget::HUB_PORTS;
use gateway::provision::HttpEvent;
use gateway::provision::http::Next;
use gateway::store::ram::run;
use gateway::{Input, Station};
use shared::hub::{Mac, Phone as HubPhone, PhoneModel};
use shared::site::Site;
use shared::sync::{EventBody, PhoneFetch, PhoneSecret};

use super::{Office, Phone};

/// The hardware address of the test phone `index`.
pub fn mac(index: u16) -> Mac {
    let [high, low] = index.to_be_bytes();
    Mac([0x00, 0x0b, 0x82, 0, high, low])
}

/// Makes the phone of an ID one that configures itself; `line` 2 is the second of the phone of the ID before.
pub fn claim(site: &mut Site, index: u16, model: PhoneModel, port: Option<u8>, claim: u16) {
    let id = &mut site.ids[usize::from(index)];
    id.kind = model.kind();
    id.phone = Some(HubPhone {
        mac: mac(index),
        model,
        line: 1,
        port: port.and_then(NonZeroU8::new),
        claim,
    });
    site.validate().unwrap();
}

impl Office {
    /// Who has this address from now on: a hardware address, at a port.
    pub fn plug(&mut self, ip: IpAddr, mac: Mac, port: Option<u8>) {
        let uplink = HUB_PORTS as u8 - 1;
        let port = Some(port.map_or(uplink, |port| port - 1));
        self.stations.insert(ip, Station { mac: mac.0, port });
    }

    /// Takes the whole answer on a connection, in pieces of an odd size, and closes it; of firmware the first piece, if it is slow.
    pub fn fetch_answer(&mut self, connection: u8) {
        let mut buffer = [0; 97];
        let mut all = Vec::new();
        loop {
            match self.gateway.answer(connection, &mut buffer) {
                Next::Send(len) => all.extend_from_slice(&buffer[..len]),
                Next::Read { place, len } => {
                    let piece = &mut buffer[..len];
                    run(self.store.read_file(place, piece)).unwrap();
                    all.extend_from_slice(piece);
                    // The phone takes no more just now.
                    if self.slow_download {
                        return;
                    }
                }
                Next::Close => break,
                Next::Wait => panic!("an answer that is not there"),
            }
        }
        self.answers
            .push_back((connection, String::from_utf8(all).unwrap()));
        let event = HttpEvent::Closed;
        let now = self.instant();
        self.gateway.handle(now, Input::Http { connection, event });
    }

    /// Opens a connection for files.
    pub fn open(&mut self, connection: u8, ip: IpAddr) {
        let station = self.stations.get(&ip).copied();
        let event = HttpEvent::Opened { peer: ip, station };
        self.handle(Input::Http { connection, event });
    }

    /// Sends a request; the status and body of its answer, if there is one yet.
    pub fn request(&mut self, ip: IpAddr, method: &str, path: &str, agent: &str) -> Option<(u16, String)> {
        self.request_on(0, ip, method, path, agent)
    }

    /// The same, on another connection.
    pub fn request_on(
        &mut self,
        connection: u8,
        ip: IpAddr,
        method: &str,
        path: &str,
        agent: &str,
    ) -> Option<(u16, String)> {
        self.open(connection, ip);
        let text = format!("{method} {path} HTTP/1.1\r\nHost: 192.168.1.1\r\nUser-Agent: {agent}\r\n\r\n");
        let event = HttpEvent::Data(text.as_bytes());
        self.handle(Input::Http { connection, event });
        self.answered()
    }

    /// The answer to a request that waited.
    pub fn answered(&mut self) -> Option<(u16, String)> {
        let (_, answer) = self.answers.pop_front()?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, body.to_string()))
    }

    /// Fetches a file over HTTP; it must be there.
    #[track_caller]
    pub fn get(&mut self, ip: IpAddr, path: &str) -> String {
        match self.request(ip, "GET", path, "test") {
            Some((200, body)) => body,
            other => panic!("{path}: {other:?}"),
        }
    }

    /// The status of a request that is refused.
    #[track_caller]
    pub fn denied(&mut self, ip: IpAddr, path: &str) -> u16 {
        let (status, body) = self.request(ip, "GET", path, "test").unwrap();
        assert!(status >= 400 && body.is_empty(), "{status} {body}");
        status
    }

    /// Fetches a file over TFTP with these options; the error's code if there is none.
    pub fn read(&mut self, peer: SocketAddr, name: &str, options: &str) -> Result<String, u8> {
        let station = self.stations.get(&peer.ip()).copied();
        let request = [b"\0\x01", name.as_bytes(), b"\0octet\0", options.as_bytes()].concat();
        let mut file = Vec::new();
        let mut block = 512;
        let mut packet = request;
        let mut is_request = true;
        loop {
            self.handle(Input::Tftp {
                peer,
                station,
                is_request,
                bytes: &packet,
            });
            is_request = false;
            let (to, answer) = self.tftp.pop_front().expect("an answer");
            assert_eq!(to, peer);
            let ack = match answer[1] {
                3 => {
                    file.extend_from_slice(&answer[4..]);
                    [0, 4, answer[2], answer[3]]
                }
                5 => return Err(answer[3]),
                6 => {
                    let text = String::from_utf8(answer[2..].to_vec()).unwrap();
                    let words: Vec<&str> = text.split('\0').collect();
                    if let Some(at) = words.iter().position(|word| *word == "blksize") {
                        block = words[at + 1].parse().unwrap();
                    }
                    [0, 4, 0, 0]
                }
                other => panic!("opcode {other}"),
            };
            packet = ack.to_vec();
            if answer[1] == 3 && answer.len() - 4 < block {
                self.handle(Input::Tftp {
                    peer,
                    station,
                    is_request,
                    bytes: &packet,
                });
                assert!(self.tftp.is_empty());
                return Ok(String::from_utf8(file).unwrap());
            }
        }
    }

    /// What was told of fetches since the last time, and of passwords.
    pub fn fetches(&mut self) -> (Vec<PhoneFetch>, Vec<PhoneSecret>) {
        let mut fetches = Vec::new();
        let mut secrets = Vec::new();
        self.events.retain(|event| {
            match event {
                EventBody::PhoneFetch(fetch) => fetches.push(*fetch),
                EventBody::PhoneSecret(secret) => secrets.push(secret.clone()),
                _ => return true,
            }
            false
        });
        (fetches, secrets)
    }
}

/// The value of a setting of Grandstream.
pub fn p(file: &str, number: u16) -> Option<&str> {
    let (start, end) = (format!("<P{number}>"), format!("</P{number}>"));
    let (_, rest) = file.split_once(&start)?;
    Some(rest.split_once(&end)?.0)
}

/// The value of a setting of Panasonic: the first counts.
pub fn setting<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    file.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found == name).then(|| value.strip_prefix('"')?.strip_suffix('"'))?
    })
}

/// The phone of an ID with the password that a file gave it.
pub fn with_password(index: u16, password: &str) -> Phone {
    let mut phone = Phone::new(index);
    phone.password = password.into();
    phone
}
