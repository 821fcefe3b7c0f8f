//! Events and settings in flash and the power cut: at every single word, nothing that was acknowledged is lost.

mod common;

use common::flash::*;
use common::{commit_ops, committed, site};
use gateway::store::map::SETTINGS;
use gateway::store::ram::Torn;
use gateway::store::{Batch, Fault, Key, MAX_VALUE, Op, Reply, Store};
use shared::hub::{Mac, Phone, PhoneModel};
use shared::record::Stamp;
use shared::sync::{BatchReader, Event, EventBody, EventId, MAX_EVENT, Message, PanicNote};

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

/// Lost settings: before the start has its number, every claim of the site is written down as spent, whenever the power goes.
#[test]
fn lost_settings_are_known_to_be_lost_at_every_cut() {
    let mut site = site(3, 1);
    for (id, claim) in site.ids.iter_mut().zip(1..) {
        id.kind = PhoneModel::Gxp1628.kind();
        id.phone = Some(Phone {
            mac: Mac([0, 0x0b, 0x82, 0, 0, claim as u8]),
            model: PhoneModel::Gxp1628,
            line: 1,
            port: None,
            claim,
        });
    }
    site.validate().unwrap();
    let keys: Vec<Key> = site.ids.iter().map(|id| Key::phone(id.key)).collect();
    let mut lost = with_site(&site, 1);
    lost.bytes_mut()[SETTINGS.start as usize..SETTINGS.end() as usize].fill(0x5A);
    for torn in TORN {
        for change in 0.. {
            let mut flash = cut(&lost, change, torn);
            let _ = load(&mut flash);
            let is_whole = !flash.is_off();
            flash.restore();
            let restart = load(&mut flash).unwrap();
            let has = |key: &Key| restart.settings.iter().any(|(other, _)| other == key);
            assert!(
                keys.iter().all(has),
                "{torn:?}, cut {change}: {:?}",
                restart.settings
            );
            if is_whole {
                break;
            }
        }
    }
}
