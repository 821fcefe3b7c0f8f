//! The configuration in flash and the power cut: at every single word, old or new, never mixed.

mod common;

use common::flash::*;
use common::{commit_ops, commit_ops_of, committed, committed_of, sections, sections_of_schema, site};
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use gateway::store::map::{self, ALL, COMMIT, CONFIG_A, CONFIG_B, EVENTS, FACTORY, SECTOR};
use gateway::store::ram::{RamError, Torn, run};
use gateway::store::{Fault, Key, Op, Reply, Store};
use shared::Factory;
use shared::factory::FactoryError;
use shared::id::{BoxId, IdKey};
use shared::site::{SectionKind, Site};
use shared::sync::Alarm;

#[test]
fn the_partitions_lie_in_order_and_the_budget_is_what_the_map_says() {
    let mut end = 0;
    for partition in ALL {
        assert!(partition.start >= end, "{} overlaps", partition.name);
        end = partition.end();
    }
    assert!(end <= map::SIZE);
    assert_eq!(map::ERASURES_PER_DAY, 27);
    // The figures of the table.
    assert_eq!(COMMIT.sectors() * map::ERASURES_PER_DAY, 54);
    assert_eq!(map::SETTINGS.sectors() * 18 * map::ERASURES_PER_DAY, 15_552);
    assert_eq!(EVENTS.sectors() * 20 * map::ERASURES_PER_DAY, 138_240);
    let binding = 8 + 2 + 208;
    assert!((SECTOR - 8) / binding >= 18, "a registration of about 208 bytes");
}

#[test]
fn the_memory_keeps_the_rules_of_a_nor_flash() {
    let mut flash = blank();
    run(flash.write(0, &[0xF0, 1, 2, 3])).unwrap();
    assert_eq!(run(flash.write(0, &[0x0F, 1, 2, 3])), Err(RamError::NotErased));
    run(flash.write(0, &[0x00, 1, 2, 3])).unwrap();
    assert_eq!(run(flash.write(2, &[0; 4])), Err(RamError::Range));
    assert_eq!(run(flash.write(0, &[0; 3])), Err(RamError::Range));
    assert_eq!(run(flash.erase(0, 1)), Err(RamError::Range));
    assert_eq!(run(flash.write(EVENTS.end(), &[0; 4])), Err(RamError::Range));
    run(flash.erase(0, SECTOR)).unwrap();
    let mut word = [0; 4];
    run(flash.read(0, &mut word)).unwrap();
    assert_eq!(word, [0xFF; 4]);

    flash.cut_after(1, Torn::Unreadable);
    assert_eq!(run(flash.write(0, &[1, 2, 3, 4, 5, 6, 7, 8])), Err(RamError::Off));
    assert_eq!(run(flash.read(0, &mut word)), Err(RamError::Off));
    flash.restore();
    run(flash.read(0, &mut word)).unwrap();
    assert_eq!(word, [1, 2, 3, 4]);
    assert_eq!(run(flash.read(4, &mut word)), Err(RamError::Unreadable));
    run(flash.erase(0, SECTOR)).unwrap();
    run(flash.read(4, &mut word)).unwrap();
}

#[test]
fn a_blank_memory_starts_empty_and_counts_its_starts() {
    let mut flash = blank();
    for boot in 1..=3 {
        let restart = load(&mut flash).unwrap();
        assert_eq!(restart.loaded.boot, boot);
        assert_eq!(restart.loaded.factory, Err(FactoryError::Absent));
        assert_eq!((restart.loaded.committed, restart.loaded.queued), (None, 0));
        assert!(restart.loaded.alarms.is_empty() && restart.settings.is_empty());
        assert_eq!(restart.site, Site::default());
    }
}

#[test]
fn factory_data_are_read() {
    let factory = Factory {
        box_id: BoxId(9),
        secret: [1; 32],
        cloud_host: "cloud.example".try_into().unwrap(),
        sip_port: 5060,
        mqtt_port: 1883,
        realm: "".try_into().unwrap(),
        config_key: [2; 32],
    };
    let mut flash = blank();
    let mut buf = [0; 256];
    let image = factory.encode(&mut buf).unwrap();
    flash.bytes_mut()[FACTORY.start as usize..][..image.len()].copy_from_slice(image);
    assert_eq!(load(&mut flash).unwrap().loaded.factory, Ok(factory));
}

