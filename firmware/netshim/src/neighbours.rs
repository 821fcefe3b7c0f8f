//! Who is where: a table of IPv4 and MAC addresses and ports of the switch, with active, parallel resolution.
//!
//! smoltcp asks for one address a second for the whole interface (smoltcp#1101) and lets a datagram for a host that does
//! not answer block its socket for ever (smoltcp#594). Here every host is asked for on its own, three times at 250 ms,
//! and then given up; a host that we talk to is asked again before its entry grows old.

use crate::Net;
use crate::ethernet::{Mac, is_unicast};
use core::net::Ipv4Addr;
use core::num::NonZeroU64;
use heapless::Vec;

/// Between two questions, ms.
pub const ASK_EVERY: u64 = 250;
/// Questions before a host is given up.
pub const ASK_TIMES: u8 = 3;
/// A host on a working segment answers the first question within this time, ms.
pub const HOPE: u64 = 20;
/// How long a host given up is not asked for again, ms.
pub const SILENT_FOR: u64 = 1_000;
/// A packet for a host not heard for so long is sent, and the host asked for at the same time, ms.
pub const STALE_AFTER: u64 = 15_000;
/// A host that we talk to is asked for again when not heard for so long, ms.
pub const REFRESH_AFTER: u64 = 45_000;
/// How long a host is in doubt after somebody else spoke in its name, and how long the one known must have been silent before
/// another is taken for it, ms. Longer than anything heard waits to be read, shorter than a phone takes to start elsewhere.
pub const DOUBT: u64 = 3_000;
/// How long after our last packet we still refresh, ms: two registration periods of a phone.
pub const KEEP_FOR: u64 = 2 * 3_600_000;

/// A host of one of our networks.
pub type Host = (Net, Ipv4Addr);

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Its MAC address.
    pub mac: Mac,
    /// The port of the switch it is at, from 0; `None`: there is no switch.
    pub port: Option<u8>,
}

/// What to do with a packet for a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Send it there.
    Send(Mac),
    /// Hold it; somebody is to be asked, see [`Neighbours::due`].
    Hold,
    /// Drop it: the host does not answer.
    Silent,
    /// Drop it: the table is full of hosts being asked for.
    Full,
}

/// What the clock asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Ask who has this address.
    Ask(Host),
    /// Nobody answered: what is held for this host goes.
    GaveUp(Host),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Rest,
    Asking {
        asked: u8,
        next: u64,
    },
    Silent {
        until: u64,
    },
    /// Somebody with another MAC address or at another port spoke in its name.
    Disputed {
        ask: bool,
        until: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    host: Host,
    mac: Option<Mac>,
    port: Option<u8>,
    phase: Phase,
    /// When the station known was heard last.
    heard: u64,
    /// Last packet of ours; none yet: never refreshed.
    used: Option<NonZeroU64>,
}

impl Entry {
    /// A frame in its name came from this station. `is_arp`: it may bring another MAC address.
    /// `true`: the address is another one now.
    fn hear(&mut self, now: u64, from: Station, is_arp: bool) -> bool {
        let same_mac = self.mac == Some(from.mac);
        if self.mac.is_some() && !(same_mac && self.port == from.port) {
            let is_silent = now >= self.heard + DOUBT;
            if !is_silent || !(same_mac || is_arp) {
                // Whoever is still there need not be asked.
                self.phase = Phase::Disputed {
                    ask: is_silent,
                    until: now + DOUBT,
                };
                return false;
            }
        }
        self.mac = Some(from.mac);
        self.port = from.port;
        self.heard = now;
        // What was said before in its name may not have been read yet.
        if !matches!(self.phase, Phase::Disputed { .. }) {
            self.phase = Phase::Rest;
        }
        !same_mac
    }
}

/// The table; `N` hosts, a multiple of the phones of an office.
pub struct Neighbours<const N: usize> {
    entries: Vec<Entry, N>,
}

impl<const N: usize> Default for Neighbours<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Neighbours<N> {
    /// Nobody known.
    pub const fn new() -> Self {
        Neighbours { entries: Vec::new() }
    }

