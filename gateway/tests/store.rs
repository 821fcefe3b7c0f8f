//! The store and the power cut: at every single word, old or new, never mixed, and nothing that was acknowledged lost.

mod common;

use common::{commit_ops, committed, sections, site};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use gateway::store::map::{self, ALL, COMMIT, CONFIG_A, CONFIG_B, EVENTS, FACTORY, SECTOR};
use gateway::store::ram::{RamError, RamNor, Torn, run};
use gateway::store::{Batch, Fault, Key, Loaded, MAX_VALUE, Op, Reply, Store, Token};
use shared::Factory;
use shared::factory::FactoryError;
use shared::id::BoxId;
use shared::record::Stamp;
use shared::site::{SectionKind, Site};
use shared::sync::{Alarm, BatchReader, Event, EventBody, EventId, MAX_EVENT, Message, PanicNote};

type Flash = RamNor<Vec<u8>>;

const TORN: [Torn; 2] = [Torn::Unreadable, Torn::Random];

/// An erased memory, as long as the partitions the store manages.
fn blank() -> Flash {
    RamNor::new(vec![0xFF; EVENTS.end() as usize])
}

fn execute(store: &mut Store<&mut Flash>, op: &Op) -> Result<Reply, Fault> {
    let done = run(store.execute(Token(7), op));
    assert_eq!(done.token, Token(7));
    done.result
}

/// Runs operations until one fails; returns how many were done.
fn execute_all(store: &mut Store<&mut Flash>, ops: &[Op]) -> usize {
    ops.iter().take_while(|op| execute(store, op).is_ok()).count()
}

struct Restart {
    loaded: Loaded,
    site: Site,
    settings: Vec<(Key, Vec<u8>)>,
}

fn load(flash: &mut Flash) -> Result<Restart, Fault> {
    let mut site = Site::default();
    let mut settings = Vec::new();
    let loaded =
        run(Store::new(flash).load(&mut site, 1, |key, value| settings.push((key, value.to_vec()))))?;
    Ok(Restart {
        loaded,
        site,
        settings,
    })
}

/// A memory with this site committed.
fn with_site(site: &Site, epoch: u64) -> Flash {
    let mut flash = blank();
    load(&mut flash).unwrap();
    let mut store = Store::new(&mut flash);
    let ops = commit_ops(site, epoch);
    assert_eq!(execute_all(&mut store, &ops), ops.len());
    flash
}

