//! Who rings: the truth table of R19 to R21 in full, and an independent statement of the rules.

mod common;

use common::{key, number, office};
use shared::ring::{Call, Facts, Reason, To, ring};
use shared::site::{Called, Site};
use shared::{IdSet, TerminalKind};

/// One desk phone (0) and one app (2) in the group.
fn pair(app_ring: bool, fixed_ring: bool) -> Site {
    let mut site = office();
    let members: IdSet = [key(0), key(2)].into_iter().collect();
    site.reps[0].members = members;
    site.reps[0].ring = members;
    site.reps[0].ring.set(key(2), app_ring);
    site.reps[0].ring.set(key(0), fixed_ring);
    site.validate().unwrap();
    site
}

#[test]
fn truth_table_of_r19_to_r21() {
    // (logged in, app rings, fixed active, foreground) -> offered; None stands for either.
    let table = [
        (Some(false), None, None, None, false),
        (Some(true), Some(false), None, None, false),
        (Some(true), Some(true), Some(false), Some(false), true),
        (Some(true), Some(true), Some(false), Some(true), true),
        (Some(true), Some(true), Some(true), Some(true), true),
        (Some(true), Some(true), Some(true), Some(false), false),
    ];
    let called = number("0312340000");
    for bits in 0..64u32 {
        let bit = |place: u32| bits >> place & 1 != 0;
        let (logged_in, app_ring, foreground) = (bit(0), bit(1), bit(2));
        let (registered, fixed_ring, busy) = (bit(3), bit(4), bit(5));
        let fixed_active = registered && fixed_ring;
        let is = |wanted: Option<bool>, real: bool| wanted.is_none_or(|wanted| wanted == real);
        let rows: Vec<_> = table
            .iter()
            .filter(|(l, a, f, g, _)| {
                is(*l, logged_in) && is(*a, app_ring) && is(*f, fixed_active) && is(*g, foreground)
            })
            .collect();
        let [(.., expected)] = rows[..] else {
            panic!("the table has {} rows for {bits:#b}", rows.len())
        };

        let site = pair(app_ring, fixed_ring);
        let mut facts = Facts::default();
        facts.registered.set(key(0), registered);
        facts.busy.set(key(0), busy);
        facts.logged_in.set(key(2), logged_in);
        facts.foreground.set(key(2), foreground);
        let decision = ring(&site, called, &facts);
        assert_eq!(decision.offer.contains(key(2)), *expected, "{facts:?}");
        // P3: a fixed phone with ringing on is offered whenever it is registered. P4: nobody else.
        assert_eq!(decision.offer.contains(key(0)), fixed_active, "{facts:?}");
        assert!(!decision.offer.contains(key(1)));
        assert_eq!(decision.reason(key(1)), Some(Reason::NotMember));

        // R21 and P1: coming to the foreground while it rings only ever adds.
        let mut later = facts;
        later.foreground.insert(key(2));
        let joined = ring(&site, called, &later);
        assert_eq!(decision.offer.difference(joined.offer), IdSet::EMPTY);
        assert_eq!(joined.offer.contains(key(2)), logged_in && app_ring);
    }
}

#[test]
fn a_busy_desk_phone_frees_the_apps_only_where_the_site_says_so() {
    let mut site = pair(true, true);
    let mut facts = Facts {
        registered: IdSet::one(key(0)),
        busy: IdSet::one(key(0)),
        ..Facts::default()
    };
    facts.logged_in.insert(key(2));
    let called = number("0312340000");
    assert_eq!(
        ring(&site, called, &facts).reason(key(2)),
        Some(Reason::FixedFirst),
        "A18 as it is by default"
    );
    site.sys.busy_frees_apps = true;
    assert_eq!(
        ring(&site, called, &facts).reason(key(2)),
        Some(Reason::NoFixedRings)
    );
}

