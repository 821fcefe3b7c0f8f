//! The fleet service: moves messages between the broker and the synchronisation engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::id::BoxId;
use shared::sync::{HubOrder, Topic, Up};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, info, warn};

use crate::broker::{BrokerUrl, FromBroker, Link, Presence, connect};
use crate::db::{Db, unix_ms};
use crate::sync::{Engine, Outgoing, SyncError};

/// Requests for pieces of firmware that wait for their turn; a box whose request is one more asks again, later each time.
const FILE_GETS: usize = 256;

/// What the fleet service is told from elsewhere in the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetEvent {
    /// The database changed: boxes are offered what is new for them.
    Changed,
    /// The line at a port of a box is to be tested; lost if the box is away.
    TestLine(BoxId, u8),
    /// A port with power or a phone of a box is to do something; lost if the box is away.
    Hub(BoxId, HubOrder),
}

/// Runs until `events` is closed. `up` is told when the broker link is there for the first time.
pub struct Fleet {
    db: Db,
    engine: Arc<Engine<Db>>,
    link: Link,
    /// Requests for pieces of firmware: there are thousands of them a box, and all else that boxes say goes before them.
    file_gets: mpsc::Sender<(String, Vec<u8>)>,
    inbox: mpsc::Receiver<FromBroker>,
    presence: mpsc::UnboundedReceiver<Presence>,
    /// The connection that each box has, so that the end of an older one is not taken for its end.
    connections: HashMap<BoxId, i64>,
}

impl Fleet {
    /// Connects to the broker; an error if there is no key to sign with.
    pub fn new(
        db: Db,
        broker: &BrokerUrl,
        presence: mpsc::UnboundedReceiver<Presence>,
    ) -> anyhow::Result<Self> {
        let keys = db.keys()?;
        let engine = Arc::new(Engine::new(db.clone(), keys.signing().clone(), keys.epoch()));
        let (link, inbox) = connect(broker, &broker.user);
        let (file_gets, waiting) = mpsc::channel(FILE_GETS);
        tokio::spawn(answer_file_gets(engine.clone(), link.clone(), waiting));
        Ok(Self {
            db,
            engine,
            link,
            file_gets,
            inbox,
            presence,
            connections: HashMap::new(),
        })
    }

