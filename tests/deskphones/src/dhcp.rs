//! The DHCP client of a phone (RFC 2131 §4.4): DISCOVER, the first OFFER, REQUEST, ACK, and the renewal at half time.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Encodable};

use crate::model::Model;
use crate::rng::Rng;
use crate::{Mac, Millis};

/// UDP port of the client.
pub const PORT: u16 = 68;
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);

/// What a server gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The phone's address.
    pub address: Ipv4Addr,
    /// Length of the network's part.
    pub prefix: u8,
    /// Way out.
    pub router: Option<Ipv4Addr>,
    /// Name servers (option 6).
    pub names: Vec<Ipv4Addr>,
    /// Time servers (option 42).
    pub clocks: Vec<Ipv4Addr>,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// The options 43, 66, 67, 159 and 160 that came, as they came.
    pub options: BTreeMap<u8, Vec<u8>>,
}

enum State {
    Selecting,
    Requesting(Box<Lease>),
    Bound(Box<Lease>),
}

/// The client.
pub struct Client {
    class: &'static str,
    asks: &'static [u8],
    name: String,
    mac: Mac,
    xid: u32,
    state: State,
    next: Millis,
    interval: Millis,
    /// End of the lease.
    until: Millis,
}

impl Client {
    /// Begins at once.
    pub fn new(now: Millis, model: &Model, mac: Mac, rng: &mut Rng) -> Self {
        Client {
            class: model.dhcp_class,
            asks: model.dhcp_asks,
            name: format!("{}-{mac}", model.name),
            mac,
            xid: rng.next() as u32,
            state: State::Selecting,
            next: now,
            interval: 0,
            until: Millis::MAX,
        }
    }

    /// The lease, if there is one.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound(lease) => Some(lease),
            _ => None,
        }
    }

    /// When it has something to send.
    pub fn next_deadline(&self) -> Millis {
        self.next
    }

    /// What is due: from where, to whom, what.
    pub fn poll(&mut self, now: Millis) -> Option<(SocketAddrV4, SocketAddrV4, Vec<u8>)> {
        if now < self.next {
            return None;
        }
        if now >= self.until {
            (self.state, self.until, self.interval) = (State::Selecting, Millis::MAX, 0);
        }
        // 4, 8, 16, 32, 64 seconds (RFC 2131 §4.1).
        self.interval = (self.interval * 2).clamp(4_000, 64_000);
        self.next = (now + self.interval).min(self.until);
        let mut message = Message::default();
        message.set_opcode(Opcode::BootRequest);
        message.set_xid(self.xid).set_chaddr(&self.mac.0);
        let (mut from, mut to) = (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT), SERVER);
        let kind = match &self.state {
            State::Selecting => MessageType::Discover,
            State::Requesting(offer) => {
                let options = message.opts_mut();
                options.insert(DhcpOption::RequestedIpAddress(offer.address));
                options.insert(DhcpOption::ServerIdentifier(offer.server));
                MessageType::Request
            }
            State::Bound(lease) => {
                message.set_ciaddr(lease.address);
                from.set_ip(lease.address);
                to.set_ip(lease.server);
                MessageType::Request
            }
        };
        if from.ip().is_unspecified() {
            message.set_flags(Flags::default().set_broadcast());
        }
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        let mut identifier = vec![1];
        identifier.extend(self.mac.0);
        options.insert(DhcpOption::ClientIdentifier(identifier));
        options.insert(DhcpOption::ClassIdentifier(self.class.into()));
        options.insert(DhcpOption::Hostname(self.name.clone()));
        let asks = self.asks.iter().copied().map(OptionCode::from).collect();
        options.insert(DhcpOption::ParameterRequestList(asks));
        options.insert(DhcpOption::MaxMessageSize(1_500));
        let bytes = message.to_vec().expect("a phone's message can be written");
        Some((from, to, bytes))
    }

    /// A datagram for port 68. True: the lease is new, or gone.
    pub fn receive(&mut self, now: Millis, bytes: &[u8]) -> bool {
        let Ok(message) = Message::from_bytes(bytes) else {
            return false;
        };
        let ours = message.opcode() == Opcode::BootReply && message.xid() == self.xid;
        if !ours || message.chaddr() != self.mac.0 {
            return false;
        }
        match (message.opts().msg_type(), &self.state) {
            (Some(MessageType::Offer), State::Selecting) => {
                if let Some(lease) = lease(&message) {
                    (self.state, self.next, self.interval) = (State::Requesting(Box::new(lease)), now, 0);
                }
                false
            }
            (Some(MessageType::Ack), State::Requesting(_) | State::Bound(_)) => {
                let Some(lease) = lease(&message) else {
                    return false;
                };
                let seconds = match message.opts().get(OptionCode::AddressLeaseTime) {
                    Some(DhcpOption::AddressLeaseTime(seconds)) => u64::from(*seconds),
                    _ => 3_600,
                };
                self.until = now + seconds * 1_000;
                self.next = now + seconds * 500;
                self.interval = 0;
                let new = self.lease().is_none_or(|old| old.address != lease.address);
                self.state = State::Bound(Box::new(lease));
                new
            }
            (Some(MessageType::Nak), State::Requesting(_) | State::Bound(_)) => {
                let bound = self.lease().is_some();
                (self.state, self.next, self.interval) = (State::Selecting, now, 0);
                bound
            }
            _ => false,
        }
    }
}

fn lease(message: &Message) -> Option<Lease> {
    let mut lease = Lease {
        address: message.yiaddr(),
        prefix: 24,
        router: None,
        names: Vec::new(),
        clocks: Vec::new(),
        server: message.siaddr(),
        options: BTreeMap::new(),
    };
    for (code, option) in message.opts().iter() {
        match option {
            DhcpOption::SubnetMask(mask) => lease.prefix = u32::from(*mask).leading_ones() as u8,
            DhcpOption::Router(routers) => lease.router = routers.first().copied(),
            DhcpOption::DomainNameServer(servers) => lease.names.clone_from(servers),
            DhcpOption::NtpServers(servers) => lease.clocks.clone_from(servers),
            DhcpOption::ServerIdentifier(server) => lease.server = *server,
            DhcpOption::VendorExtensions(bytes)
            | DhcpOption::TFTPServerName(bytes)
            | DhcpOption::BootfileName(bytes) => {
                lease.options.insert(u8::from(*code), bytes.clone());
            }
            DhcpOption::Unknown(option) => {
                lease.options.insert(u8::from(*code), option.data().to_vec());
            }
            _ => {}
        }
    }
    (!lease.address.is_unspecified()).then_some(lease)
}
