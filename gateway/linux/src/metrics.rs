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
    /// The box is a site's: it has a cloud.
    pub is_site_s: bool,
    /// What was lost on the way out.
    pub lost: Lost,
}

impl Figures<'_> {
    /// As Prometheus reads them.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(8 * 1_024);
        let mut write = |name: &str, kind: &str, value: u64| {
            // A string takes everything.
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        };
        for (name, value) in self.gauges() {
            write(&format!("denwaban_{name}"), "gauge", value as u64);
        }
        for (name, value) in self.counters() {
            write(&format!("denwaban_{name}_total"), "counter", value);
        }
        if let Some(bytes) = resident() {
            write("process_resident_memory_bytes", "gauge", bytes);
        }
        text
    }

    /// How much there is of what: see the README.
    fn gauges(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let gateway = self.gateway;
        let usage = gateway.usage();
        let line = gateway.link().mode() != Mode::Down;
        [
            ("calls", usage.calls),
            ("legs", usage.legs),
            ("transactions", usage.transactions),
            ("text_blocks", usage.blocks),
            ("bindings", gateway.bindings()),
            ("ids_registered", gateway.registered().count()),
            ("ids_busy", gateway.busy().count()),
            ("connections", self.open),
            ("line_up", usize::from(line)),
        ]
        .into_iter()
        // Without a cloud nobody takes them.
        .chain(
            self.is_site_s
                .then(|| ("events_queued", gateway.queued() as usize)),
        )
    }

    /// What has happened since the start.
    fn counters(&self) -> [(&'static str, u64); 38] {
        let brain = self.gateway.counters();
        let calls = self.gateway.call_counters();
        let transactions = self.gateway.transaction_counters();
        let registrar = self.gateway.registrar_counters();
        let trunk = self.gateway.trunk_counters();
        let uplink = self.gateway.uplink_counters();
        let (streams, lost) = (self.streams, self.lost);
        [
            ("messages_unreadable", brain.unreadable.into()),
            ("messages_faulty", brain.faulty.into()),
            ("messages_oversized", brain.oversized.into()),
            ("keep_alives", brain.keep_alives.into()),
            ("answers_overflow", brain.overflow.into()),
            ("media_lost", brain.media.into()),
            ("bindings_unstored", brain.unstored.into()),
            ("answers_unheld", brain.unheld.into()),
            ("calls_overflow", calls.overflow.into()),
            ("calls_no_room", calls.no_room.into()),
            ("calls_no_dialog", calls.no_dialog.into()),
            ("calls_late_answers", calls.late_answers.into()),
            ("transactions_full", transactions.full.into()),
            ("transactions_stray", transactions.stray.into()),
            ("transactions_retransmitted", transactions.retransmitted.into()),
            ("transactions_repeated", transactions.repeated.into()),
            ("transactions_timed_out", transactions.timed_out.into()),
            ("transactions_evicted", transactions.evicted.into()),
            ("registers_accepted", registrar.accepted.into()),
            ("challenges", registrar.challenged.into()),
            ("credentials_refused", registrar.refused.into()),
            ("credentials_limited", registrar.limited.into()),
            ("credentials_replayed", registrar.replayed.into()),
            ("credentials_foreign", registrar.foreign.into()),
            ("bindings_full", registrar.full.into()),
            ("trunk_connected", trunk.connected.into()),
            ("trunk_broken", trunk.broken.into()),
            ("trunk_refused", trunk.refused.into()),
            ("trunk_unsent", trunk.unsent.into()),
            ("events_refused", uplink.refused.into()),
            ("uplink_ignored", uplink.ignored.into()),
            ("uplink_nacks", uplink.nacks.into()),
            ("store_faults", uplink.faults.into()),
            ("connections_accepted", streams.accepted),
            ("connections_refused", streams.refused),
            ("connections_unsent", streams.unsent),
            ("datagrams_unsent", lost.datagrams),
            ("records_lost", lost.records + lost.publications),
        ]
    }
}

/// Resident memory of this process, bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}
