//! One office, perhaps with a branch, its cloud and a carrier, put together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ed25519_dalek::SigningKey;
use shared::factory::Factory;
use shared::id::{BoxId, ContractId, SiteId};
use shared::site::Site;

use crate::cloud_node::CloudNode;
use crate::desk_box::{DeskBox, Flash};
use crate::desk_phone::DeskPhone;
use crate::network::{Act, Arrival, Millis, NodeId, Place, Quality};
use crate::office;
use crate::phone::{Action, Identity, Incoming, Manner, Phone};
use crate::rng::Rng;
use crate::router::Router;
use crate::telephone::Telephone;
use crate::world::{Node, World};

/// The contract of the office.
pub const CONTRACT: ContractId = ContractId(1);
/// Node of the box.
pub const BOX: NodeId = 0;
/// Node of the cloud.
pub const CLOUD: NodeId = 1;
/// Node of the carrier.
pub const CARRIER: NodeId = 2;
/// Node of the first phone.
pub const PHONES: NodeId = 3;

const CLOUD_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
const CARRIER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9));
const BOX_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
const BRANCH_BOX_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 2);

/// Any node of the scene.
#[expect(clippy::large_enum_variant, reason = "there are few of them")]
pub enum Actor {
    /// The box.
    Box(DeskBox),
    /// The cloud.
    Cloud(CloudNode),
    /// A phone, or the carrier.
    Phone(Phone),
    /// A phone that configures itself.
    Desk(DeskPhone),
    /// The office's router.
    Router(Router),
}

impl Node for Actor {
    fn handle(&mut self, now: Millis, arrival: Arrival) {
        match self {
            Actor::Box(node) => node.handle(now, arrival),
            Actor::Cloud(node) => node.handle(now, arrival),
            Actor::Phone(node) => node.handle(now, arrival),
            Actor::Desk(node) => node.handle(now, arrival),
            Actor::Router(node) => node.handle(now, arrival),
        }
    }
    fn poll(&mut self, now: Millis, out: &mut Vec<Act>) {
        match self {
            Actor::Box(node) => node.poll(now, out),
            Actor::Cloud(node) => node.poll(now, out),
            Actor::Phone(node) => node.poll(now, out),
            Actor::Desk(node) => node.poll(now, out),
            Actor::Router(node) => node.poll(now, out),
        }
    }
    fn next_deadline(&self) -> Millis {
        match self {
            Actor::Box(node) => node.next_deadline(),
            Actor::Cloud(node) => node.next_deadline(),
            Actor::Phone(node) => node.next_deadline(),
            Actor::Desk(node) => node.next_deadline(),
            Actor::Router(node) => node.next_deadline(),
        }
    }
    fn power_off(&mut self, now: Millis) {
        match self {
            Actor::Box(node) => node.power_off(now),
            Actor::Cloud(node) => node.power_off(now),
            Actor::Phone(node) => node.power_off(now),
            Actor::Desk(node) => node.power_off(now),
            Actor::Router(node) => node.power_off(now),
        }
    }
    fn power_on(&mut self, now: Millis) {
        match self {
            Actor::Box(node) => node.power_on(now),
            Actor::Cloud(node) => node.power_on(now),
            Actor::Phone(node) => node.power_on(now),
            Actor::Desk(node) => node.power_on(now),
            Actor::Router(node) => node.power_on(now),
        }
    }
}

/// What an office is like.
#[derive(Clone, Copy, Debug)]
pub struct Office {
    /// Desk phones, all in the ring group.
    pub phones: u16,
    /// How many of them, the last ones, are at a branch with a box of its own.
    pub branch: u16,
    /// Telephones at the ports of the office's box, at most 4; each has a channel besides the others.
    pub telephones: u16,
    /// Channels of the contract, at least one a phone (R15).
    pub channels: u8,
    /// Within the office.
    pub lan: Quality,
    /// Office to cloud.
    pub wan: Quality,
    /// Cloud to carrier.
    pub trunk: Quality,
    /// The box's memory.
    pub flash: Flash,
}

impl Office {
    /// Four phones, four channels, no fault.
    pub const QUIET: Self = Office {
        phones: 4,
        branch: 0,
        telephones: 0,
        channels: 4,
        lan: Quality::PERFECT,
        wan: Quality {
            delay: (5, 5),
            loss: 0,
            duplicate: 0,
        },
        trunk: Quality {
            delay: (5, 5),
            loss: 0,
            duplicate: 0,
        },
        flash: Flash {
            time: (1, 3),
            len: Flash::SHORT,
        },
    };
}

/// The configuration of a site of the office.
pub fn site_of(office: &Office, here: SiteId, branch: u16, channels: u8) -> Site {
    let mut site = office::site_with_branch(here, office.phones, branch, channels);
    office::plug_telephones(&mut site, office.telephones);
    site
}

/// The scene.
pub struct Scene {
    /// Everything that moves.
    pub world: World<Actor>,
    /// Chance for what is done to it.
    pub rng: Rng,
    /// What it is like.
    pub office: Office,
}

