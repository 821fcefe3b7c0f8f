//! The figures for Prometheus, on HTTP.

use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use gateway::Gateway;
use gateway::link::Mode;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::driver::{Event, Events, Lost};
use crate::streams;

/// Prometheus' text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers `GET /metrics`.
pub async fn serve(address: SocketAddr, events: Events) -> Result<()> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("metrics {address}"))?;
    let metrics = async move || {
        let (ask, answer) = oneshot::channel();
        let asked = events.send(Event::Metrics(ask)).await;
        match (asked, answer.await) {
            (Ok(()), Ok(text)) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
            _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    };
    let router = Router::new().route("/metrics", get(metrics));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Where the figures are.
pub struct Figures<'a> {
    /// The brain.
    pub gateway: &'a Gateway<'static>,
    /// Phones' connections.
    pub streams: streams::Counters,
    /// How many are open.
    pub open: usize,
    /// What was lost on the way out.
    pub lost: Lost,
}

impl Figures<'_> {
    /// As Prometheus reads them.
    pub fn text(&self) -> String {
        let mut text = Text(String::with_capacity(8 * 1_024));
        let gateway = self.gateway;
        let (calls, legs, transactions) = gateway.usage();
        text.gauge(
            "calls",
            "Calls in memory, those that say good-bye included",
            calls,
        );
        text.gauge("legs", "Legs of calls in memory", legs);
        text.gauge("transactions", "Transactions in memory", transactions);
        text.gauge(
            "bindings",
            "Phones that are registered and can be reached",
            gateway.bindings(),
        );
        text.gauge(
            "ids_registered",
            "IDs with such a phone",
            gateway.registered().count(),
        );
        text.gauge("connections", "Connections of phones", self.open);
        text.gauge(
            "line_up",
            "Calls over the line to the cloud are tried",
            usize::from(gateway.link().mode() != Mode::Down),
        );
        text.gauge(
            "events_queued",
            "Events that wait for the cloud",
            gateway.queued() as usize,
        );

        let brain = gateway.counters();
        let calls = gateway.call_counters();
        let transactions = gateway.transaction_counters();
        let registrar = gateway.registrar_counters();
        let trunk = gateway.trunk_counters();
        let uplink = gateway.uplink_counters();
        let (streams, lost) = (self.streams, self.lost);
        let counters: [(&str, &str, u64); 38] = [
            (
                "messages_unreadable",
                "Messages that could not be read or answered",
                brain.unreadable.into(),
            ),
            (
                "messages_faulty",
                "Unreadable requests that got their answer",
                brain.faulty.into(),
            ),
            (
                "messages_oversized",
                "Datagrams that were too long",
                brain.oversized.into(),
            ),
            ("keep_alives", "Keep-alives by datagram", brain.keep_alives.into()),
            (
                "answers_overflow",
                "Answers that did not fit",
                brain.overflow.into(),
            ),
            (
                "media_lost",
                "Orders to the players that were lost",
                brain.media.into(),
            ),
            (
                "bindings_unstored",
                "Bindings that could not be stored at once",
                brain.unstored.into(),
            ),
            (
                "answers_unheld",
                "Answers to REGISTERs without room to wait for the disk",
                brain.unheld.into(),
            ),
            (
                "calls_overflow",
                "Messages of calls that did not fit",
                calls.overflow.into(),
            ),
            (
                "calls_no_room",
                "Calls, legs or transactions refused for want of room",
                calls.no_room.into(),
            ),
            (
                "calls_no_dialog",
                "Requests for a dialog that is not there",
                calls.no_dialog.into(),
            ),
            (
                "calls_late_answers",
                "Answers that came too late",
                calls.late_answers.into(),
            ),
            (
                "transactions_full",
                "Transactions refused for want of room",
                transactions.full.into(),
            ),
            (
                "transactions_stray",
                "Responses that belonged to no transaction",
                transactions.stray.into(),
            ),
            (
                "transactions_retransmitted",
                "Messages sent again because of a timer",
                transactions.retransmitted.into(),
            ),
            (
                "transactions_repeated",
                "Requests that came again",
                transactions.repeated.into(),
            ),
            (
                "transactions_timed_out",
                "Transactions without an answer",
                transactions.timed_out.into(),
            ),
            (
                "transactions_evicted",
                "Transactions that were over and gave their room away",
                transactions.evicted.into(),
            ),
            (
                "registers_accepted",
                "REGISTERs answered with 200",
                registrar.accepted.into(),
            ),
            (
                "challenges",
                "Digest challenges sent",
                registrar.challenged.into(),
            ),
            (
                "credentials_refused",
                "Wrong credentials",
                registrar.refused.into(),
            ),
            (
                "credentials_limited",
                "Requests from where too many wrong passwords came",
                registrar.limited.into(),
            ),
            (
                "credentials_replayed",
                "Right credentials sent a second time",
                registrar.replayed.into(),
            ),
            (
                "credentials_foreign",
                "Right credentials for another address of record",
                registrar.foreign.into(),
            ),
            (
                "bindings_full",
                "Registrations refused for want of room",
                registrar.full.into(),
            ),
            (
                "trunk_connected",
                "Connections to the cloud's SIP",
                trunk.connected.into(),
            ),
            (
                "trunk_broken",
                "Such connections given up for what came on them",
                trunk.broken.into(),
            ),
            (
                "trunk_refused",
                "Registrations refused by the cloud",
                trunk.refused.into(),
            ),
            (
                "trunk_unsent",
                "Messages for the cloud without a connection",
                trunk.unsent.into(),
            ),
            (
                "events_refused",
                "Events refused because the queue was full",
                uplink.refused.into(),
            ),
            (
                "uplink_ignored",
                "Messages of the cloud not understood or not asked for",
                uplink.ignored.into(),
            ),
            ("uplink_nacks", "Configurations refused", uplink.nacks.into()),
            (
                "store_faults",
                "Operations of the store that failed",
                uplink.faults.into(),
            ),
            (
                "connections_accepted",
                "Connections of phones accepted",
                streams.accepted,
            ),
            (
                "connections_refused",
                "Connections of phones refused for their number",
                streams.refused,
            ),
            (
                "connections_unsent",
                "Messages for connections closed or not read",
                streams.unsent,
            ),
            (
                "datagrams_unsent",
                "Datagrams that could not be sent",
                lost.datagrams,
            ),
            (
                "records_lost",
                "Events that could not be written or published",
                lost.records + lost.publications,
            ),
        ];
        for (name, help, value) in counters {
            text.value(&format!("denwaban_{name}_total"), "counter", help, value);
        }
        if let Some(bytes) = resident() {
            let name = "process_resident_memory_bytes";
            text.value(name, "gauge", "Memory of the process", bytes);
        }
        text.0
    }
}

struct Text(String);

impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: usize) {
        self.value(&format!("denwaban_{name}"), "gauge", help, value as u64);
    }

    fn value(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        // A string takes everything.
        let _ = writeln!(
            self.0,
            "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}"
        );
    }
}

/// Resident memory of this process, bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}
