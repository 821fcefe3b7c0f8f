//! The running server: everything that listens, wired together, until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::broker::{BoxGate, BrokerUrl, Embedded, acl};
use crate::control::{Answer, Ask, Control, Question};
use crate::db::Db;
use crate::edge::{Edge, EdgeEvent, directory};
use crate::fleet::{Fleet, FleetEvent};
use crate::sip_io::Listen;

/// What `serve` is told.
#[derive(Clone)]
pub struct Options {
    /// Where boxes and the carrier reach SIP.
    pub sip: Listen,
    /// Where boxes reach the broker inside; none if there is an external one only.
    pub mqtt: Option<SocketAddr>,
    /// An external broker instead.
    pub broker: Option<BrokerUrl>,
    /// The carrier's trunk.
    pub carrier: SocketAddr,
    /// First and last port of the RTP relay.
    pub rtp_ports: (u16, u16),
}

#[async_trait]
impl BoxGate for Db {
    async fn admits(&self, id: &str, password: &str) -> bool {
        match self.mqtt_hash(id).await {
            Ok(stored) => stored.is_some_and(|stored| acl::verify(password, &stored)),
            Err(error) => {
                warn!(id, %error, "broker login not checked");
                false
            }
        }
    }
}

/// A server whose listeners are up.
pub struct Server {
    db: Db,
    control: Control,
    broker: Option<Embedded>,
    fleet: Fleet,
    edge: Edge,
}

impl Server {
    /// Binds everything and waits for the broker.
    pub async fn start(db: Db, options: &Options) -> anyhow::Result<Self> {
        let control = Control::bind(&db.control_socket()).await?;
        db.forget_presence().await.context("database")?;
        // This program may derive configurations otherwise than the one before it did.
        db.reissue().await.context("configurations")?;
        let (sender, presence) = mpsc::unbounded_channel();
        let (broker, url) = match &options.broker {
            Some(url) => (None, url.clone()),
            None => {
                let listen = options.mqtt.context("neither --mqtt nor --broker is given")?;
                let broker = Embedded::start(listen, Arc::new(db.clone()), sender)
                    .await
                    .with_context(|| format!("broker on {listen}"))?;
                let url = broker.own().clone();
                (Some(broker), url)
            }
        };
        let mut fleet = Fleet::new(db.clone(), &url, presence)?;
        let edge = Edge::start(&db, &options.sip, options.carrier, options.rtp_ports)
            .await
            .with_context(|| format!("SIP on {}", options.sip.sip))?;
        anyhow::ensure!(fleet.up().await, "the broker link ended");
        Ok(Self {
            db,
            control,
            broker,
            fleet,
            edge,
        })
    }

    /// Where SIP is listened to.
    pub fn sip(&self) -> SocketAddr {
        self.edge.local()
    }

    /// Where SIP connections of this transport are listened to.
    pub fn sip_over(&self, transport: sip::Transport) -> Option<SocketAddr> {
        self.edge.listens(transport)
    }

    /// Where boxes reach the broker inside.
    pub fn mqtt(&self) -> Option<SocketAddr> {
        self.broker.as_ref().map(Embedded::addr)
    }

    /// Serves until `stop` is done, then ends every part in order.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            db,
            control,
            broker,
            fleet,
            edge,
        } = self;
        let (fleet_sender, fleet_events) = mpsc::channel(16);
        let fleet = tokio::spawn(fleet.run(fleet_events));
        let (edge_sender, edge_events) = mpsc::channel(16);
        let edge = tokio::spawn(edge.run(edge_events));
        let (question_sender, mut questions) = mpsc::channel(16);
        let control_task = control.serve(question_sender);
        tokio::pin!(control_task, stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = &mut control_task => anyhow::bail!("the control socket ended"),
                () = db.secrets_changed() => refresh(&db, &edge_sender).await,
                question = questions.recv() => {
                    if let Some(question) = question {
                        answer(&db, question, &fleet_sender, &edge_sender).await;
                    }
                }
            }
        }
        info!("stopping");
        drop(edge_sender);
        edge.await.context("SIP edge")?;
        drop(fleet_sender);
        fleet.await.context("fleet service")?;
        drop(broker);
        // Nothing is known of the boxes from now on.
        if let Err(error) = db.forget_presence().await {
            warn!(%error, "presence not cleared");
        }
        db.close().await;
        Ok(())
    }
}

/// Gives calls the contracts as they are now.
async fn refresh(db: &Db, edge: &mpsc::Sender<EdgeEvent>) {
    match directory(db).await {
        Ok(directory) => {
            let _ = edge.send(EdgeEvent::Directory(Box::new(directory))).await;
        }
        Err(error) => warn!(%error, "the change is not seen by calls yet"),
    }
}

async fn answer(
    db: &Db,
    (ask, back): Question,
    fleet: &mpsc::Sender<FleetEvent>,
    edge: &mpsc::Sender<EdgeEvent>,
) {
    let answer = match ask {
        Ask::Changed => {
            refresh(db, edge).await;
            let _ = fleet.send(FleetEvent::Changed).await;
            Answer::Done
        }
        Ask::TestLine { r#box, port } => {
            let _ = fleet.send(FleetEvent::TestLine(r#box, port)).await;
            Answer::Done
        }
        Ask::Hub { r#box, order } => {
            let _ = fleet.send(FleetEvent::Hub(r#box, order)).await;
            Answer::Done
        }
        Ask::Calls => {
            let (sender, receiver) = oneshot::channel();
            let _ = edge.send(EdgeEvent::Calls(sender)).await;
            match receiver.await {
                Ok(calls) => Answer::Calls(calls),
                Err(_) => return,
            }
        }
    };
    // The command may have gone away.
    let _ = back.send(answer);
}

/// Runs a server until SIGTERM or SIGINT; prints `ready` when every listener is up.
pub async fn run(db: Db, options: Options) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    };
    tokio::pin!(stop);
    let server = tokio::select! {
        server = Server::start(db, &options) => server?,
        () = &mut stop => return Ok(()),
    };
    crate::cli::say("ready\n")?;
    server.serve(stop).await
}