#[test]
fn a_direct_number_rings_its_own_terminal_alone() {
    let mut site = office();
    let everything = Facts {
        registered: site.all(),
        logged_in: site.all(),
        foreground: site.all(),
        ..Facts::default()
    };
    for index in 0..3 {
        let direct = site.id(key(index)).unwrap().direct;
        let decision = ring(&site, direct, &everything);
        assert_eq!(decision.called, Some(Called::Direct(key(index))));
        assert_eq!(decision.offer, IdSet::one(key(index)), "R8");
        assert!(ring(&site, direct, &Facts::default()).offer.is_empty(), "R20");
    }
    site.ids[1].direct_in = false;
    let direct = site.ids[1].direct;
    assert_eq!(
        ring(&site, direct, &everything).reason(key(1)),
        Some(Reason::DirectOff),
        "R25"
    );
    assert_eq!(
        ring(&site, Call::new(To::Extension(key(1))), &everything).offer,
        IdSet::one(key(1)),
        "R30"
    );
    assert!(
        ring(&site, number("0312340000"), &everything)
            .offer
            .contains(key(1)),
        "R25: the group still rings it"
    );
}

/// An app that registers at a box is one more telephone there, to the box and to the cloud.
#[test]
fn an_app_that_is_registered_is_logged_in() {
    let site = pair(true, true);
    let (app, fixed) = (key(2), key(0));
    let (both, none) = (site.all(), IdSet::EMPTY);
    let (group, direct) = (site.reps[0].number, site.ids[2].direct);
    // (registered, in the foreground, the group's reason for the app, its own number's)
    let table = [
        (both, none, Reason::FixedFirst, Reason::Own),
        (both, IdSet::one(app), Reason::Foreground, Reason::Own),
        (IdSet::one(app), none, Reason::NoFixedRings, Reason::Own),
        (IdSet::one(fixed), none, Reason::NotLoggedIn, Reason::NotLoggedIn),
        (
            IdSet::one(fixed),
            IdSet::one(app),
            Reason::Foreground,
            Reason::Own,
        ),
    ];
    for (registered, foreground, of_group, of_own) in table {
        let facts = Facts::of(registered, none, foreground);
        assert_eq!(
            ring(&site, group, &facts).reason(app),
            Some(of_group),
            "{facts:?}"
        );
        assert_eq!(ring(&site, direct, &facts).reason(app), Some(of_own), "{facts:?}");
        if foreground == none {
            assert_eq!(Facts::of_box(&site, registered, none), facts, "of one site");
        }
    }
}

#[test]
fn a_number_of_nobody_rings_nobody() {
    let site = office();
    let everything = Facts {
        registered: site.all(),
        logged_in: site.all(),
        ..Facts::default()
    };
    let decision = ring(&site, number("0399999999"), &everything);
    assert_eq!(
        (decision.called, decision.offer, decision.trace.len()),
        (None, IdSet::EMPTY, 0)
    );
}

/// The rules once more, written down the other way round.
fn expected(site: &Site, index: u16, facts: &Facts) -> bool {
    let (id, rep) = (site.id(key(index)).unwrap(), &site.reps[0]);
    let in_group = |k: u16| rep.members.contains(key(k)) && rep.ring.contains(key(k));
    let fixed_rings = |k: u16| {
        site.id(key(k)).unwrap().kind != TerminalKind::App && in_group(k) && facts.registered.contains(key(k))
    };
    if id.kind != TerminalKind::App {
        return fixed_rings(index);
    }
    let quiet = (0..site.ids.len() as u16).any(fixed_rings) && !facts.foreground.contains(key(index));
    in_group(index) && facts.logged_in.contains(key(index)) && !quiet
}

#[test]
fn every_decision_of_a_group_of_three_is_the_one_of_the_rules() {
    let called = number("0312340000");
    for combination in 0..27usize {
        let mut site = office();
        for (id, weight) in site.ids.iter_mut().zip([1, 3, 9]) {
            id.kind =
                [TerminalKind::App, TerminalKind::Fixed, TerminalKind::Adapter][combination / weight % 3];
        }
        for ring_bits in 0..8 {
            site.reps[0].ring = IdSet(ring_bits);
            for facts in 0..1u64 << 9 {
                let facts = Facts {
                    registered: IdSet(facts & 7),
                    logged_in: IdSet(facts >> 3 & 7),
                    foreground: IdSet(facts >> 6 & 7),
                    ..Facts::default()
                };
                let decision = ring(&site, called, &facts);
                for index in 0..3 {
                    let offered = decision.offer.contains(key(index));
                    assert_eq!(
                        offered,
                        expected(&site, index, &facts),
                        "ID {index}, ring {ring_bits:#b}, {facts:?}"
                    );
                    assert_eq!(offered, decision.reason(key(index)).unwrap().offered());
                }
                assert_eq!(decision.trace.len(), 3);
            }
        }
    }
}