#[test]
fn a_commit_cut_anywhere_leaves_the_old_or_the_new_configuration() {
    let (old, new, third) = (site(3, 1), site(12, 2), site(2, 3));
    // Banks A and B both hold something older when the cut comes.
    let mut flash = with_site(&site(9, 9), 1);
    let mut store = Store::new(&mut flash);
    run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
    let ops = commit_ops(&old, 2);
    assert_eq!(execute_all(&mut store, &ops), ops.len());

    let ops = commit_ops(&new, 3);
    for torn in TORN {
        let (mut olds, mut news) = (0, 0);
        for change in 0.. {
            let mut flash = cut(&flash, change, torn);
            let mut store = Store::new(&mut flash);
            let done = match run(store.load(&mut Site::default(), 1, |_, _| {})) {
                Ok(_) => execute_all(&mut store, &ops),
                Err(_) => 0,
            };
            let whole = !flash.is_off();
            assert_eq!(whole, done == ops.len());
            flash.restore();
            let restart = load(&mut flash).unwrap();
            let loaded = restart.loaded;
            assert!(
                loaded.usable && loaded.alarms.is_empty(),
                "cut {change}: {:?}",
                loaded.alarms
            );
            let epoch = loaded.committed.as_ref().unwrap().epoch;
            if done == ops.len() {
                assert_eq!(epoch, 3, "cut {change}: the commit was acknowledged");
            }
            let expected = if epoch == 3 { &new } else { &old };
            assert_eq!(&restart.site, expected, "cut {change}");
            assert_eq!(loaded.committed, Some(committed(expected, epoch)));
            *(if epoch == 3 { &mut news } else { &mut olds }) += 1;

            // And the next one works.
            let mut store = Store::new(&mut flash);
            run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
            let ops = commit_ops(&third, 4);
            assert_eq!(execute_all(&mut store, &ops), ops.len(), "cut {change}");
            assert_eq!(load(&mut flash).unwrap().site, third, "cut {change}");
            if whole {
                break;
            }
        }
        assert!(olds > 300 && news >= 1, "{olds} {news}");
    }
}

/// A box without a cloud: its office's configuration is put there at each start, and written only where it has changed.
#[test]
fn an_installed_configuration_is_the_old_or_the_new_one_after_any_cut() {
    let (old, new) = (site(3, 1), site(12, 2));
    let mut flash = blank();
    for (site, epoch) in [(&old, 1), (&old, 1), (&new, 2), (&old, 3)] {
        let holds = load(&mut flash).unwrap().site == *site;
        let before = flash.changes();
        run(Store::new(&mut flash).install(site)).unwrap();
        assert_eq!(flash.changes() == before, holds);
        let restart = load(&mut flash).unwrap();
        assert_eq!(&restart.site, site);
        assert_eq!(restart.loaded.committed.map(|it| it.epoch), Some(epoch));
    }
    for torn in TORN {
        for change in 0.. {
            let mut flash = cut(&flash, change, torn);
            let done = run(Store::new(&mut flash).install(&new));
            let whole = !flash.is_off();
            assert_eq!(whole, done.is_ok());
            flash.restore();
            let found = load(&mut flash).unwrap().site;
            assert!(found == old && !whole || found == new, "cut {change}");
            run(Store::new(&mut flash).install(&new)).unwrap();
            assert_eq!(load(&mut flash).unwrap().site, new, "cut {change}");
            if whole {
                break;
            }
        }
    }
}

#[test]
fn only_what_is_there_can_be_committed() {
    let (old, new) = (site(3, 1), site(3, 2));
    let mut flash = with_site(&old, 1);
    let mut store = Store::new(&mut flash);
    run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
    assert_eq!(
        execute(&mut store, &Op::Commit(committed(&new, 2))),
        Ok(Reply::Checked(false)),
        "nothing staged"
    );
    let ops = commit_ops(&new, 2);
    execute_all(&mut store, &ops[..ops.len() - 1]);
    assert_eq!(
        execute(&mut store, &Op::Commit(committed(&old, 2))),
        Ok(Reply::Checked(false)),
        "something else staged"
    );
    let mut lie = committed(&new, 2);
    lie.root[0] ^= 1;
    assert_eq!(
        execute(&mut store, &Op::Commit(lie)),
        Ok(Reply::Checked(false)),
        "a root that is not theirs"
    );
    let mut less = committed(&new, 2);
    less.sections.pop();
    assert_eq!(
        execute(&mut store, &Op::Commit(less)),
        Ok(Reply::Checked(false)),
        "a section missing"
    );
    assert_eq!(load(&mut flash).unwrap().site, old);
}

