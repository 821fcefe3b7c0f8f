//! The store in a thread of its own: a disk may take its time, the brain does not wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use gateway::store::ram::run;
use gateway::store::{Op, Store, Token};
use shared::sync::{Event, EventBody, Message as _};
use tracing::{debug, info, warn};

use crate::driver::{self, Events};
use crate::records::Records;

/// Records that wait for the thread. The brain's own operations are never refused: it has two at a time.
const WAITING: usize = 4_096;
/// How long records wait for others, so that the disk is waited for once: it is 10 times a second at most.
const TOGETHER: Duration = Duration::from_millis(100);
/// When records that could not be written are tried again.
const RETRY: Duration = Duration::from_secs(1);

enum Order {
    Execute(Token, Box<Op>),
    /// The first of some records waits.
    Records,
}

/// Where operations are given; the results are events. The thread ends when this is dropped and everything is done.
pub struct Disk {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    waiting: Arc<Waiting>,
}

/// Records.
#[derive(Default)]
struct Waiting {
    events: Mutex<Vec<Op>>,
    lost: AtomicU64,
}

impl Disk {
    /// Starts the thread.
    pub fn start<F: MultiwriteNorFlash + Send + 'static>(
        store: Store<F>,
        records: Option<Records>,
        events: Events,
    ) -> Result<Self> {
        let (orders, queue) = channel();
        let waiting = Arc::new(Waiting::default());
        let shared = waiting.clone();
        let work = move || work(store, records, &queue, &events, &shared);
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
            waiting,
        })
    }

    /// Runs an operation.
    pub fn execute(&self, token: Token, op: Op) {
        // Whether the thread is there is looked at apart from this.
        self.order(Order::Execute(token, Box::new(op)));
    }

    /// Writes an event ([`Op::PushEvent`]) to the records, many at a time. One that finds no room is lost and counted.
    pub fn record(&self, event: Op) {
        // Nothing is done while it is held that could panic.
        let mut waiting = self.waiting.events.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waiting.is_empty();
        if waiting.len() >= WAITING || is_first && !self.order(Order::Records) {
            self.waiting.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push(event);
    }

    fn order(&self, order: Order) -> bool {
        self.orders
            .as_ref()
            .is_some_and(|orders| orders.send(order).is_ok())
    }

    /// Whether the thread has ended: it failed, and nothing is kept any more.
    pub fn has_failed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Records that were lost.
    pub fn lost(&self) -> u64 {
        self.waiting.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // What it was told last is on the disk.
            let _ = thread.join();
        }
    }
}

fn work<F: MultiwriteNorFlash>(
    mut store: Store<F>,
    mut records: Option<Records>,
    queue: &Receiver<Order>,
    events: &Events,
    waiting: &Waiting,
) {
    // When the records that wait are to be written.
    let mut due: Option<Instant> = None;
    loop {
        let first = match due {
            Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let is_last = matches!(first, Err(RecvTimeoutError::Disconnected));
        match first {
            Ok(Order::Execute(token, op)) => {
                let done = run(store.execute(token, &op));
                // Once it is on the disk.
                tell(&op);
                // The box stops: nobody waits for it.
                let _ = events.blocking_send(driver::Event::Stored(Box::new(done)));
            }
            Ok(Order::Records) => due = due.or_else(|| Some(Instant::now() + TOGETHER)),
            Err(_) => {}
        }
        if is_last || due.is_some_and(|due| due <= Instant::now()) {
            let events = std::mem::take(&mut *waiting.events.lock().unwrap_or_else(PoisonError::into_inner));
            due = None;
            if let Some(records) = &mut records {
                for event in events {
                    tell(&event);
                    if let Op::PushEvent(event) = event
                        && !records.add(&event)
                    {
                        waiting.lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
                records.flush();
                due = records.is_behind().then(|| Instant::now() + RETRY);
            }
        }
        if is_last {
            return;
        }
    }
}

/// Writes an event to the log. Calls have their records.
fn tell(op: &Op) {
    let Op::PushEvent(event) = op else { return };
    match Event::decode(event).map(|event| event.body) {
        Ok(EventBody::CallLeg(leg)) => debug!(?leg),
        Ok(EventBody::Alarm { alarm, raised }) => warn!(?alarm, raised),
        Ok(body) => info!(?body),
        Err(_) => {}
    }
}
