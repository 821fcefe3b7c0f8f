//! The office's router: addresses by DHCP, with whatever options it is told to give, and nothing else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode, OptionCode, UnknownOption};
use dhcproto::{Decodable, Encodable};

use crate::network::{Act, Arrival, Millis};
use crate::world::Node;

/// The router.
pub struct Router {
    address: Ipv4Addr,
    /// Options besides those of an address, for phones that ask for them.
    pub options: BTreeMap<u8, Vec<u8>>,
    /// Who has which address: the last byte.
    leases: BTreeMap<Vec<u8>, u8>,
    out: Vec<Act>,
}

impl Router {
    /// A router at this address, for the network of 24 bits around it.
    pub fn new(address: Ipv4Addr) -> Self {
        Router {
            address,
            options: BTreeMap::new(),
            leases: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    fn answer(&mut self, request: &Message) -> Option<Message> {
        let kind = match request.opts().msg_type()? {
            MessageType::Discover => MessageType::Offer,
            MessageType::Request => MessageType::Ack,
            _ => return None,
        };
        // .100 and up.
        let next = 100 + self.leases.len() as u8;
        let last = *self.leases.entry(request.chaddr().to_vec()).or_insert(next);
        let [a, b, c, _] = self.address.octets();
        let mut reply = Message::default();
        reply.set_opcode(Opcode::BootReply).set_xid(request.xid());
        reply.set_chaddr(request.chaddr());
        reply.set_yiaddr(Ipv4Addr::new(a, b, c, last));
        let options = reply.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::ServerIdentifier(self.address));
        options.insert(DhcpOption::AddressLeaseTime(86_400));
        options.insert(DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)));
        options.insert(DhcpOption::Router(vec![self.address]));
        let asked = request.opts().get(OptionCode::ParameterRequestList);
        let Some(DhcpOption::ParameterRequestList(asked)) = asked else {
            return Some(reply);
        };
        let wanted = self
            .options
            .iter()
            .filter(|(code, _)| asked.contains(&OptionCode::from(**code)));
        for (&code, value) in wanted {
            let value = value.clone();
            options.insert(match code {
                43 => DhcpOption::VendorExtensions(value),
                66 => DhcpOption::TFTPServerName(value),
                67 => DhcpOption::BootfileName(value),
                code => DhcpOption::Unknown(UnknownOption::new(code.into(), value)),
            });
        }
        Some(reply)
    }
}

impl Node for Router {
    fn handle(&mut self, _: Millis, arrival: Arrival) {
        let Arrival::Datagram { from, to, bytes } = arrival else {
            return;
        };
        if to.port() != 67 {
            return;
        }
        let answer = Message::from_bytes(&bytes)
            .ok()
            .and_then(|request| self.answer(&request));
        if let Some(bytes) = answer.and_then(|answer| answer.to_vec().ok()) {
            let to = match from.ip().is_unspecified() {
                true => SocketAddr::from((Ipv4Addr::BROADCAST, 68)),
                false => from,
            };
            let from = SocketAddr::from((self.address, 67));
            self.out.push(Act::Datagram { from, to, bytes });
        }
    }

    fn poll(&mut self, _: Millis, out: &mut Vec<Act>) {
        out.append(&mut self.out);
    }

    fn next_deadline(&self) -> Millis {
        Millis::MAX
    }
}