#[test]
fn an_unchanged_section_is_copied_from_the_active_bank() {
    let (old, mut new) = (site(20, 1), site(20, 1));
    new.sys.international = true;
    let mut flash = with_site(&old, 1);
    let mut store = Store::new(&mut flash);
    run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
    for (section, bytes) in sections(&new) {
        assert_eq!(
            execute(&mut store, &Op::Check(section)),
            Ok(Reply::Checked(false))
        );
        let copied = execute(&mut store, &Op::StageActive(section));
        assert_eq!(copied, Ok(Reply::Checked(section.kind != SectionKind::Sys)));
        if copied == Ok(Reply::Checked(false)) {
            let data = heapless::Vec::from_slice(&bytes).unwrap();
            execute(
                &mut store,
                &Op::Stage {
                    kind: section.kind,
                    offset: 0,
                    data,
                },
            )
            .unwrap();
        }
        assert_eq!(execute(&mut store, &Op::Check(section)), Ok(Reply::Checked(true)));
        let read = execute(
            &mut store,
            &Op::Read {
                staged: true,
                kind: section.kind,
                offset: 0,
                len: 8,
            },
        );
        assert_eq!(
            read,
            Ok(Reply::Data(heapless::Vec::from_slice(&bytes[..8]).unwrap()))
        );
    }
    execute(&mut store, &Op::Commit(committed(&new, 2))).unwrap();
    assert_eq!(load(&mut flash).unwrap().site, new);
}

#[test]
fn operations_out_of_range_are_refused() {
    let mut flash = blank();
    let mut store = Store::new(&mut flash);
    let data = heapless::Vec::from_slice(&[0; 64]).unwrap();
    for offset in [1, 2, 8_192 - 60, 8_192, u32::MAX - 3] {
        let op = Op::Stage {
            kind: SectionKind::Reps,
            offset,
            data: data.clone(),
        };
        assert_eq!(execute(&mut store, &op), Err(Fault::Refused), "{offset}");
    }
    for (offset, len) in [(8_192, 1), (8_000, 193), (u32::MAX, 1), (0, 1_025)] {
        let op = Op::Read {
            staged: true,
            kind: SectionKind::Reps,
            offset,
            len,
        };
        assert_eq!(execute(&mut store, &op), Err(Fault::Refused), "{offset} {len}");
    }
    assert_eq!(flash.changes(), 0, "and nothing was touched");
}

#[test]
fn a_rotten_configuration_is_found_and_the_one_before_it_used() {
    let (old, new) = (site(3, 1), site(3, 2));
    let mut flash = with_site(&old, 1);
    let mut store = Store::new(&mut flash);
    run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
    let ops = commit_ops(&new, 2);
    execute_all(&mut store, &ops);
    let (mut fell_back, mut untouched) = (0, 0);
    // Bank B is the active one. Every 97th bit of the places of its sections and of both commit pages.
    let places = [(CONFIG_B.start, 4 * 8_192), (COMMIT.start, 2 * SECTOR)];
    for (start, len) in places {
        for bit in (0..len * 8).step_by(97) {
            let mut flash = flash.clone();
            flash.bytes_mut()[(start + bit / 8) as usize] ^= 1 << (bit % 8);
            let Restart { loaded, site, .. } = load(&mut flash).unwrap();
            assert!(loaded.usable, "bit {bit}");
            match loaded.committed.unwrap().epoch {
                1 => {
                    assert_eq!(site, old);
                    fell_back += 1;
                }
                _ => {
                    assert_eq!(site, new);
                    assert!(loaded.alarms.is_empty());
                    untouched += 1;
                }
            }
        }
    }
    assert!(fell_back > 20 && untouched > 1_000, "{fell_back} {untouched}");

    // Both rotten: no site, but the epoch is known, and the next commit heals.
    for (bank, section) in [(CONFIG_A, 1), (CONFIG_B, 2)] {
        flash.bytes_mut()[(bank.start + section * 8_192) as usize + 10] ^= 1;
    }
    let Restart {
        loaded, site: empty, ..
    } = load(&mut flash).unwrap();
    assert_eq!(
        (loaded.usable, loaded.alarms.as_slice()),
        (false, &[Alarm::ConfigUnreadable][..])
    );
    assert_eq!((loaded.committed.unwrap().epoch, empty), (2, Site::default()));
    let mut store = Store::new(&mut flash);
    run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
    let third = site(4, 3);
    let ops = commit_ops(&third, 3);
    assert_eq!(execute_all(&mut store, &ops), ops.len());
    assert_eq!(load(&mut flash).unwrap().site, third);
}