impl Scene {
    /// Everything is there and switched on; the phones register within the first seconds.
    pub fn new(seed: u64, office: Office) -> Self {
        let mut rng = Rng::new(seed);
        let mut world = World::new(rng.split());
        world
            .network
            .set_quality(Place::Office, Place::Office, office.lan);
        world
            .network
            .set_quality(Place::Branch, Place::Branch, office.lan);
        world.network.set_quality(Place::Office, Place::Cloud, office.wan);
        world.network.set_quality(Place::Branch, Place::Cloud, office.wan);
        world
            .network
            .set_quality(Place::Cloud, Place::Carrier, office.trunk);

        let key = SigningKey::from_bytes(&[9; 32]);
        let public = key.verifying_key().to_bytes();
        let box_of = |here, id, branch| {
            let site = site_of(&office, here, branch, office.channels);
            (office::factory(id, public), site)
        };
        let mut boxes = vec![box_of(office::HOME, office::BOX, office.branch)];
        if office.branch > 0 {
            boxes.push(box_of(office::BRANCH, office::BRANCH_BOX, office.branch));
        }
        let desk = |(factory, _): &(Factory, Site), ip: Ipv4Addr, rng: &mut Rng| {
            let mut desk = DeskBox::new(ip, factory, rng.split(), office.flash);
            for line in (0..office.telephones).filter(|_| ip == BOX_IP) {
                let telephone = Telephone::new(line == 0, rng.range(300, 12_000), rng.split());
                desk.telephones.push(telephone);
            }
            desk.power_on(0);
            Actor::Box(desk)
        };
        let home = desk(&boxes[0], BOX_IP, &mut rng);
        world.add("box", Place::Office, &[BOX_IP.into()], home);
        let branch = boxes.get(1).map(|branch| desk(branch, BRANCH_BOX_IP, &mut rng));
        let carrier_at = SocketAddr::new(CARRIER_IP, 5_060);
        let mut cloud = CloudNode::new(CLOUD_IP, carrier_at, key, boxes, rng.split());
        cloud.power_on(0);
        world.add("cloud", Place::Cloud, &[CLOUD_IP], Actor::Cloud(cloud));

        let identity = Identity {
            name: "carrier".into(),
            user: "carrier".into(),
            password: String::new(),
            domain: CLOUD_IP.to_string(),
            address: carrier_at,
            proxy: SocketAddr::new(CLOUD_IP, 5_060),
            sha256: false,
        };
        let carrier = Phone::new(identity, Manner::Always(Incoming::Ring), rng.split());
        world.add("carrier", Place::Carrier, &[CARRIER_IP], Actor::Phone(carrier));

        for index in 0..office.phones {
            let (place, net, proxy) = match index < office.phones - office.branch {
                true => (Place::Office, 1, BOX_IP),
                false => (Place::Branch, 2, BRANCH_BOX_IP),
            };
            let ip: IpAddr = Ipv4Addr::new(192, 168, net, 11 + index as u8).into();
            let identity = Identity {
                name: format!("phone{index}"),
                user: office::direct(index),
                password: office::password(index),
                domain: office::REALM.into(),
                address: SocketAddr::new(ip, 5_060),
                proxy: SocketAddr::new(proxy.into(), 5_060),
                sha256: index % 2 == 1,
            };
            let mut phone = Phone::new(identity, Manner::Always(Incoming::Ring), rng.split());
            phone.register(rng.range(2_000, 6_000));
            world.add(&format!("phone{index}"), place, &[ip], Actor::Phone(phone));
        }
        if let Some(branch) = branch {
            world.add("branch", Place::Branch, &[BRANCH_BOX_IP.into()], branch);
        }
        Scene { world, rng, office }
    }

    /// The box.
    pub fn desk(&mut self) -> &mut DeskBox {
        self.desk_at(BOX)
    }

    /// A box, by its node.
    pub fn desk_at(&mut self, node: NodeId) -> &mut DeskBox {
        match &mut self.world.nodes[node] {
            Actor::Box(desk) => desk,
            _ => unreachable!("node {node} is no box"),
        }
    }

    /// The boxes: node and name.
    pub fn boxes(&self) -> Vec<(NodeId, BoxId)> {
        let mut boxes = vec![(BOX, office::BOX)];
        if self.office.branch > 0 {
            boxes.push((self.branch_node(), office::BRANCH_BOX));
        }
        boxes
    }

    /// Node of the branch's box.
    pub fn branch_node(&self) -> NodeId {
        PHONES + usize::from(self.office.phones)
    }

    /// Which box the phone of a node belongs to.
    pub fn box_of(&self, node: NodeId) -> BoxId {
        let home = PHONES + usize::from(self.office.phones - self.office.branch);
        if node < home {
            office::BOX
        } else {
            office::BRANCH_BOX
        }
    }

    /// The cloud.
    pub fn cloud(&mut self) -> &mut CloudNode {
        match &mut self.world.nodes[CLOUD] {
            Actor::Cloud(cloud) => cloud,
            _ => unreachable!("node {CLOUD} is the cloud"),
        }
    }

    /// A phone, by its node; the carrier is one.
    pub fn at(&mut self, node: NodeId) -> &mut Phone {
        match &mut self.world.nodes[node] {
            Actor::Phone(phone) => phone,
            _ => unreachable!("node {node} is no phone"),
        }
    }

    /// The carrier.
    pub fn carrier(&mut self) -> &mut Phone {
        self.at(CARRIER)
    }

    /// The desk phone with this index.
    pub fn phone(&mut self, index: u16) -> &mut Phone {
        self.at(PHONES + usize::from(index))
    }

    /// Nodes that speak SIP as a user agent: the carrier and the phones.
    pub fn agents(&self) -> impl Iterator<Item = NodeId> + use<> {
        CARRIER..PHONES + usize::from(self.office.phones)
    }

    /// Plans a call of a desk phone.
    pub fn call(&mut self, at: Millis, phone: u16, to: &str, patience: Millis, talk: Millis) {
        self.phone(phone).plan(
            at,
            Action::Call {
                to: to.into(),
                from: None,
                patience,
                talk,
            },
        );
    }

    /// Plans a call from outside.
    pub fn call_in(&mut self, at: Millis, from: &str, to: &str, patience: Millis, talk: Millis) {
        let from = Some(from.to_owned());
        self.carrier().plan(
            at,
            Action::Call {
                to: to.into(),
                from,
                patience,
                talk,
            },
        );
    }
}