#[test]
fn the_calling_terminal_does_not_ring_itself() {
    let site = pair(true, true);
    let mut facts = Facts {
        registered: IdSet::one(key(0)),
        logged_in: IdSet::one(key(2)),
        ..Facts::default()
    };
    let rep = Call {
        from: Some(key(0)),
        ..number("0312340000").into()
    };
    let decision = ring(&site, rep, &facts);
    assert_eq!(decision.reason(key(0)), Some(Reason::Caller));
    assert_eq!(
        decision.reason(key(2)),
        Some(Reason::NoFixedRings),
        "no desk phone rings, so it is not a reason for silence"
    );
    facts.registered.insert(key(1));
    let own = Call {
        from: Some(key(1)),
        ..Call::new(To::Extension(key(1)))
    };
    assert_eq!(ring(&site, own, &facts).offer, IdSet::EMPTY);
}

#[test]
fn a_group_over_several_sites_rings_from_each_side_what_it_can() {
    let site = office();
    let (called, all) = (number("0312340000"), site.all());
    let everything = Facts {
        registered: all,
        logged_in: all,
        ..Facts::default()
    };
    assert_eq!(
        ring(&site, called, &everything).offer,
        [key(0), key(1)].into_iter().collect()
    );
    for here in 0..8 {
        let facts = Facts {
            elsewhere: all.difference(IdSet(here)),
            ..everything
        };
        let decision = ring(&site, called, &facts);
        assert_eq!(decision.offer.difference(IdSet(here)), IdSet::EMPTY);
        for id in &site.ids {
            let other_site = decision.reason(id.key) == Some(Reason::OtherSite);
            assert_eq!(other_site, !IdSet(here).contains(id.key));
        }
        // What this side does not see does not keep the apps silent.
        let fixed_here = !IdSet(here & 3).is_empty();
        assert_eq!(decision.offer.contains(key(2)), here & 4 != 0 && !fixed_here);
    }
}

#[test]
fn a_call_back_rings_who_called_for_help_first() {
    let mut site = office();
    site.ids[1].direct_in = false;
    let facts = Facts {
        registered: IdSet(0b011),
        logged_in: IdSet(0b100),
        ..Facts::default()
    };
    for called in ["0312340000", "0312340001", "0312340002"].map(number) {
        for caller in (0..3).map(key) {
            let call = Call {
                back_to: Some(caller),
                ..called.into()
            };
            let decision = ring(&site, call, &facts);
            assert_eq!(decision.offer, IdSet::one(caller), "whatever is switched off");
            assert_eq!(decision.reason(caller), Some(Reason::CalledEmergency));
            for other in site.ids.iter().filter(|id| id.key != caller) {
                assert_eq!(decision.reason(other.key), Some(Reason::CallBackFirst));
            }
            // Not there, or at a site this side cannot ring: as usual.
            let mut gone = facts;
            match caller == key(2) {
                true => gone.logged_in.remove(caller),
                false => gone.elsewhere.insert(caller),
            }
            assert_eq!(ring(&site, call, &gone), ring(&site, called, &gone));
        }
    }
}

#[test]
fn every_reason_has_a_rule_and_a_sentence_of_its_own() {
    for (index, reason) in Reason::ALL.into_iter().enumerate() {
        assert!(!reason.rule().is_empty());
        assert!(reason.japanese().ends_with("ため") && reason.english().is_ascii());
        for other in &Reason::ALL[..index] {
            assert_ne!(reason, *other);
            assert_ne!(reason.japanese(), other.japanese());
            assert_ne!(reason.english(), other.english());
        }
    }
    let why = Reason::FixedFirst;
    assert_eq!(
        format!("{} ({})", why.japanese(), why.rule()),
        "バックグラウンドで、固定電話機が優先されるため (R19)"
    );
}