#[test]
fn a_configuration_this_firmware_finds_invalid_is_not_used_and_says_so() {
    let mut invalid = site(3, 1);
    invalid.ids[1].extension = invalid.ids[0].extension;
    let mut flash = blank();
    load(&mut flash).unwrap();
    let ops = commit_ops(&invalid, 5);
    assert_eq!(execute_all(&mut Store::new(&mut flash), &ops), ops.len());
    let Restart { loaded, site, .. } = load(&mut flash).unwrap();
    assert!(!loaded.usable && loaded.committed.unwrap().epoch == 5);
    assert!(matches!(loaded.alarms[..], [Alarm::ConfigInvalid(_)]));
    assert_eq!(site, Site::default());
}

/// What earlier programs of the box stored: IDs that do not name their site, or their port.
#[test]
fn configurations_of_old_schemas_are_read_and_replaced() {
    for schema in [1, 2, 3] {
        let site = site(40, 1);
        let old = sections_of_schema(&site, schema);
        let mut flash = blank();
        load(&mut flash).unwrap();
        let mut store = Store::new(&mut flash);
        let ops = commit_ops_of(&old, 3);
        assert_eq!(execute_all(&mut store, &ops), ops.len());
        let restart = load(&mut flash).unwrap();
        assert!(restart.loaded.usable && restart.loaded.alarms.is_empty());
        assert_eq!(restart.loaded.committed, Some(committed_of(&old, 3)));
        assert_eq!(restart.site, site);

        let mut store = Store::new(&mut flash);
        run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
        let ops = commit_ops(&site, 4);
        assert_eq!(execute_all(&mut store, &ops), ops.len());
        let restart = load(&mut flash).unwrap();
        assert_eq!(restart.loaded.committed, Some(committed(&site, 4)));
        assert_eq!(restart.site, site);
    }
}

/// A memory that answers late: some of its reads fail, and would not fail again.
struct Moody<'a> {
    flash: &'a mut Flash,
    reads: usize,
    fails: core::ops::Range<usize>,
}

impl ErrorType for Moody<'_> {
    type Error = RamError;
}

impl ReadNorFlash for Moody<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), RamError> {
        self.reads += 1;
        match self.fails.contains(&(self.reads - 1)) {
            true => Err(RamError::Unreadable),
            false => self.flash.read(offset, bytes).await,
        }
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Moody<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), RamError> {
        self.flash.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), RamError> {
        self.flash.write(offset, bytes).await
    }
}

impl MultiwriteNorFlash for Moody<'_> {}

/// Whatever cannot be read for a moment, the box starts with its site, its settings and its events.
#[test]
fn a_memory_that_fails_for_a_moment_costs_nothing() {
    let it = site(3, 1);
    let mut flash = with_site(&it, 4);
    let key = Key::phone(IdKey::new(2).unwrap());
    run(Store::new(&mut flash).set(key, b"given")).unwrap();
    let mut all = 0;
    for first in 0.. {
        let mut flash = flash.clone();
        let mut moody = Moody {
            flash: &mut flash,
            reads: 0,
            // The read, and its words one by one.
            fails: first..first + 3,
        };
        let mut found = Site::default();
        let mut given = false;
        let loaded = run(Store::new(&mut moody).load(&mut found, 1, |other, value| {
            given |= other == key && value == b"given";
        }))
        .unwrap();
        assert!(loaded.usable && found == it, "read {first}: {:?}", loaded.alarms);
        assert_eq!((given, &loaded.alarms[..]), (true, &[][..]), "read {first}");
        if moody.reads <= first {
            break;
        }
        all = first;
    }
    assert!(all > 20, "{all}");
}