    /// Forgets everybody: another network.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entry of `host`, made if need be in the place of the one least needed.
    fn make(&mut self, now: u64, host: Host) -> Option<&mut Entry> {
        if let Some(at) = self.entries.iter().position(|entry| entry.host == host) {
            return self.entries.get_mut(at);
        }
        let entry = Entry {
            host,
            mac: None,
            port: None,
            phase: Phase::Rest,
            heard: now,
            used: None,
        };
        if self.entries.push(entry).is_err() {
            // Strangers who only spoke go before those to whom we speak; a host being asked for stays.
            let (at, _) = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| !matches!(entry.phase, Phase::Asking { .. }))
                .min_by_key(|(_, entry)| (entry.used, entry.heard))?;
            *self.entries.get_mut(at)? = entry;
            return self.entries.get_mut(at);
        }
        self.entries.last_mut()
    }

    /// Where does a packet for `host` go?
    pub fn route(&mut self, now: u64, host: Host) -> Route {
        let Some(entry) = self.make(now, host) else {
            return Route::Full;
        };
        entry.used = NonZeroU64::new(now);
        match (entry.phase, entry.mac) {
            (Phase::Silent { until }, _) if now < until => Route::Silent,
            (Phase::Asking { .. }, None) => Route::Hold,
            (Phase::Asking { .. }, Some(mac)) => Route::Send(mac),
            (_, Some(mac)) => {
                if entry.phase == Phase::Rest && now >= entry.heard + STALE_AFTER {
                    entry.phase = Phase::Asking { asked: 0, next: now };
                }
                Route::Send(mac)
            }
            (_, None) => {
                entry.phase = Phase::Asking { asked: 0, next: now };
                Route::Hold
            }
        }
    }

    /// Who and where a host is, if that is known beyond doubt.
    pub fn who(&self, host: Host) -> Option<Station> {
        let entry = self.entries.iter().find(|entry| entry.host == host)?;
        if matches!(entry.phase, Phase::Disputed { .. }) {
            return None;
        }
        Some(Station {
            mac: entry.mac?,
            port: entry.port,
        })
    }

    /// The MAC address that packets for a host go to, if it is known.
    pub fn lookup(&self, host: Host) -> Option<Mac> {
        self.entries.iter().find(|entry| entry.host == host)?.mac
    }

    /// An ARP packet came from `host`. `wanted`: it was for us, so a host not yet known is worth an entry.
    /// `true`: its MAC address is known now and was not before.
    pub fn heard_arp(&mut self, now: u64, host: Host, from: Station, wanted: bool) -> bool {
        self.heard(now, host, from, wanted, true)
    }

    /// An IP packet came from `host`, `wanted` if it was for us. Such a packet may introduce a host or confirm it, but not give
    /// it another MAC address: then the host is asked for. `true`: its MAC address is known now and was not before.
    pub fn heard_ip(&mut self, now: u64, host: Host, from: Station, wanted: bool) -> bool {
        self.heard(now, host, from, wanted, false)
    }

    fn heard(&mut self, now: u64, host: Host, from: Station, wanted: bool, is_arp: bool) -> bool {
        let known = wanted || self.entries.iter().any(|entry| entry.host == host);
        if !known || !is_unicast(from.mac) {
            return false;
        }
        self.make(now, host)
            .is_some_and(|entry| entry.hear(now, from, is_arp))
    }

    /// Until when a host asked for just now may still be expected to answer, ms; `None`: no such host.
    pub fn hopeful_until(&self, now: u64) -> Option<u64> {
        self.entries
            .iter()
            .filter_map(|entry| match (entry.phase, entry.mac) {
                (Phase::Asking { asked: 0, next }, None) => Some(next + HOPE),
                (Phase::Asking { asked: 1, next }, None) => Some(next - ASK_EVERY + HOPE),
                _ => None,
            })
            .max()
            .filter(|until| now < *until)
    }

    /// One thing that is due at `now`; call until `None`.
    pub fn due(&mut self, now: u64) -> Option<Due> {
        for entry in &mut self.entries {
            match entry.phase {
                Phase::Asking { asked, next } if now >= next => {
                    if asked < ASK_TIMES {
                        entry.phase = Phase::Asking {
                            asked: asked + 1,
                            next: now + ASK_EVERY,
                        };
                        return Some(Due::Ask(entry.host));
                    }
                    entry.mac = None;
                    entry.phase = Phase::Silent {
                        until: now + SILENT_FOR,
                    };
                    return Some(Due::GaveUp(entry.host));
                }
                Phase::Disputed { ask: true, until } => {
                    entry.phase = Phase::Disputed { ask: false, until };
                    return Some(Due::Ask(entry.host));
                }
                Phase::Disputed { until, .. } if now >= until => {
                    if entry.heard + DOUBT >= until {
                        entry.phase = Phase::Rest;
                        continue;
                    }
                    // Nobody has answered.
                    entry.phase = Phase::Asking {
                        asked: 1,
                        next: now + ASK_EVERY,
                    };
                    return Some(Due::Ask(entry.host));
                }
                Phase::Rest if Self::refresh_at(entry).is_some_and(|at| now >= at) => {
                    entry.phase = Phase::Asking {
                        asked: 1,
                        next: now + ASK_EVERY,
                    };
                    return Some(Due::Ask(entry.host));
                }
                _ => {}
            }
        }
        None
    }

    /// When [`Neighbours::due`] has something next.
    pub fn next_deadline(&self) -> Option<u64> {
        self.entries
            .iter()
            .filter_map(|entry| match entry.phase {
                Phase::Asking { next, .. } => Some(next),
                Phase::Rest => Self::refresh_at(entry),
                Phase::Silent { .. } => None,
                Phase::Disputed { ask: true, until } => Some(until.saturating_sub(DOUBT)),
                Phase::Disputed { until, .. } => Some(until),
            })
            .min()
    }

    fn refresh_at(entry: &Entry) -> Option<u64> {
        let at = entry.heard + REFRESH_AFTER;
        entry.mac?;
        entry.used.filter(|used| at < used.get() + KEEP_FOR).map(|_| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> Host {
        (Net::Office, Ipv4Addr::new(192, 168, 50, n))
    }

    fn mac(n: u8) -> Mac {
        [2, 0, 0, 0, 0, n]
    }

    fn at(n: u8, port: u8) -> Station {
        Station {
            mac: mac(n),
            port: Some(port),
        }
    }

    fn somewhere(n: u8) -> Station {
        Station {
            mac: mac(n),
            port: None,
        }
    }

    /// What is heard in one host's name, from which MAC address at which port.
    enum Heard {
        Ip(u8, u8),
        /// Not for us: a broadcast.
        Aside(u8, u8),
        Arp(u8, u8),
        Nothing,
    }
    use Heard::*;

    /// A time, what is heard then, and which MAC address at which port is believed to be the host.
    type Row = (u64, Heard, Option<(u8, u8)>);

    fn believes(rows: &[Row]) -> Neighbours<4> {
        let mut table = Neighbours::<4>::new();
        for (now, heard, expected) in rows {
            while table.due(*now).is_some() {}
            match *heard {
                Ip(mac, port) => table.heard_ip(*now, ip(1), at(mac, port), true),
                Aside(mac, port) => table.heard_ip(*now, ip(1), at(mac, port), false),
                Arp(mac, port) => table.heard_arp(*now, ip(1), at(mac, port), true),
                Nothing => false,
            };
            let expected = expected.map(|(mac, port)| at(mac, port));
            assert_eq!(table.who(ip(1)), expected, "at {now}");
        }
        table
    }

    #[test]
    fn a_host_that_moves_is_at_its_new_port_and_one_that_is_at_two_at_none() {
        let table = believes(&[
            (0, Nothing, None),
            (0, Ip(1, 2), Some((1, 2))),
            (500, Ip(1, 2), Some((1, 2))),
            // Another one speaks in its name, and the true one goes on: nobody is believed.
            (600, Ip(1, 3), None),
            (700, Ip(1, 2), None),
            (2_600, Ip(1, 2), None),
            // Nobody but the true one for as long as it takes, however much it says.
            (3_599, Ip(1, 2), None),
            (3_600, Ip(1, 2), Some((1, 2))),
            // Plugged in elsewhere.
            (9_000, Ip(1, 3), Some((1, 3))),
        ]);
        assert_eq!(table.lookup(ip(1)), Some(mac(1)));
    }

    #[test]
    fn without_a_switch_there_are_no_ports() {
        let mut table = Neighbours::<4>::new();
        table.heard_ip(0, ip(1), somewhere(1), true);
        table.heard_arp(1, ip(1), somewhere(1), true);
        assert_eq!(table.who(ip(1)), Some(somewhere(1)));
        table.heard_ip(2, ip(1), somewhere(9), true);
        assert_eq!(table.who(ip(1)), None);
    }

    #[test]
    fn what_a_stranger_says_in_a_hosts_name_is_nobodys() {
        // At another port, at the same one (another switch is behind it), in a broadcast; talking IP, or ARP to take its place.
        for heard in [
            || Ip(9, 3),
            || Ip(9, 2),
            || Aside(9, 3),
            || Arp(9, 3),
            || Arp(9, 2),
        ] {
            let table = believes(&[
                (0, Ip(1, 2), Some((1, 2))),
                (2_999, heard(), None),
                // The true one answers at once, but what the stranger said may not be read yet.
                (3_000, Arp(1, 2), None),
                (4_000, heard(), None),
                (5_000, Ip(1, 2), None),
                (6_999, Nothing, None),
                (7_000, Nothing, Some((1, 2))),
            ]);
            assert_eq!(table.lookup(ip(1)), Some(mac(1)), "packets go where they went");
        }
    }

    #[test]
    fn a_stranger_does_not_become_one_of_us_by_a_host_that_is_silent() {
        believes(&[
            (0, Ip(1, 2), Some((1, 2))),
            // As long as nobody has asked, a packet is nobody's, however long the host was silent.
            (60_000, Ip(9, 3), None),
            // The host is provoked to speak.
            (60_001, Aside(1, 2), None),
            (63_000, Nothing, Some((1, 2))),
        ]);
    }

    #[test]
    fn an_address_given_to_another_host_is_that_ones() {
        // As a host does it: it asks for us before it sends.
        believes(&[
            (0, Ip(1, 2), Some((1, 2))),
            (3_000, Arp(9, 3), Some((9, 3))),
            (3_001, Ip(9, 3), Some((9, 3))),
            // The former one is not gone after all.
            (3_002, Ip(1, 2), None),
        ]);
        // It knew us already: it is asked for, once a frame, and its answer counts.
        let mut table = believes(&[(0, Ip(1, 2), Some((1, 2))), (60_000, Ip(9, 3), None)]);
        assert_eq!(table.next_deadline(), Some(60_000));
        assert_eq!(table.due(60_000), Some(Due::Ask(ip(1))));
        assert_eq!(table.due(60_000), None);
        assert!(table.heard_arp(60_001, ip(1), at(9, 3), true));
        assert_eq!((table.lookup(ip(1)), table.who(ip(1))), (Some(mac(9)), None));
        table.heard_ip(60_002, ip(1), at(9, 3), true);
        assert_eq!(table.next_deadline(), Some(60_000 + DOUBT));
        assert_eq!(table.due(60_000 + DOUBT), None);
        assert_eq!(table.who(ip(1)), Some(at(9, 3)));
    }

    #[test]
    fn a_host_in_doubt_that_answers_nobody_is_given_up() {
        let mut table = believes(&[(0, Ip(1, 2), Some((1, 2))), (60_000, Ip(9, 3), None)]);
        assert_eq!(
            table.route(60_000, ip(1)),
            Route::Send(mac(1)),
            "nor is it moved by a packet of ours"
        );
        assert_eq!(table.who(ip(1)), None);
        assert_eq!(table.due(60_000), Some(Due::Ask(ip(1))));
        let end = 60_000 + DOUBT;
        for now in [end, end + ASK_EVERY, end + 2 * ASK_EVERY] {
            assert_eq!(table.due(now), Some(Due::Ask(ip(1))));
        }
        assert_eq!(table.due(end + 3 * ASK_EVERY), Some(Due::GaveUp(ip(1))));
        assert_eq!(table.who(ip(1)), None);
    }

    #[test]
    fn what_is_not_for_us_introduces_nobody() {
        believes(&[(0, Aside(1, 2), None), (1, Ip(1, 2), Some((1, 2)))]);
    }

    #[test]
    fn the_same_address_in_another_network_is_another_host() {
        let mut table = Neighbours::<4>::new();
        table.heard_ip(0, ip(1), somewhere(1), true);
        assert_eq!(table.lookup((Net::Voice, ip(1).1)), None);
        table.heard_ip(0, (Net::Voice, ip(1).1), somewhere(2), true);
        assert_eq!(table.lookup(ip(1)), Some(mac(1)));
    }

    #[test]
    fn a_host_is_asked_for_three_times_and_given_up() {
        let mut table = Neighbours::<4>::new();
        assert_eq!(table.route(0, ip(1)), Route::Hold);
        for (now, due) in [
            (0, Some(Due::Ask(ip(1)))),
            (0, None),
            (249, None),
            (250, Some(Due::Ask(ip(1)))),
            (500, Some(Due::Ask(ip(1)))),
            (749, None),
            (750, Some(Due::GaveUp(ip(1)))),
            (751, None),
        ] {
            assert_eq!(table.due(now), due, "at {now}");
        }
        assert_eq!(table.route(1_749, ip(1)), Route::Silent);
        assert_eq!(table.route(1_750, ip(1)), Route::Hold);
        assert_eq!(table.due(1_750), Some(Due::Ask(ip(1))));
    }

    #[test]
    fn hope_ends_with_the_answer_and_with_time() {
        let mut table = Neighbours::<4>::new();
        assert_eq!(table.hopeful_until(0), None);
        table.route(100, ip(1));
        assert_eq!(table.hopeful_until(100), Some(100 + HOPE));
        table.due(100);
        assert_eq!(table.hopeful_until(100 + HOPE - 1), Some(100 + HOPE));
        assert_eq!(table.hopeful_until(100 + HOPE), None);
        table.route(200, ip(2));
        table.heard_arp(201, ip(2), somewhere(2), true);
        assert_eq!(table.hopeful_until(201), None);
    }

    #[test]
    fn an_answer_ends_the_questions() {
        let mut table = Neighbours::<4>::new();
        table.route(0, ip(1));
        table.due(0);
        assert!(table.heard_arp(3, ip(1), somewhere(1), true));
        assert_eq!(table.route(3, ip(1)), Route::Send(mac(1)));
        assert_eq!(table.due(1_000), None);
    }

    #[test]
    fn a_host_that_died_is_noticed_at_the_next_packet() {
        let mut table = Neighbours::<4>::new();
        table.heard_ip(0, ip(1), somewhere(1), true);
        assert_eq!(
            table.route(STALE_AFTER, ip(1)),
            Route::Send(mac(1)),
            "the packet does not wait"
        );
        for n in 0..3 {
            assert_eq!(table.due(STALE_AFTER + n * ASK_EVERY), Some(Due::Ask(ip(1))));
        }
        assert_eq!(table.due(STALE_AFTER + 3 * ASK_EVERY), Some(Due::GaveUp(ip(1))));
    }

    #[test]
    fn hosts_we_talk_to_are_refreshed_and_strangers_are_not() {
        let mut table = Neighbours::<4>::new();
        table.heard_ip(0, ip(1), somewhere(1), true);
        table.heard_ip(0, ip(2), somewhere(2), true);
        table.route(1, ip(1));
        assert_eq!(table.next_deadline(), Some(REFRESH_AFTER));
        assert_eq!(table.due(REFRESH_AFTER), Some(Due::Ask(ip(1))));
        assert_eq!(table.due(REFRESH_AFTER), None);
        table.heard_arp(REFRESH_AFTER + 1, ip(1), somewhere(1), true);
        assert_eq!(table.next_deadline(), Some(2 * REFRESH_AFTER + 1));
        // An hour later nobody has sent anything: the refreshing ends two hours after the last packet.
        let mut now = REFRESH_AFTER + 1;
        while let Some(next) = table.next_deadline() {
            now = next;
            assert_eq!(table.due(now), Some(Due::Ask(ip(1))));
            table.heard_arp(now, ip(1), somewhere(1), true);
        }
        assert!(now < KEEP_FOR + 1 && now > KEEP_FOR - 2 * REFRESH_AFTER, "{now}");
    }

    #[test]
    fn a_packet_does_not_move_a_host_but_an_answer_does() {
        let mut table = Neighbours::<4>::new();
        table.heard_ip(0, ip(1), somewhere(1), true);
        assert!(!table.heard_ip(DOUBT, ip(1), somewhere(9), true));
        assert_eq!(table.lookup(ip(1)), Some(mac(1)));
        assert_eq!(table.due(DOUBT), Some(Due::Ask(ip(1))));
        table.heard_arp(DOUBT, ip(1), somewhere(9), true);
        assert_eq!(table.lookup(ip(1)), Some(mac(9)));
    }

    #[test]
    fn a_full_table_gives_up_strangers_first_and_nobody_being_asked_for() {
        let mut table = Neighbours::<2>::new();
        table.heard_ip(0, ip(1), somewhere(1), true);
        table.route(5, ip(1));
        table.heard_ip(9, ip(2), somewhere(2), true);
        assert_eq!(table.route(10, ip(3)), Route::Hold);
        assert_eq!((table.lookup(ip(1)), table.lookup(ip(2))), (Some(mac(1)), None));
        assert_eq!(table.route(11, ip(4)), Route::Hold);
        assert_eq!(table.route(12, ip(5)), Route::Full);
    }

    #[test]
    fn group_addresses_and_unasked_talk_teach_nothing() {
        let mut table = Neighbours::<2>::new();
        let group = |mac| Station { mac, port: None };
        assert!(!table.heard_ip(0, ip(1), group([0xFF; 6]), true));
        assert!(!table.heard_arp(0, ip(1), group([1, 0, 0, 0, 0, 0]), true));
        assert!(!table.heard_arp(0, ip(1), somewhere(1), false));
        assert_eq!(table.lookup(ip(1)), None);
    }
}
