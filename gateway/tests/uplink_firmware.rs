//! The firmware of the phones: fetched in pieces, checked, and there for them whatever is cut, lost or wrong in between.

mod common;

use common::rig::*;
use common::{committed, site};
use gateway::store::map::{PHONE_FIRMWARE, SECTOR};
use gateway::store::ram::{RamNor, Torn};
use gateway::store::{Fault, MAX_PIECE, Op};
use gateway::uplink::Memory;
use sha2::{Digest, Sha256};
use shared::hub::{FIRMWARE_ROOM, PhoneFirmware, PhoneModel, firmware_files};
use shared::site::{Hash, Site};
use shared::sync::*;

use PhoneModel::{Gxp1628, Ht801, Ht802, KxHdv230n};

/// A maker's file.
struct File {
    firmware: PhoneFirmware,
    bytes: Vec<u8>,
}

fn file(model: PhoneModel, name: &str, size: u32) -> File {
    let mut random = size.wrapping_mul(0x9E37_79B9) ^ name.len() as u32 ^ u32::from(name.as_bytes()[0]) | 1;
    let bytes: Vec<u8> = (0..size)
        .map(|_| {
            // xorshift32
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random as u8
        })
        .collect();
    let firmware = PhoneFirmware {
        model,
        name: name.try_into().unwrap(),
        version: "1".try_into().unwrap(),
        size,
        hash: Sha256::digest(&bytes).into(),
    };
    File { firmware, bytes }
}

fn with(files: &[&File]) -> Site {
    let mut site = site(3, 1);
    site.sys
        .firmware
        .extend(files.iter().map(|file| file.firmware.clone()));
    site.validate().unwrap();
    site
}

/// A memory with room for files of this many bytes.
fn blank(room: u32) -> RamNor<Vec<u8>> {
    RamNor::new(vec![0xFF; (PHONE_FIRMWARE.start + room) as usize])
}

/// Bytes of a file in flash.
fn kept(it: &mut Desk<'_>, site: &Site, hash: Hash) -> Vec<u8> {
    let (place, file) = firmware_files(&site.sys.firmware)
        .find(|(_, file)| file.hash == hash)
        .unwrap();
    let start = (PHONE_FIRMWARE.start + place) as usize;
    it.store.as_mut().unwrap().flash().bytes()[start..start + file.size as usize].to_vec()
}

fn is_here(it: &Desk<'_>, model: PhoneModel) -> bool {
    it.uplink.firmware().contains(model)
}

/// The answer of a cloud that has the file.
fn give(it: &mut Desk<'_>, get: &FileGet, bytes: &[u8]) -> Vec<Did> {
    let start = get.offset as usize;
    let data = &bytes[start..start + usize::from(get.len)];
    let (hash, offset) = (get.hash, get.offset);
    it.message(Down::FileChunk, &FileChunk { hash, offset, data })
}

/// Answers what is asked for until nothing is, or `until`; how many pieces that were.
fn feed(it: &mut Desk<'_>, mut did: Vec<Did>, files: &[&File], until: usize) -> (usize, Vec<Did>) {
    for pieces in 0..until {
        let [.., Did::FileGet(get)] = &did[..] else {
            return (pieces, did);
        };
        let file = files
            .iter()
            .find(|file| file.firmware.hash == get.hash)
            .expect("a file of the site");
        did = give(it, get, &file.bytes);
    }
    (until, did)
}

fn news(it: &mut Desk<'_>) -> Vec<EventBody> {
    std::iter::from_fn(|| it.uplink.firmware_news()).collect()
}

fn came(file: &File) -> EventBody {
    let PhoneFirmware { model, hash, .. } = file.firmware;
    EventBody::PhoneFirmware { model, hash }
}

fn alarm(model: PhoneModel, raised: bool) -> EventBody {
    let alarm = Alarm::PhoneFirmware(model);
    EventBody::Alarm { alarm, raised }
}

/// A box that is connected and has this configuration; what it does then.
fn configured<'m>(memory: &'m mut Memory, flash: RamNor<Vec<u8>>, site: &Site) -> (Desk<'m>, Vec<Did>) {
    let mut it = Desk::new(memory, flash);
    it.connect();
    it.welcome();
    let did = reconfigure(&mut it, site, 1);
    (it, did)
}

