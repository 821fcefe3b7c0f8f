//! Every interleaving of a ringing call with logins, foreground, busy phones, answers and hang-ups, by model checking: three
//! terminals, all facts at the start, every event at any time and any number of them.

mod common;

use common::{key, number, office};
use shared::ring::{Call, Facts, Ringing, To, ring};
use shared::{IdKey, IdSet, Site, SiteId, TerminalKind};
use stateright::{Checker, Model, Property};

const P1: &str = "P1: offers grow only by R21 and by logins";
const P2: &str = "P2: exactly one answer";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    /// A desk phone registers, an app's user logs in; or the reverse.
    Login(IdKey, bool),
    Foreground(IdKey, bool),
    Busy(IdKey, bool),
    Answer(IdKey),
    Cancel,
    /// The terminal that made an emergency call rang long enough alone.
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    facts: Facts,
    ringing: Ringing,
    /// Who was told that the call is theirs.
    connected: IdSet,
    cancelled: bool,
    /// The property that the last event broke.
    broken: Option<&'static str>,
}

#[derive(Clone)]
struct Office {
    site: Site,
    call: Call,
    elsewhere: IdSet,
}

impl Office {
    fn fixed(&self, key: IdKey) -> bool {
        self.site.id(key).unwrap().kind.is_fixed()
    }

    fn group(&self) -> IdSet {
        self.site.reps[0].ring
    }

    /// What holds from one state to the next: P1 and P2.
    fn broken(&self, before: &State, event: Event, after: &State) -> Option<&'static str> {
        let (old, now) = (before.ringing.offered(), after.ringing.offered());
        let new = now.difference(old);
        let apps: IdSet = (0..3).map(key).filter(|key| !self.fixed(*key)).collect();
        let may = match event {
            Event::GiveUp => self.group(),
            // The terminal that rings alone has left.
            Event::Login(_, false) if self.call.back_to.is_some() => self.group(),
            // The last desk phone has left.
            Event::Login(_, false) => apps,
            // Somebody comes; and a busy desk phone may have freed the apps meanwhile.
            Event::Login(key, true) | Event::Foreground(key, true) => {
                let freed = [IdSet::EMPTY, apps][usize::from(self.site.sys.busy_frees_apps)];
                IdSet::one(key).union(freed)
            }
            _ => IdSet::EMPTY,
        };
        // A8: nobody joins a call that is answered or gone.
        let over = !before.connected.is_empty() || before.cancelled;
        let grown = !new.is_empty() && (over || new.difference(may) != IdSet::EMPTY);
        if grown || old.difference(now) != IdSet::EMPTY {
            return Some(P1);
        }
        let expected = match event {
            Event::Answer(key) if !over && old.contains(key) => IdSet::one(key),
            _ => before.connected,
        };
        (after.connected != expected).then_some(P2)
    }

    fn logged_in(&self, facts: &Facts, key: IdKey) -> bool {
        match self.fixed(key) {
            true => facts.registered.contains(key),
            false => facts.logged_in.contains(key),
        }
    }
}