    /// Waits for the broker link to be there for the first time.
    pub async fn up(&mut self) -> bool {
        loop {
            match self.inbox.recv().await {
                Some(FromBroker::Up) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Serves until `events` is closed.
    pub async fn run(mut self, mut events: mpsc::Receiver<FleetEvent>) {
        let mut presence_open = true;
        loop {
            let wait = self.engine.next_deadline().map_or(Duration::from_secs(60), |at| {
                Duration::from_millis(at.saturating_sub(unix_ms()).max(1))
            });
            tokio::select! {
                event = events.recv() => match event {
                    Some(FleetEvent::Changed) => self.changed().await,
                    Some(FleetEvent::TestLine(id, port)) => self.publish("order", self.engine.test_line(id, port)),
                    Some(FleetEvent::Hub(id, order)) => self.publish("order", self.engine.hub(id, &order)),
                    None => break,
                },
                message = self.inbox.recv() => match message {
                    Some(message) => self.broker(message).await,
                    None => break,
                },
                heard = self.presence.recv(), if presence_open => match heard {
                    Some(presence) => self.presence(presence).await,
                    None => presence_open = false,
                },
                () = tokio::time::sleep(wait) => {
                    let due = self.engine.tick(unix_ms()).await;
                    self.publish("tick", due);
                }
            }
        }
        self.link.close();
        info!(refused = self.link.refused(), "fleet service ended");
    }

    async fn broker(&mut self, message: FromBroker) {
        match message {
            // Boxes say hello again when they have connected again; until then nothing is known of them.
            FromBroker::Up => {}
            FromBroker::Down => {
                for id in self.engine.online() {
                    self.gone(id).await;
                }
            }
            FromBroker::Message { topic, payload }
                if matches!(Topic::parse(&topic), Some(Topic::Up(_, Up::FileGet))) =>
            {
                if let Err(TrySendError::Full((topic, _))) = self.file_gets.try_send((topic, payload)) {
                    debug!(topic, "no room for another request; the box asks again");
                }
            }
            FromBroker::Message { topic, payload } => {
                let answer = self.engine.message(unix_ms(), &topic, &payload).await;
                self.publish(&topic, answer);
            }
        }
    }

    async fn presence(
        &mut self,
        Presence {
            id,
            connection,
            online,
        }: Presence,
    ) {
        let Ok(id) = id.parse::<BoxId>() else { return };
        if online {
            let known = self.connections.entry(id).or_insert(connection);
            *known = (*known).max(connection);
        } else if self.connections.get(&id).is_none_or(|known| *known <= connection) {
            self.connections.remove(&id);
            self.gone(id).await;
        }
    }

    async fn gone(&self, id: BoxId) {
        info!(%id, "box offline");
        if let Err(error) = self.engine.disconnected(id).await {
            warn!(%id, %error, "absence not stored");
        }
    }

    async fn changed(&mut self) {
        let accounts = match self.db.accounts().await {
            Ok(accounts) => accounts,
            Err(error) => {
                warn!(%error, "the change is offered when the boxes say hello");
                return;
            }
        };
        let online = self.engine.online();
        for account in accounts.iter().filter(|account| online.contains(&account.id)) {
            let offer = self.engine.changed(unix_ms(), account.id).await;
            self.publish("change", offer);
        }
    }

    fn publish<E: std::fmt::Debug + std::fmt::Display>(
        &self,
        cause: &str,
        answer: Result<Vec<Outgoing>, SyncError<E>>,
    ) {
        publish(&self.link, cause, answer);
    }
}

/// Runs until the fleet service ends.
async fn answer_file_gets(
    engine: Arc<Engine<Db>>,
    link: Link,
    mut waiting: mpsc::Receiver<(String, Vec<u8>)>,
) {
    while let Some((topic, payload)) = waiting.recv().await {
        let answer = engine.message(unix_ms(), &topic, &payload).await;
        publish(&link, &topic, answer);
    }
}

fn publish<E: std::fmt::Debug + std::fmt::Display>(
    link: &Link,
    cause: &str,
    answer: Result<Vec<Outgoing>, SyncError<E>>,
) {
    match answer {
        Ok(messages) => {
            for message in messages {
                let topic = message.topic.name();
                debug!(
                    topic = topic.as_str(),
                    bytes = message.payload.len(),
                    cause,
                    "to box"
                );
                if !link.publish(&topic, message.payload) {
                    warn!(topic = topic.as_str(), "no room to publish; the box asks again");
                }
            }
        }
        // Not answered: the box repeats what it needs.
        Err(error) => warn!(cause, %error, "message not handled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_firmware() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let nowhere = "mqtt://127.0.0.1:9".parse().unwrap();
        let (_broker, presence) = mpsc::unbounded_channel();
        let mut fleet = Fleet::new(db, &nowhere, presence).unwrap();
        // As it is while pieces are asked for faster than the database gives them.
        let (file_gets, mut waiting) = mpsc::channel(2);
        fleet.file_gets = file_gets;
        let id: BoxId = "aaaaaaaaaaaaa".parse().unwrap();
        for payload in 0..4 {
            let topic = Topic::Up(id, Up::FileGet).name().to_string();
            let payload = vec![payload];
            let heard = fleet.broker(FromBroker::Message { topic, payload });
            tokio::time::timeout(Duration::from_secs(60), heard)
                .await
                .unwrap();
        }
        let kept = [waiting.try_recv(), waiting.try_recv()].map(|kept| kept.unwrap().1);
        assert_eq!(kept, [[0], [1]]);
        waiting.try_recv().unwrap_err();
    }
}