/// Another configuration; what the box does once it is committed and acknowledged.
fn reconfigure(it: &mut Desk<'_>, site: &Site, epoch: u64) -> Vec<Did> {
    let did = it.raw(Down::Manifest, &manifest(site, epoch));
    let (_, did) = it.feed(did, site);
    let ack = Ack {
        epoch,
        root: committed(site, epoch).root,
    };
    let [Did::Applied(applied), Did::Ack(acked), rest @ ..] = &did[..] else {
        panic!("{did:?}")
    };
    assert_eq!((applied, acked), (site, &ack));
    rest.iter()
        .map(|did| match did {
            Did::FileGet(get) => Did::FileGet(*get),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn get(file: &File, offset: u32) -> Did {
    let PhoneFirmware { hash, size, .. } = file.firmware;
    let len = (size - offset).min(MAX_PIECE as u32) as u16;
    Did::FileGet(FileGet { hash, offset, len })
}

/// The operations on files, in short.
fn ops(it: &Desk<'_>) -> Vec<String> {
    let in_short = |op: &Op| match op {
        Op::WriteFile { place, data } => Some(format!("write {place} {}", data.len())),
        Op::ReadFile { place, len } => Some(format!("read {place} {len}")),
        Op::Put { value, .. } => Some(format!("record {}", value.len())),
        _ => None,
    };
    it.ops.iter().filter_map(in_short).collect()
}

#[test]
fn a_file_is_fetched_checked_and_then_there() {
    let phone = file(Gxp1628, "gxp1600fw.bin", 1_100);
    let site = with(&[&phone]);
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(SECTOR), &site);
    assert_eq!(did, [get(&phone, 0)]);
    for (offset, next) in [(0, 512), (512, 1_024)] {
        let Did::FileGet(asked) = get(&phone, offset) else {
            unreachable!()
        };
        assert_eq!(give(&mut it, &asked, &phone.bytes), [get(&phone, next)]);
        assert!(!is_here(&it, Gxp1628));
    }
    let (pieces, did) = feed(&mut it, vec![get(&phone, 1_024)], &[&phone], 9);
    assert_eq!((pieces, &did[..]), (1, &[][..]));
    assert!(is_here(&it, Gxp1628) && !is_here(&it, Ht801));
    assert_eq!(news(&mut it), [came(&phone)]);
    assert_eq!(news(&mut it), []);
    assert_eq!(kept(&mut it, &site, phone.firmware.hash), phone.bytes);
    assert_eq!(
        ops(&it),
        [
            "record 41",
            "write 0 512",
            "write 512 512",
            "write 1024 76",
            "record 41",
            "read 0 512",
            "read 512 512",
            "read 1024 76",
            "record 41"
        ]
    );
    // After a power cut it is there, nothing is fetched, and nothing told.
    let flash = it.off();
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    assert!(is_here(&it, Gxp1628));
    it.connect();
    assert_eq!((it.welcome(), news(&mut it), ops(&it)), (vec![], vec![], vec![]));
    // Nobody's any more, then wanted again: it is fetched anew, because its place was free for others.
    assert_eq!(reconfigure(&mut it, &with(&[]), 2), []);
    assert_eq!(
        (is_here(&it, Gxp1628), ops(&it)),
        (false, vec!["record 0".into()])
    );
    let did = reconfigure(&mut it, &site, 3);
    assert_eq!(did, [get(&phone, 0)]);
    feed(&mut it, did, &[&phone], 9);
    assert_eq!((is_here(&it, Gxp1628), news(&mut it)), (true, vec![came(&phone)]));
}

#[test]
fn what_was_not_asked_for_is_ignored_and_what_is_lost_is_asked_for_again() {
    let phone = file(KxHdv230n, "a.fw", 1_100);
    let site = with(&[&phone]);
    let mut memory = Memory::new();
    let (mut it, _) = configured(&mut memory, blank(SECTOR), &site);
    let good = FileChunk {
        hash: phone.firmware.hash,
        offset: 0,
        data: &phone.bytes[..512],
    };
    let before = it.uplink.counters().ignored;
    for chunk in [
        FileChunk {
            hash: [1; 32],
            ..good
        },
        FileChunk { offset: 512, ..good },
        FileChunk {
            offset: u32::MAX,
            ..good
        },
        FileChunk {
            data: &good.data[..511],
            ..good
        },
        FileChunk { data: &[], ..good },
        FileChunk {
            data: &phone.bytes[..513],
            ..good
        },
    ] {
        assert_eq!(it.message(Down::FileChunk, &chunk), [], "{chunk:?}");
    }
    assert_eq!(it.raw(Down::FileChunk, b"\x01rubbish"), []);
    assert_eq!(it.uplink.counters().ignored, before + 7);
    // Nothing came: again, at growing intervals, and without an end.
    let mut waits = Vec::new();
    while waits.len() < 9 {
        let (wait, did) = it.wait().unwrap();
        match &did[..] {
            [] => {}
            [Did::FileGet(asked)] => {
                assert_eq!((Did::FileGet(*asked), waits.push(wait)), (get(&phone, 0), ()))
            }
            // Whether the cloud is there at all.
            [Did::Hello(_)] => _ = it.welcome(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits[..5], [5_000, 10_000, 20_000, 40_000, 60_000]);
    // The host had no room for the asking: soon again. Nobody waits longer for it, however often.
    for _ in 0..9 {
        it.uplink.dropped(it.now);
        assert_eq!(it.wait(), Some((200, vec![get(&phone, 0)])));
    }
    // It came twice.
    assert_eq!(it.message(Down::FileChunk, &good), [get(&phone, 512)]);
    assert_eq!(it.message(Down::FileChunk, &good), []);
    feed(&mut it, vec![get(&phone, 512)], &[&phone], 9);
    assert!(is_here(&it, KxHdv230n));
    assert_eq!(kept(&mut it, &site, phone.firmware.hash), phone.bytes);
}

#[test]
fn nothing_is_asked_while_the_line_is_down_and_the_rest_when_it_is_back() {
    let phone = file(Gxp1628, "a.bin", 70_000);
    let site = with(&[&phone]);
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(20 * SECTOR), &site);
    let (pieces, _) = feed(&mut it, did, &[&phone], 130);
    assert_eq!(pieces, 130);
    it.uplink.disconnected(it.now);
    assert_eq!(it.poll(), []);
    assert_eq!(it.uplink.next_deadline(), None);
    it.connect();
    assert_eq!(it.welcome(), [get(&phone, 130 * 512)]);
    // A power cut takes what came since the last record: it is at 64 KiB.
    let flash = it.off();
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    it.connect();
    let did = it.welcome();
    assert_eq!(did, [get(&phone, 65_536)]);
    let (pieces, _) = feed(&mut it, did, &[&phone], 99);
    assert_eq!(pieces, (70_000_usize - 65_536).div_ceil(512));
    assert!(is_here(&it, Gxp1628));
    assert_eq!(kept(&mut it, &site, phone.firmware.hash), phone.bytes);
}

#[test]
fn what_comes_wrong_is_told_and_tried_again_after_a_pause_that_grows() {
    let (phone, other) = (file(Gxp1628, "a.bin", 600), file(Ht801, "b.bin", 700));
    let mut bad = file(Gxp1628, "a.bin", 600);
    bad.bytes[599] ^= 1;
    let site = with(&[&phone, &other]);
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(2 * SECTOR), &site);
    // It does not keep the other one waiting.
    let (pieces, did) = feed(&mut it, did, &[&bad, &other], 9);
    assert_eq!((pieces, did), (4, vec![]));
    assert_eq!((is_here(&it, Gxp1628), is_here(&it, Ht801)), (false, true));
    assert_eq!(news(&mut it), [alarm(Gxp1628, true), came(&other)]);
    let mut pauses = Vec::new();
    let mut since = it.now;
    for _ in 0..9 {
        let did = loop {
            let (_, did) = it.wait().unwrap();
            match &did[..] {
                [Did::Hello(_)] => _ = it.welcome(),
                [] => {}
                _ => break did,
            }
        };
        assert_eq!(did, [get(&phone, 0)]);
        pauses.push((it.now - since).as_secs());
        since = it.now;
        let (_, did) = feed(&mut it, did, &[&bad], 9);
        assert_eq!((did, news(&mut it)), (vec![], vec![]));
    }
    assert_eq!(pauses, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    // That it is wrong is known after a power cut, and that it is over is told.
    let flash = it.off();
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, flash);
    it.connect();
    let did = it.welcome();
    assert_eq!((did.len(), news(&mut it)), (1, vec![]));
    feed(&mut it, did, &[&phone], 9);
    assert_eq!(news(&mut it), [came(&phone), alarm(Gxp1628, false)]);
}

#[test]
fn an_alarm_ends_with_the_file() {
    let phone = file(Gxp1628, "a.bin", 600);
    let mut bad = file(Gxp1628, "a.bin", 600);
    bad.bytes[0] ^= 1;
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(SECTOR), &with(&[&phone]));
    feed(&mut it, did, &[&bad], 9);
    assert_eq!(news(&mut it), [alarm(Gxp1628, true)]);
    reconfigure(&mut it, &with(&[]), 2);
    assert_eq!(news(&mut it), [alarm(Gxp1628, false)]);
}

#[test]
fn another_configuration_keeps_what_stays_where_it_is_and_comes_first() {
    let (a, b, c) = (
        file(Gxp1628, "a", 5_000),
        file(Ht801, "b", 3_000),
        file(KxHdv230n, "c", 9_000),
    );
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(9 * SECTOR), &with(&[&a, &b]));
    feed(&mut it, did, &[&a, &b], 99);
    assert_eq!(news(&mut it), [came(&a), came(&b)]);
    // In the midst of a third one a manifest comes: until it is done nothing is asked for, and a piece that comes is not taken.
    let three = with(&[&a, &b, &c]);
    let did = reconfigure(&mut it, &three, 2);
    let (_, did) = feed(&mut it, did, &[&c], 10);
    assert_eq!(did, [get(&c, 5_120)]);
    let two = with(&[&a, &c]);
    let did = it.raw(Down::Manifest, &manifest(&two, 3));
    let [Did::Get(_)] = did[..] else { panic!("{did:?}") };
    let late = FileChunk {
        hash: c.firmware.hash,
        offset: 5_120,
        data: &c.bytes[5_120..5_632],
    };
    assert_eq!(it.message(Down::FileChunk, &late), []);
    let (_, did) = it.feed(did, &two);
    // c has another place by now: from its beginning. a stayed.
    let [Did::Applied(_), Did::Ack(_), Did::FileGet(asked)] = &did[..] else {
        panic!("{did:?}")
    };
    assert_eq!(Did::FileGet(*asked), get(&c, 0));
    assert_eq!(
        [Gxp1628, Ht801, KxHdv230n].map(|model| is_here(&it, model)),
        [true, false, false]
    );
    it.ops.clear();
    feed(&mut it, did, &[&c], 99);
    assert_eq!(news(&mut it), [came(&c)]);
    for file in [&a, &c] {
        assert_eq!(kept(&mut it, &two, file.firmware.hash), file.bytes);
    }
    // A refused configuration changes nothing.
    let mut bad = with(&[&b]);
    bad.sys.channels = 1;
    let did = it.raw(Down::Manifest, &manifest(&bad, 4));
    let (_, did) = it.feed(did, &bad);
    assert!(matches!(did[..], [Did::Nack(_)]), "{did:?}");
    assert_eq!(
        [Gxp1628, KxHdv230n].map(|model| is_here(&it, model)),
        [true, true]
    );
    assert_eq!(news(&mut it), []);
}

