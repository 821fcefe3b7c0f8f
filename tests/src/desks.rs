//! An office whose phones configure themselves from the box: a router with DHCP, the box with its hub, its cloud, and phones at
//! the ports of the hub or behind other switches.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;

use deskphones::model::{GXP1628, HT801, KX_HDV230, KX_HDV230N, Model};
use deskphones::{Mac, Phone, Progress};
use ed25519_dalek::SigningKey;
use gateway::budget::{HTTP_CONNECTIONS, HTTP_PORT, POWER_PORTS};
use shared::hub::PhoneModel;
use shared::site::Site;
use shared::sync::EventBody;

use crate::cloud_node::CloudNode;
use crate::desk_box::{DeskBox, Flash};
use crate::desk_phone::DeskPhone;
use crate::network::{Cable, Millis, NodeId, Place, Quality};
use crate::office;
use crate::pse::Pse;
use crate::rng::Rng;
use crate::router::Router;
use crate::scene::Actor;
use crate::world::{Fault, Node, World};

/// Node of the router.
pub const ROUTER: NodeId = 0;
/// Node of the box.
pub const BOX: NodeId = 1;
/// Node of the cloud.
pub const CLOUD: NodeId = 2;
/// Address of the box.
pub const BOX_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
const ROUTER_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const CLOUD_IP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Index of the hub's port to the office's network.
pub const UPLINK: u8 = POWER_PORTS as u8;

/// The hardware address of the phone with this index.
pub fn mac(model: &Model, index: u16) -> Mac {
    let [a, b, c] = model.oui;
    let [high, low] = index.to_be_bytes();
    Mac([a, b, c, 0x10, high, low])
}

/// How the cloud calls a model.
pub fn known_as(model: &Model) -> PhoneModel {
    match model.name {
        name if name == GXP1628.name => PhoneModel::Gxp1628,
        name if name == KX_HDV230.name || name == KX_HDV230N.name => PhoneModel::KxHdv230n,
        name if name == HT801.name => PhoneModel::Ht801,
        name => unreachable!("{name} is not sold"),
    }
}

/// Makes the phone with this hardware address that of the ID with this index. It has no password of its own any more.
pub fn claim(site: &mut Site, index: u16, model: &Model, mac: Mac, port: Option<u8>, claim: u16) {
    let id = &mut site.ids[usize::from(index)];
    let model = known_as(model);
    id.kind = model.kind();
    id.phone = Some(shared::hub::Phone {
        mac: shared::hub::Mac(mac.0),
        model,
        line: 1,
        port: port.and_then(|port| NonZeroU8::new(port + 1)),
        claim,
    });
    let key = id.key;
    if let Some(credential) = site
        .credentials
        .iter_mut()
        .find(|credential| credential.key == key)
    {
        (credential.ha1_md5, credential.ha1_sha256) = ([0; 16], [0; 32]);
    }
}

/// The office.
pub struct Desks {
    /// Everything that moves.
    pub world: World<Actor>,
    /// The configuration as the cloud has it.
    pub site: Site,
    rng: Rng,
}

impl Desks {
    /// Router, box and cloud are there and switched on; no phone is.
    pub fn new(seed: u64, site: Site) -> Self {
        let mut rng = Rng::new(seed);
        let mut world = World::new(rng.split());
        let wan = Quality {
            delay: (5, 5),
            ..Quality::PERFECT
        };
        world.network.set_quality(Place::Office, Place::Cloud, wan);
        let router = Actor::Router(Router::new(ROUTER_IP));
        world.add("router", Place::Office, &[ROUTER_IP.into()], router);
        let key = SigningKey::from_bytes(&[9; 32]);
        let factory = office::factory(office::BOX, key.verifying_key().to_bytes());
        let flash = Flash {
            time: (1, 3),
            len: Flash::LONG,
        };
        let mut desk = DeskBox::new(BOX_IP, &factory, rng.split(), flash);
        (desk.subnet.prefix, desk.subnet.router) = (24, Some(ROUTER_IP));
        desk.hub.pse = Some(Pse::default());
        desk.power_on(0);
        world.add("box", Place::Office, &[BOX_IP.into()], Actor::Box(desk));
        let files = SocketAddr::from((BOX_IP, HTTP_PORT));
        world.network.limit(files, HTTP_CONNECTIONS);
        let carrier = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 9), 5_060));
        let sites = vec![(factory, site.clone())];
        let mut cloud = CloudNode::new(CLOUD_IP.into(), carrier, key, sites, rng.split());
        cloud.power_on(0);
        world.add("cloud", Place::Cloud, &[CLOUD_IP.into()], Actor::Cloud(cloud));
        Desks { world, site, rng }
    }

    /// A chance of its own.
    pub fn chance(&mut self) -> Rng {
        self.rng.split()
    }

    /// Plugs a phone into a port of the hub (from 0; [`UPLINK`] for the office's network). If the port feeds it, it starts when
    /// the box feeds it; else another switch or its adaptor does, from `at` on.
    pub fn plug(&mut self, at: Millis, phone: Phone, port: u8, fed: bool) -> NodeId {
        let (model, mac) = (phone.model, phone.mac.0);
        let name = format!("{} {mac:02x?}", model.name);
        let actor = Actor::Desk(DeskPhone::new(phone));
        let node = self.world.add(&name, Place::Office, &[], actor);
        let cable = Cable {
            mac,
            hub: BOX,
            port,
            fed,
        };
        self.world.network.plug(node, cable);
        if fed {
            let now = self.world.now();
            if let Some(pse) = &mut self.desk().hub.pse {
                pse.plug(now, port, model);
            }
        } else {
            self.world.plan(at, Fault::Off(node));
            self.world.plan(at, Fault::On(node));
        }
        node
    }

    /// The box.
    pub fn desk(&mut self) -> &mut DeskBox {
        match &mut self.world.nodes[BOX] {
            Actor::Box(desk) => desk,
            _ => unreachable!("node {BOX} is the box"),
        }
    }

    /// The router.
    pub fn router(&mut self) -> &mut Router {
        match &mut self.world.nodes[ROUTER] {
            Actor::Router(router) => router,
            _ => unreachable!("node {ROUTER} is the router"),
        }
    }

    /// The cloud.
    pub fn cloud(&mut self) -> &mut CloudNode {
        match &mut self.world.nodes[CLOUD] {
            Actor::Cloud(cloud) => cloud,
            _ => unreachable!("node {CLOUD} is the cloud"),
        }
    }

    /// A phone, by its node.
    pub fn phone(&mut self, node: NodeId) -> &mut Phone {
        match &mut self.world.nodes[node] {
            Actor::Desk(desk) => &mut desk.phone,
            _ => unreachable!("node {node} is no phone"),
        }
    }

    /// Gives the box another configuration.
    pub fn configure(&mut self) {
        let (now, site) = (self.world.now(), self.site.clone());
        self.cloud().configure(now, office::BOX, site);
    }

    /// Is the phone registered now?
    pub fn is_registered(&mut self, node: NodeId) -> bool {
        let now = self.world.now();
        self.phone(node).is_registered(now)
    }

    /// How far a phone came.
    pub fn progress(&mut self, node: NodeId) -> Progress {
        self.phone(node).progress()
    }

    /// What the box told the cloud, oldest first.
    pub fn events(&mut self) -> Vec<EventBody> {
        let events = self.cloud().database().events(office::BOX);
        events
            .into_iter()
            .filter_map(|event| Some(event.event?.body))
            .collect()
    }
}
