//! The TCP connection to the cloud's SIP, as the brain orders it.

use gateway::trunk::CHUNK_MAX;
use shared::factory::Factory;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::info;

use crate::driver::{Event, Events};

/// Messages that wait to be sent.
const OUTBOX: usize = 256;

/// What the connection says.
pub enum News {
    /// It is open: our end and the cloud's.
    Connected(SocketAddr, SocketAddr),
    /// At most [`CHUNK_MAX`] bytes.
    Data(Vec<u8>),
    /// It is closed, or could not be opened.
    Closed,
}

/// One connection after the other.
pub struct Trunk {
    host: String,
    port: u16,
    events: Events,
    /// Which connection it is; what an earlier one still says is not listened to.
    attempt: u32,
    open: Option<(mpsc::Sender<Vec<u8>>, AbortHandle)>,
}

impl Trunk {
    /// None open.
    pub fn new(factory: &Factory, events: Events) -> Self {
        Self {
            host: factory.cloud_host.as_str().into(),
            port: factory.sip_port,
            events,
            attempt: 0,
            open: None,
        }
    }

    /// Opens a connection; one that is open is closed.
    pub fn connect(&mut self) {
        self.close();
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let voice = Voice {
            attempt: self.attempt,
            events: self.events.clone(),
        };
        let (host, port) = (self.host.clone(), self.port);
        let task = tokio::spawn(async move {
            match TcpStream::connect((host.as_str(), port)).await {
                Ok(stream) => serve(stream, messages, &voice).await,
                Err(error) => info!(host, port, %error, "trunk not open"),
            }
            voice.tell(News::Closed).await;
        });
        self.open = Some((outbox, task.abort_handle()));
    }

    /// Sends bytes; a cloud that does not read loses the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        let Some((outbox, task)) = &self.open else { return };
        if outbox.try_send(bytes.to_vec()).is_err() {
            task.abort();
            let (attempt, events) = (self.attempt, self.events.clone());
            tokio::spawn(async move { events.send(Event::Trunk(attempt, News::Closed)).await });
        }
    }

    /// Closes what is open.
    pub fn close(&mut self) {
        self.attempt = self.attempt.wrapping_add(1);
        if let Some((_, task)) = self.open.take() {
            task.abort();
        }
    }

    /// Is this word of the connection in use?
    pub fn is_current(&self, attempt: u32) -> bool {
        self.attempt == attempt
    }
}

/// How one connection speaks to the brain.
struct Voice {
    attempt: u32,
    events: Events,
}

impl Voice {
    async fn tell(&self, news: News) {
        // Nobody listens only when the box stops.
        let _ = self.events.send(Event::Trunk(self.attempt, news)).await;
    }
}

async fn serve(stream: TcpStream, mut messages: mpsc::Receiver<Vec<u8>>, voice: &Voice) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return;
    };
    let _ = stream.set_nodelay(true);
    info!(%peer, "trunk open");
    voice.tell(News::Connected(local, peer)).await;
    let (mut read, mut write) = stream.into_split();
    let receive = async {
        let mut buffer = [0; CHUNK_MAX];
        while let Ok(len @ 1..) = read.read(&mut buffer).await {
            let bytes = buffer.get(..len).unwrap_or_default().to_vec();
            voice.tell(News::Data(bytes)).await;
        }
    };
    let transmit = async {
        while let Some(bytes) = messages.recv().await {
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = receive => {}
        () = transmit => {}
    }
}
