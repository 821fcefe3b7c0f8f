//! A phone, or a carrier, on the network of the simulation: the user agent of [`deskphones`].

pub use deskphones::agent::{
    Action, Agent as Phone, CallLog, Direction, Identity, Incoming, Manner, Outcome, Terms,
};

use crate::network::{Act, Arrival, Millis};
use crate::world::Node;

impl Node for Phone {
    fn handle(&mut self, now: Millis, arrival: Arrival) {
        if let Arrival::Datagram { from, bytes, .. } = arrival {
            self.receive(now, from, &bytes);
        }
    }

    fn poll(&mut self, now: Millis, out: &mut Vec<Act>) {
        let from = self.identity().address;
        let sent = self.due(now);
        out.extend(sent.map(|(to, bytes)| Act::Datagram { from, to, bytes }));
    }

    fn next_deadline(&self) -> Millis {
        Phone::next_deadline(self)
    }
}