#[test]
fn models_share_a_file() {
    let one = file(Ht801, "ht80xv2fw.bin", 2_000);
    let mut two = file(Ht801, "ht80xv2fw.bin", 2_000);
    two.firmware.model = Ht802;
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(SECTOR), &with(&[&one]));
    feed(&mut it, did, &[&one], 99);
    assert_eq!(news(&mut it), [came(&one)]);
    assert_eq!(reconfigure(&mut it, &with(&[&one, &two]), 2), []);
    assert!(is_here(&it, Ht801) && is_here(&it, Ht802));
    assert_eq!(news(&mut it), [came(&two)]);
}

#[test]
fn the_room_is_used_to_its_end() {
    let big = file(Gxp1628, "a", FIRMWARE_ROOM - SECTOR);
    let small = file(Ht801, "b", SECTOR);
    let site = with(&[&big, &small]);
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(FIRMWARE_ROOM), &site);
    let files = [&big, &small];
    let (pieces, did) = feed(&mut it, did, &files, usize::MAX);
    assert_eq!((pieces, did), (FIRMWARE_ROOM as usize / 512, vec![]));
    for file in files {
        assert!(kept(&mut it, &site, file.firmware.hash) == file.bytes);
    }
    let puts = ops(&it).iter().filter(|op| op.starts_with("record")).count();
    // One each at the start and when it is verified; of the large one 159 on the way and one at its end, of the small one the end.
    assert_eq!(puts, 2 + 2 + (FIRMWARE_ROOM - SECTOR) as usize / 65_536 + 1 + 1);
}

