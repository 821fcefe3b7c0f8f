//! The cloud's end of the MQTT connection, scripted: a new configuration.

use gateway::{Input, UplinkInput};
use sha2::{Digest, Sha256};
use shared::BoxId;
use shared::site::Site;
use shared::sync::{
    AppAck, BatchReader, Chunk, Down, FileChunk, FileGet, Get, HubOrder, MAX_MANIFEST, MAX_MESSAGE, Manifest,
    Message, SignedManifest, Topic, Up,
};

use super::{Office, common};

const BOX: BoxId = BoxId(77);

impl Office {
    pub fn mqtt<'a>(&mut self, leaf: Down, message: &impl Message<'a>) {
        let mut buf = [0; MAX_MESSAGE];
        let payload = message.encode(&mut buf).unwrap().to_vec();
        let topic = Topic::Down(BOX, leaf).name();
        self.handle(Input::Uplink(UplinkInput::Message {
            topic: &topic,
            payload: &payload,
        }));
    }

    /// The messages under this leaf since the last time.
    pub fn published(&mut self, leaf: Up) -> Vec<Vec<u8>> {
        let name = Topic::Up(BOX, leaf).name();
        let (these, others) = core::mem::take(&mut self.published)
            .into_iter()
            .partition(|(topic, _)| topic == name.as_str());
        self.published = others;
        let these: Vec<(String, Vec<u8>)> = these;
        these.into_iter().map(|(_, payload)| payload).collect()
    }

    /// The MQTT connection is open, and the cloud answers.
    pub fn subscribe(&mut self) {
        self.handle(Input::Uplink(UplinkInput::Connected));
        assert_eq!(self.published(Up::Hello).len(), 1);
        let unix = 1_800_000_000_000;
        self.mqtt(Down::AppAck, &AppAck { up_to: None, unix });
    }

    /// The cloud takes the events that were published last.
    pub fn acknowledge(&mut self) {
        let batches = self.published(Up::Events);
        let events = BatchReader::new(batches.last().expect("a batch")).unwrap();
        let up_to = events.last().map(|event| event.unwrap().id);
        let unix = 1_800_000_000_000;
        self.mqtt(Down::AppAck, &AppAck { up_to, unix });
    }

    /// The cloud gives the firmware that is asked for, so many pieces of it at most; how many those were.
    pub fn give_firmware(&mut self, files: &[&str], pieces: usize) -> usize {
        for piece in 0..pieces {
            let gets = self.published(Up::FileGet);
            let Some(get) = gets.last() else { return piece };
            let FileGet { hash, offset, len } = FileGet::decode(get).unwrap();
            let is_it = |file: &&&str| <[u8; 32]>::from(Sha256::digest(file)) == hash;
            let start = offset as usize;
            let data = &files.iter().find(is_it).unwrap().as_bytes()[start..start + usize::from(len)];
            self.mqtt(Down::FileChunk, &FileChunk { hash, offset, data });
        }
        pieces
    }

    /// The box gets this configuration.
    pub fn configure(&mut self, site: &Site, epoch: u64) {
        self.offer(site, epoch, usize::MAX);
        assert_eq!(self.published(Up::Ack).len(), 1);
    }

    /// The cloud wants something of the hub.
    pub fn hub_order(&mut self, order: HubOrder) {
        self.mqtt(Down::Hub, &order);
    }

    /// The cloud offers this configuration, signed, and gives every piece that is asked for; up to `pieces` of them.
    pub fn offer(&mut self, site: &Site, epoch: u64, pieces: usize) {
        let target = common::committed(site, epoch);
        let manifest = Manifest {
            box_id: BOX,
            epoch,
            key_epoch: target.key_epoch,
            issued: 1_790_000_000,
            not_after: 0,
            sections: target.sections.clone(),
            root: target.root,
        };
        let mut buf = [0; MAX_MANIFEST];
        let mut message = SignedManifest {
            manifest: manifest.encode(&mut buf).unwrap(),
            signature: &[],
        };
        let signer = salty::Keypair::from(&[1; 32]);
        let signature = signer.sign(&message.signed().unwrap()).to_bytes();
        message.signature = &signature;
        self.mqtt(Down::Manifest, &message);
        let sections = common::sections(site);
        for _ in 0..pieces {
            let gets = self.published(Up::Get);
            let Some(get) = gets.last() else { return };
            let get = Get::decode(get).unwrap();
            let (_, bytes) = sections
                .iter()
                .find(|(section, _)| section.kind == get.kind)
                .unwrap();
            let start = get.offset as usize;
            let end = bytes.len().min(start + usize::from(get.len));
            let chunk = Chunk {
                kind: get.kind,
                hash: get.hash,
                offset: get.offset,
                data: &bytes[start..end],
            };
            self.mqtt(Down::Chunk, &chunk);
        }
    }
}
