//! A box made of the real uplink and the real store, and the messages of a scripted cloud.

use gateway::store::map::EVENTS;
use gateway::store::ram::{RamNor, run};
use gateway::store::{Committed, Done, Fault, Op, Store};
use gateway::uplink::{Change, Memory, Output, TOKEN, Uplink};
use shared::record::Stamp;
use shared::site::Site;
use shared::sync::*;
use shared::{BoxId, Factory, IdKey};
use sip::Instant;

use super::{committed, sections};

pub const BOX: BoxId = BoxId(77);

pub fn keys(seed: u8) -> salty::Keypair {
    salty::Keypair::from(&[seed; 32])
}

pub fn factory() -> Factory {
    Factory {
        box_id: BOX,
        secret: [0; 32],
        cloud_host: "cloud.example".try_into().unwrap(),
        sip_port: 5060,
        mqtt_port: 1883,
        realm: "".try_into().unwrap(),
        config_key: keys(1).public.compressed.0,
    }
}

/// What the box did.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, PartialEq)]
pub enum Did {
    Hello(Hello),
    Get(Get),
    FileGet(FileGet),
    Ack(Ack),
    Nack(Nack),
    Events(Vec<EventId>),
    Hub(HubReport),
    Reconnect,
    Applied(Site),
}

/// A box: uplink and store, and the clock.
pub struct Desk<'m> {
    pub uplink: Uplink<'m>,
    pub flash: RamNor<Vec<u8>>,
    pub store: Option<Store<RamNor<Vec<u8>>>>,
    /// The configuration in use.
    pub site: Site,
    pub now: Instant,
    /// The wall clock, as the cloud has told it last.
    pub wall: Option<u64>,
    /// Operations of the store that were run.
    pub ops: Vec<Op>,
    /// What the next operations give instead of being run.
    pub faults: Vec<Fault>,
    /// The operations that fail, counted in `ops`.
    pub fail_at: core::ops::Range<usize>,
}

impl<'m> Desk<'m> {
    pub fn new(memory: &'m mut Memory, flash: RamNor<Vec<u8>>) -> Self {
        let mut uplink = Uplink::new(memory, &factory());
        let mut store = Store::new(flash.clone());
        let now = Instant(1_000);
        let mut site = Site::default();
        let loaded = run(store.load(&mut site, 1, |key, bytes| _ = uplink.restore(key, bytes))).unwrap();
        uplink.start(now, Stamp::default(), &loaded, &site);
        Self {
            uplink,
            flash,
            store: Some(store),
            site,
            now,
            wall: None,
            ops: Vec::new(),
            faults: Vec::new(),
            fail_at: 0..0,
        }
    }

    pub fn blank(memory: &'m mut Memory) -> Self {
        Self::new(memory, RamNor::new(vec![0xFF; EVENTS.end() as usize]))
    }

    /// A blank box that the cloud has welcomed.
    pub fn welcomed(memory: &'m mut Memory) -> Self {
        let mut it = Self::blank(memory);
        it.connect();
        it.welcome();
        it
    }

    /// Switches off; returns the memory that survives.
    pub fn off(mut self) -> RamNor<Vec<u8>> {
        self.flash = self.store.take().unwrap().flash().clone();
        self.flash
    }

    /// Polls until nothing is left.
    pub fn poll(&mut self) -> Vec<Did> {
        let mut did = Vec::new();
        while self.uplink.poll(self.now) {
            match self.uplink.output().unwrap() {
                Output::Reconnect => did.push(Did::Reconnect),
                Output::Publish { topic, payload } => {
                    assert!(payload.len() <= MAX_MESSAGE);
                    let Some(Topic::Up(BOX, leaf)) = Topic::parse(&topic) else {
                        panic!("{topic}")
                    };
                    did.push(match leaf {
                        Up::Hello => Did::Hello(Hello::decode(payload).unwrap()),
                        Up::Get => Did::Get(Get::decode(payload).unwrap()),
                        Up::FileGet => Did::FileGet(FileGet::decode(payload).unwrap()),
                        Up::Ack => Did::Ack(Ack::decode(payload).unwrap()),
                        Up::Nack => Did::Nack(Nack::decode(payload).unwrap()),
                        Up::Events => Did::Events(
                            BatchReader::new(payload)
                                .unwrap()
                                .map(|raw| raw.unwrap().id)
                                .collect(),
                        ),
                        Up::Hub => Did::Hub(HubReport::decode(payload).unwrap()),
                        Up::Will => panic!("the broker publishes the will"),
                    });
                }
                Output::Store(op) => {
                    let fault = self.fail_at.contains(&self.ops.len());
                    let done = match self.faults.pop().or(fault.then_some(Fault::Flash)) {
                        Some(fault) => Done {
                            token: TOKEN,
                            result: Err(fault),
                        },
                        None => run(self.store.as_mut().unwrap().execute(TOKEN, &op)),
                    };
                    self.ops.push(op);
                    if self.uplink.stored(self.now, done, &mut self.site) == Change::Committed {
                        did.push(Did::Applied(self.site.clone()));
                    }
                }
            }
        }
        did
    }