#[test]
fn a_memory_that_fails_is_tried_again_and_the_sector_begun_again() {
    let phone = file(Gxp1628, "a", 9_000);
    let site = with(&[&phone]);
    for fails in 0..60 {
        let mut memory = Memory::new();
        let (mut it, mut did) = configured(&mut memory, blank(3 * SECTOR), &with(&[]));
        if did.is_empty() {
            did = reconfigure(&mut it, &site, 2);
        }
        it.ops.clear();
        it.fail_at = fails..fails + 2;
        for _ in 0..99 {
            feed(&mut it, did, &[&phone], 999);
            did = match is_here(&it, Gxp1628) {
                true => break,
                false => it.wait().unwrap().1,
            };
        }
        assert!(is_here(&it, Gxp1628), "{fails}");
        assert_eq!(kept(&mut it, &site, phone.firmware.hash), phone.bytes);
    }
}

/// Events go before files, and a file's operations come one at a time.
#[test]
fn events_do_not_wait_for_a_file() {
    let phone = file(Gxp1628, "a", 50_000);
    let mut memory = Memory::new();
    let (mut it, mut did) = configured(&mut memory, blank(13 * SECTOR), &with(&[&phone]));
    for index in 0..40 {
        (_, did) = feed(&mut it, did, &[&phone], 1);
        it.ops.clear();
        it.uplink.event(it.now, Default::default(), event(index));
        let [Did::FileGet(asked)] = &did[..] else {
            panic!("{did:?}")
        };
        let asked = *asked;
        // The piece and the event come at once.
        let start = asked.offset as usize;
        let chunk = FileChunk {
            hash: asked.hash,
            offset: asked.offset,
            data: &phone.bytes[start..start + usize::from(asked.len)],
        };
        did = it.message(Down::FileChunk, &chunk);
        assert!(matches!(it.ops.first(), Some(Op::PushEvent(_))), "{:?}", it.ops);
        did.retain(|did| matches!(did, Did::FileGet(_)));
    }
}

