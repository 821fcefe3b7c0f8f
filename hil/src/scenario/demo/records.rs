//! The call records in the cloud, against what was done up to step 8.

use crate::scenario::stage::same;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub fn on_both_sides(call: &Value) -> bool {
    call["box_legs"].as_i64() > Some(0) && call["cloud_legs"].as_i64() > Some(0)
}

fn answered(call: &Value) -> bool {
    let legs = call["detail"].as_array();
    legs.is_some_and(|legs| legs.iter().any(|leg| leg["answered_ms"].is_i64()))
}

/// Who wrote a record, in which start; its number there.
type Identity = (String, u64, u64);

/// Checks the records against what was done.
pub fn complete(calls: &[Value]) -> Result<()> {
    let (mut sessions, mut legs) = (BTreeSet::new(), BTreeSet::new());
    let mut events: BTreeMap<Identity, i64> = BTreeMap::new();
    for call in calls {
        let session = call["session"].as_str().context("a call without session")?;
        ensure!(sessions.insert(session), "session {session} twice");
        for leg in call["detail"].as_array().context("a call without legs")? {
            let (Some(origin), Some(boot), Some(seq)) =
                (leg["origin"].as_str(), leg["boot"].as_u64(), leg["seq"].as_u64())
            else {
                bail!("a leg without identity: {leg}");
            };
            let ended = call["ended"].as_i64().context("a call without end")?;
            ensure!(
                events.insert((origin.into(), boot, seq), ended).is_none(),
                "{origin} {boot} {seq} twice"
            );
            ensure!(
                legs.insert((session, leg["side"].as_str(), leg["leg"].as_u64())),
                "twice: {leg}"
            );
        }
    }
    let in_order = events
        .iter()
        .zip(events.iter().skip(1))
        .all(|((before, ended), (after, later))| {
            // Both sides tell the end of a call a little differently.
            before.0 != after.0 || before.1 != after.1 || *later > ended - 1000
        });
    ensure!(in_order, "not in order: {events:?}");
    let count = |what: &str, expected: usize, which: &dyn Fn(&Value) -> bool| {
        same(what, calls.iter().filter(|call| which(call)).count(), expected)
    };
    let (on_box, on_cloud) = (|c: &Value| c["box_legs"] != 0, |c: &Value| c["cloud_legs"] != 0);
    // Two with the line up, two with it cut, one after the power cut.
    count("answered calls inside", 5, &|call| {
        on_box(call) && !on_cloud(call) && answered(call)
    })?;
    // B, A to outside, C when the line was cut, B at the end.
    count("answered calls with the outside", 4, &|call| {
        on_box(call) && on_cloud(call) && answered(call)
    })?;
    // Three on three channels, one without C, one when the line was cut.
    count("calls that only rang", 5, &|call| {
        on_box(call) && on_cloud(call) && !answered(call)
    })?;
    count("calls refused by the cloud", 1, &|call| {
        !on_box(call) && !answered(call)
    })?;
    count("calls to outside with the line cut", 1, &|call| {
        !on_cloud(call) && !answered(call)
    })
}