    /// Goes to the next deadline and polls there; nothing if there is none.
    pub fn wait(&mut self) -> Option<(u64, Vec<Did>)> {
        let before = self.now;
        self.now = self.uplink.next_deadline()?.max(self.now);
        Some(((self.now - before).as_millis() as u64, self.poll()))
    }

    pub fn message<'a>(&mut self, leaf: Down, message: &impl Message<'a>) -> Vec<Did> {
        let mut buf = [0; MAX_MESSAGE];
        let payload = message.encode(&mut buf).unwrap().to_vec();
        self.raw(leaf, &payload)
    }

    pub fn raw(&mut self, leaf: Down, payload: &[u8]) -> Vec<Did> {
        self.uplink
            .message(self.now, self.wall, &Topic::Down(BOX, leaf).name(), payload);
        self.wall = self.uplink.told_time().or(self.wall);
        self.poll()
    }

    /// Connects and is welcomed.
    pub fn connect(&mut self) -> Hello {
        self.uplink.connected(self.now);
        let mut did = self.poll();
        let Some(Did::Hello(hello)) = did.pop() else {
            panic!("{did:?}")
        };
        hello
    }

    pub fn welcome(&mut self) -> Vec<Did> {
        self.message(
            Down::AppAck,
            &AppAck {
                up_to: None,
                unix: 1_790_000_000_000,
            },
        )
    }

    /// Answers every `get` from this site's sections until something else happens.
    pub fn feed(&mut self, mut did: Vec<Did>, site: &Site) -> (u32, Vec<Did>) {
        let sections = sections(site);
        let mut gets = 0;
        loop {
            let [Did::Get(get)] = did[..] else {
                return (gets, did);
            };
            let (_, bytes) = sections
                .iter()
                .find(|(section, _)| section.hash == get.hash)
                .expect("a section of it");
            gets += 1;
            did = self.message(Down::Chunk, &chunk(&get, bytes));
        }
    }
}

/// The piece of a section that is asked for.
pub fn chunk<'a>(get: &Get, section: &'a [u8]) -> Chunk<'a> {
    Chunk {
        kind: get.kind,
        hash: get.hash,
        offset: get.offset,
        data: &section[get.offset as usize..][..usize::from(get.len)],
    }
}

/// The message that gives the box this site, after `change` has spoilt the manifest.
pub fn manifest_with(
    target: &Committed,
    signer: &salty::Keypair,
    change: impl FnOnce(&mut Manifest),
) -> Vec<u8> {
    let mut manifest = Manifest {
        box_id: BOX,
        epoch: target.epoch,
        key_epoch: target.key_epoch,
        issued: 1_790_000_000,
        not_after: 0,
        sections: target.sections.clone(),
        root: target.root,
    };
    change(&mut manifest);
    let mut buf = [0; MAX_MANIFEST];
    let mut message = SignedManifest {
        manifest: manifest.encode(&mut buf).unwrap(),
        signature: &[],
    };
    let signature = signer.sign(&message.signed().unwrap()).to_bytes();
    message.signature = &signature;
    let mut buf = [0; MAX_MESSAGE];
    message.encode(&mut buf).unwrap().to_vec()
}

pub fn manifest(site: &Site, epoch: u64) -> Vec<u8> {
    manifest_with(&committed(site, epoch), &keys(1), |_| {})
}

pub fn commits(ops: &[Op]) -> usize {
    ops.iter().filter(|op| matches!(op, Op::Commit(_))).count()
}

/// Brings a box to this site.
pub fn apply(it: &mut Desk<'_>, site: &Site, epoch: u64) -> u32 {
    let did = it.raw(Down::Manifest, &manifest(site, epoch));
    let (gets, did) = it.feed(did, site);
    let ack = Ack {
        epoch,
        root: committed(site, epoch).root,
    };
    assert_eq!(did, [Did::Applied(site.clone()), Did::Ack(ack)]);
    gets
}

pub fn event(index: u16) -> EventBody {
    EventBody::Registration {
        terminal: IdKey::new(index % 64).unwrap(),
        registered: true,
    }
}

/// Identities of events.
pub fn ids(boot: u32, seqs: std::ops::Range<u32>) -> Vec<EventId> {
    seqs.map(|seq| EventId { boot, seq }).collect()
}