/// The same memory with the power going during its `change`-th change from now.
fn cut(flash: &Flash, change: u64, torn: Torn) -> Flash {
    let mut flash = flash.clone();
    flash.cut_after(change, torn);
    flash
}

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
            &Op::ReadStaged {
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
        let op = Op::ReadStaged {
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

/// An event that can be told from others, of varying length.
fn event(seq: u32) -> heapless::Vec<u8, MAX_EVENT> {
    let message: String = (0..seq * 37 % 190)
        .map(|i| char::from(b'a' + ((i + seq) % 26) as u8))
        .collect();
    let body = EventBody::Panic(PanicNote {
        message: message.as_str().try_into().unwrap(),
        uptime: seq.into(),
    });
    let event = Event {
        id: EventId { boot: 1, seq },
        at: Stamp::default(),
        body,
    };
    let mut buf = [0; MAX_EVENT];
    heapless::Vec::from_slice(event.encode(&mut buf).unwrap()).unwrap()
}

fn head(store: &mut Store<&mut Flash>) -> Option<(Batch, Vec<u32>)> {
    match execute(store, &Op::ReadEvents).unwrap() {
        Reply::Events(Some(batch)) => {
            let seqs: Vec<u32> = BatchReader::new(&batch.message)
                .unwrap()
                .map(|raw| {
                    let raw = raw.unwrap();
                    assert_eq!(raw.bytes, &event(raw.id.seq)[..], "an event is stored whole");
                    raw.id.seq
                })
                .collect();
            assert_eq!(
                (seqs.len(), seqs.last()),
                (batch.count.into(), Some(&batch.last.seq))
            );
            Some((batch, seqs))
        }
        Reply::Events(None) => None,
        other => panic!("{other:?}"),
    }
}

/// Reads the whole queue, taking everything off.
fn drain(store: &mut Store<&mut Flash>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Some((batch, seqs)) = head(store) {
        all.extend(seqs);
        assert_eq!(
            execute(
                store,
                &Op::DropEvents {
                    last: batch.last,
                    count: batch.count
                }
            ),
            Ok(Reply::Stored)
        );
    }
    all
}

/// Pushes and drops from a memory whose queue holds `held` until the power goes at every change, and looks at what is
/// left. `script` is the number of events pushed before each drop of a batch.
fn cut_events(flash: &Flash, held: std::ops::Range<u32>, script: &[u32]) -> u64 {
    for torn in TORN {
        for change in 0.. {
            let mut flash = cut(flash, change, torn);
            let mut store = Store::new(&mut flash);
            // What must still be there, and what may be.
            let (mut first, mut next) = (held.start, held.end);
            let (mut dropping, mut pushing) = (0, 0);
            'power: for pushes in script {
                for _ in 0..*pushes {
                    match execute(&mut store, &Op::PushEvent(event(next))) {
                        Ok(Reply::Stored) => next += 1,
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => {
                            pushing = 1;
                            break 'power;
                        }
                    }
                }
                let Ok(Reply::Events(Some(batch))) = execute(&mut store, &Op::ReadEvents) else {
                    break;
                };
                let drop = Op::DropEvents {
                    last: batch.last,
                    count: batch.count,
                };
                match execute(&mut store, &drop) {
                    Ok(_) => first = batch.last.seq + 1,
                    Err(_) => {
                        dropping = u32::from(batch.count);
                        break;
                    }
                }
            }
            let whole = !flash.is_off();
            flash.restore();
            let loaded = load(&mut flash).unwrap().loaded;
            assert!(loaded.alarms.is_empty(), "cut {change} {torn:?}");
            let mut store = Store::new(&mut flash);
            // The queue goes on.
            let pushed = execute(&mut store, &Op::PushEvent(event(next + 100)));
            assert_eq!(pushed, Ok(Reply::Stored), "cut {change} {torn:?}");
            let mut left = drain(&mut store);
            assert_eq!(left.pop(), Some(next + 100));
            assert_eq!(loaded.queued as usize, left.len());
            let (from, to) = (
                left.first().copied().unwrap_or(next),
                left.last().map_or(next, |last| last + 1),
            );
            assert!(
                (first..=first + dropping).contains(&from),
                "cut {change} {torn:?}: from {from}, expected {first}"
            );
            assert!(
                (next..=next + pushing).contains(&to),
                "cut {change} {torn:?}: to {to}, expected {next}"
            );
            assert_eq!(
                left,
                (from..to).collect::<Vec<_>>(),
                "cut {change} {torn:?}: in order, without gaps"
            );
            if whole {
                if torn == TORN[1] {
                    return change;
                }
                break;
            }
        }
    }
    unreachable!("every script ends")
}

fn with_events(count: u32) -> Flash {
    let mut flash = blank();
    load(&mut flash).unwrap();
    let mut store = Store::new(&mut flash);
    for seq in 0..count {
        assert_eq!(execute(&mut store, &Op::PushEvent(event(seq))), Ok(Reply::Stored));
    }
    flash
}

#[test]
fn events_survive_a_cut_at_any_word_of_push_and_drop() {
    // From a blank queue, and over the end of its first sector.
    assert!(cut_events(&with_events(0), 0..0, &[1, 3, 0, 2]) > 60);
    assert!(cut_events(&with_events(24), 0..24, &[8, 0, 6]) > 200);
}

#[test]
fn a_full_queue_refuses_and_loses_nothing_and_goes_round() {
    let mut flash = with_events(0);
    let mut store = Store::new(&mut flash);
    let mut next = 0;
    while execute(&mut store, &Op::PushEvent(event(next))) == Ok(Reply::Stored) {
        next += 1;
    }
    assert!(next > 5_000, "{next} events fit");
    assert_eq!(execute(&mut store, &Op::PushEvent(event(next))), Ok(Reply::Full));
    // Take off as many as fill two sectors; then there is room again.
    let mut first = 0;
    while first < 80 {
        let (batch, seqs) = head(&mut store).unwrap();
        assert_eq!(seqs[0], first);
        execute(
            &mut store,
            &Op::DropEvents {
                last: batch.last,
                count: batch.count,
            },
        )
        .unwrap();
        first = batch.last.seq + 1;
    }
    let mut more = 0;
    while more < 15 && execute(&mut store, &Op::PushEvent(event(next))) == Ok(Reply::Stored) {
        (next, more) = (next + 1, more + 1);
    }
    assert_eq!(more, 15);
    assert_eq!(load(&mut flash).unwrap().loaded.queued, next - first);
    let mut store = Store::new(&mut flash);
    assert_eq!(drain(&mut store), (first..next).collect::<Vec<_>>());
}

#[test]
fn dropping_is_harmless_when_repeated_and_never_takes_more_than_the_batch() {
    let mut flash = with_events(30);
    let mut store = Store::new(&mut flash);
    let (batch, _) = head(&mut store).unwrap();
    let op = Op::DropEvents {
        last: batch.last,
        count: batch.count,
    };
    execute(&mut store, &op).unwrap();
    let (second, seqs) = head(&mut store).unwrap();
    assert_eq!(seqs[0], batch.last.seq + 1);
    // Stopped by its last event although the count would allow more.
    execute(
        &mut store,
        &Op::DropEvents {
            last: EventId {
                boot: 1,
                seq: seqs[0],
            },
            count: 20,
        },
    )
    .unwrap();
    assert_eq!(head(&mut store).unwrap().1[0], seqs[0] + 1);
    assert!(second.count > 1);
    // Stopped by its count.
    execute(
        &mut store,
        &Op::DropEvents {
            last: EventId { boot: 9, seq: 0 },
            count: 1,
        },
    )
    .unwrap();
    assert_eq!(head(&mut store).unwrap().1[0], seqs[0] + 2);
}

fn put(place: usize, value: &[u8]) -> Op {
    Op::Put {
        key: Key::place(place).unwrap(),
        value: heapless::Vec::from_slice(value).unwrap(),
    }
}

#[test]
fn settings_are_read_back_replaced_and_removed() {
    let mut flash = blank();
    let mut store = Store::new(&mut flash);
    execute(&mut store, &put(3, b"three")).unwrap();
    execute(&mut store, &put(5, b"five")).unwrap();
    execute(&mut store, &put(3, b"THREE")).unwrap();
    execute(&mut store, &put(5, b"")).unwrap();
    let lease = Op::Put {
        key: Key::LEASE,
        value: heapless::Vec::from_slice(&[9; MAX_VALUE]).unwrap(),
    };
    execute(&mut store, &lease).unwrap();
    let settings = load(&mut flash).unwrap().settings;
    assert_eq!(
        settings,
        [
            (Key::place(3).unwrap(), b"THREE".to_vec()),
            (Key::LEASE, vec![9; MAX_VALUE])
        ]
    );
    assert_eq!(Key::LEASE.as_place(), None);
}

#[test]
fn a_setting_cut_anywhere_is_the_old_or_the_new_one_and_the_others_stay() {
    // Once around the whole partition, so that full sectors are being freed when the cut comes.
    let mut flash = blank();
    load(&mut flash).unwrap();
    let mut store = Store::new(&mut flash);
    let value = |place: usize, round: u32| {
        let mut value = vec![place as u8; 200 + place % 7];
        value[..4].copy_from_slice(&round.to_le_bytes());
        value
    };
    for round in 0..16 {
        for place in 0..40 {
            execute(&mut store, &put(place, &value(place, round))).unwrap();
        }
    }
    let ops: Vec<Op> = (0..24).map(|place| put(place, &value(place, 99))).collect();
    for torn in TORN {
        for change in 0.. {
            let mut flash = cut(&flash, change, torn);
            let done = execute_all(&mut Store::new(&mut flash), &ops);
            let whole = !flash.is_off();
            flash.restore();
            let Restart { loaded, settings, .. } = load(&mut flash).unwrap();
            assert!(loaded.alarms.is_empty(), "cut {change}");
            assert_eq!(loaded.boot, 2, "cut {change}");
            assert_eq!(settings.len(), 40, "cut {change}");
            for (key, stored) in settings {
                let place = key.as_place().unwrap();
                let (old, new) = (value(place, 15), value(place, 99));
                let fits = match place.cmp(&done) {
                    std::cmp::Ordering::Less => stored == new,
                    std::cmp::Ordering::Equal => stored == old || stored == new,
                    std::cmp::Ordering::Greater => stored == old,
                };
                assert!(fits, "cut {change}, place {place}, done {done}");
            }
            if whole {
                assert_eq!(done, ops.len());
                break;
            }
        }
    }
}

#[test]
fn the_number_of_starts_never_comes_twice_whatever_is_cut() {
    let mut flash = blank();
    let mut seen = Vec::new();
    for change in 0..60u64 {
        flash.cut_after(change % 12, TORN[(change % 2) as usize]);
        if let Ok(restart) = load(&mut flash) {
            seen.push(restart.loaded.boot);
        }
        flash.restore();
        seen.push(load(&mut flash).unwrap().loaded.boot);
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
}

#[test]
fn a_dead_memory_is_a_fault_not_a_panic() {
    let mut flash = with_site(&site(3, 1), 1);
    flash.cut_after(0, Torn::Unreadable);
    let mut store = Store::new(&mut flash);
    assert_eq!(execute(&mut store, &put(0, b"x")), Err(Fault::Flash));
    assert!(execute(&mut store, &Op::PushEvent(event(0))).is_err());
    assert!(execute(&mut store, &commit_ops(&site(3, 2), 2)[0]).is_err());
    assert!(
        execute(&mut store, &Op::Commit(committed(&site(3, 1), 2)))
            .is_ok_and(|reply| reply == Reply::Checked(false))
            || flash.is_off()
    );
}