impl Model for Office {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        let mut states = Vec::new();
        for bits in 0..1u64 << 9 {
            let [login, foreground, busy] = [0, 3, 6].map(|at| IdSet(bits >> at & 7));
            let fixed: IdSet = (0..3).map(key).filter(|key| self.fixed(*key)).collect();
            if foreground.intersection(fixed) != IdSet::EMPTY {
                continue;
            }
            let facts = Facts {
                registered: login.intersection(fixed),
                logged_in: login.difference(fixed),
                foreground,
                busy,
                elsewhere: self.elsewhere,
            };
            let mut ringing = Ringing::new(self.call);
            ringing.ask(&self.site, &facts);
            states.push(State {
                facts,
                ringing,
                connected: IdSet::EMPTY,
                cancelled: false,
                broken: None,
            });
        }
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Event>) {
        for key in (0..3).map(key) {
            actions.push(Event::Login(key, !self.logged_in(&state.facts, key)));
            actions.push(Event::Busy(key, !state.facts.busy.contains(key)));
            if !self.fixed(key) {
                actions.push(Event::Foreground(key, !state.facts.foreground.contains(key)));
            }
            // Also of phones that do not ring, or not any more: their answers may be on the way.
            actions.push(Event::Answer(key));
        }
        actions.push(Event::Cancel);
        if state.ringing.is_call_back() {
            actions.push(Event::GiveUp);
        }
    }

    fn next_state(&self, before: &State, event: Event) -> Option<State> {
        let mut state = *before;
        let facts = &mut state.facts;
        let asks = match event {
            Event::Login(key, is) => {
                match self.fixed(key) {
                    true => facts.registered.set(key, is),
                    false => facts.logged_in.set(key, is),
                }
                true
            }
            Event::Foreground(key, is) => {
                facts.foreground.set(key, is);
                is
            }
            Event::Busy(key, is) => {
                facts.busy.set(key, is);
                false
            }
            Event::Answer(key) => {
                if state.ringing.answer(key) {
                    state.connected.insert(key);
                }
                false
            }
            Event::Cancel => {
                state.ringing.end();
                state.cancelled = true;
                false
            }
            Event::GiveUp => {
                state.ringing.give_up_call_back();
                true
            }
        };
        if asks {
            let new = state.ringing.ask(&self.site, &state.facts);
            assert_eq!(new, state.ringing.offered().difference(before.ringing.offered()));
        }
        state.broken = self.broken(before, event, &state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(P1, |_: &Self, state: &State| state.broken != Some(P1)),
            Property::always(P2, |_: &Self, state: &State| state.broken != Some(P2)),
            Property::always(
                "P3: a desk phone with ringing on rings",
                |model: &Self, state: &State| {
                    let first = model.call.back_to.is_some();
                    let over = state.cancelled || !state.connected.is_empty();
                    over || first
                        || (0..3).map(key).all(|key| {
                            let rings = model.fixed(key)
                                && model.group().contains(key)
                                && state.facts.registered.contains(key)
                                && !state.facts.elsewhere.contains(key);
                            !rings || state.ringing.offered().contains(key)
                        })
                },
            ),
            Property::always("P4: nobody outside the group", |model: &Self, state: &State| {
                let may = model
                    .group()
                    .union(model.call.back_to.map_or(IdSet::EMPTY, IdSet::one));
                let all = state.ringing.offered().union(state.connected);
                all.difference(may).union(all.intersection(model.elsewhere)) == IdSet::EMPTY
            }),
            Property::always(
                "P5: every side decides the same",
                |model: &Self, state: &State| {
                    let mut other = model.site.clone();
                    other.sys.site = SiteId(2);
                    let decide = |site| ring(site, model.call, &state.facts);
                    decide(&model.site) == decide(&other)
                },
            ),
            Property::sometimes("somebody answers", |_: &Self, state: &State| {
                !state.connected.is_empty()
            }),
            Property::sometimes("the caller gives up", |_: &Self, state: &State| state.cancelled),
        ]
    }
}

fn offices() -> Vec<Office> {
    use TerminalKind::{Adapter, App, Fixed};
    let mut offices = Vec::new();
    for kinds in [
        [Fixed, App, App],
        [Fixed, Adapter, App],
        [App, App, App],
        [Fixed, Fixed, Fixed],
    ] {
        for (members, rings, elsewhere) in [(7, 7, 0), (6, 6, 0), (7, 5, 0), (7, 7, 1), (7, 7, 4)] {
            for busy_frees_apps in [false, true] {
                for back_to in [None, Some(key(0)), Some(key(2))] {
                    let mut site = office();
                    for (id, kind) in site.ids.iter_mut().zip(kinds) {
                        id.kind = kind;
                    }
                    site.reps[0].members = IdSet(members);
                    site.reps[0].ring = IdSet(rings);
                    site.sys.busy_frees_apps = busy_frees_apps;
                    site.validate().unwrap();
                    offices.push(Office {
                        site,
                        call: Call {
                            back_to,
                            ..Call::new(To::Number(number("0312340000")))
                        },
                        elsewhere: IdSet(elsewhere),
                    });
                }
            }
        }
    }
    offices
}

#[test]
fn no_interleaving_breaks_the_rules_of_ringing() {
    let mut states = 0;
    for office in offices() {
        let checker = office.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        states += checker.unique_state_count();
    }
    assert!(states > 900_000, "{states}");
    println!("{states} states");
}

#[test]
fn an_app_joins_the_ringing_and_answers() {
    let [office, ..] = &offices()[..] else {
        unreachable!()
    };
    let (phone, app) = (key(0), key(1));
    let mut facts = Facts {
        registered: IdSet::one(phone),
        logged_in: IdSet::one(app),
        ..Facts::default()
    };
    let mut ringing = Ringing::new(office.call);
    assert_eq!(ringing.ask(&office.site, &facts), IdSet::one(phone));
    facts.foreground.insert(app);
    assert_eq!(ringing.ask(&office.site, &facts), IdSet::one(app), "R21");
    assert!(ringing.answer(app));
    assert!(!ringing.answer(phone), "answered elsewhere");
    facts.logged_in.insert(key(2));
    facts.foreground.insert(key(2));
    assert_eq!(ringing.ask(&office.site, &facts), IdSet::EMPTY, "A8");
}