#[test]
fn a_power_cut_anywhere_leaves_a_box_that_finishes_the_file_and_serves_no_other() {
    let (old, new) = (file(Gxp1628, "old", 6_000), file(Gxp1628, "new", 6_100));
    let mut memory = Memory::new();
    let (mut it, did) = configured(&mut memory, blank(2 * SECTOR), &with(&[&old]));
    feed(&mut it, did, &[&old], 99);
    let flash = it.off();
    let site = with(&[&new]);
    let mut cuts = 0;
    // Every word of the settings and of the commit, and some of each sector of the file.
    for change in (0..700).chain((700..).step_by(23)) {
        for torn in [Torn::Unreadable, Torn::Random] {
            let mut memory = Memory::new();
            let mut it = Desk::new(&mut memory, flash.clone());
            it.store.as_mut().unwrap().flash().cut_after(change, torn);
            it.connect();
            it.welcome();
            let did = it.raw(Down::Manifest, &manifest(&site, 2));
            let (_, mut did) = it.feed(did, &site);
            did.retain(|did| matches!(did, Did::FileGet(_)));
            feed(&mut it, did, &[&new], 99);
            let mut flash = it.off();
            let is_whole = !flash.is_off();
            flash.restore();

            let mut memory = Memory::new();
            let mut it = Desk::new(&mut memory, flash);
            check(&mut it, &[&old, &new]);
            it.connect();
            let mut did = it.welcome();
            if it.uplink.committed() != Some(&committed(&site, 2)) {
                did = reconfigure(&mut it, &site, 2);
            }
            feed(&mut it, did, &[&new], 99);
            assert!(is_here(&it, Gxp1628), "{change}");
            check(&mut it, &[&old, &new]);
            if is_whole {
                assert!(cuts > 700, "{cuts}");
                return;
            }
            cuts += 1;
        }
    }
}

/// What is said to be there is there.
fn check(it: &mut Desk<'_>, files: &[&File]) {
    let site = it.site.clone();
    for firmware in &site.sys.firmware {
        if !is_here(it, firmware.model) {
            continue;
        }
        let file = files
            .iter()
            .find(|file| file.firmware.hash == firmware.hash)
            .unwrap();
        assert_eq!(kept(it, &site, firmware.hash), file.bytes);
    }
}

#[test]
fn operations_that_cannot_be_are_refused() {
    let mut memory = Memory::new();
    let mut it = Desk::new(&mut memory, blank(2 * SECTOR));
    let data = |len: usize| heapless::Vec::from_slice(&vec![0; len]).unwrap();
    let mut store = it.store.take().unwrap();
    for (place, len) in [
        (2, 4),
        (SECTOR - 4, 8),
        (FIRMWARE_ROOM, 4),
        (FIRMWARE_ROOM - 4, 5),
        (u32::MAX - 3, 8),
    ] {
        let op = Op::WriteFile {
            place,
            data: data(len),
        };
        let done = gateway::store::ram::run(store.execute(Default::default(), &op));
        assert_eq!(done.result, Err(Fault::Refused), "{place} {len}");
    }
    for (place, len) in [(FIRMWARE_ROOM, 1), (0, 513), (u32::MAX, 512)] {
        let op = Op::ReadFile { place, len };
        let done = gateway::store::ram::run(store.execute(Default::default(), &op));
        assert_eq!(done.result, Err(Fault::Refused), "{place} {len}");
    }
}
