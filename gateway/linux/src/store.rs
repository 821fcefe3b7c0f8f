//! The store in a thread of its own: a disk may take its time, the brain does not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use gateway::store::ram::run;
use gateway::store::{Op, Store, Token};

use crate::driver::{Event, Events};
use crate::records::Records;

/// Records that wait for the thread. The brain's own operations are never refused: it has two at a time.
const WAITING: u64 = 4_096;
/// When records that could not be written are tried again.
const RETRY: Duration = Duration::from_secs(1);

enum Order {
    Execute(Token, Op),
    Record(Op),
}

/// Where operations are given; the results are events. The thread ends when this is dropped and everything is done.
pub struct Disk {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    records: Arc<Count>,
}

/// Records.
#[derive(Default)]
struct Count {
    waiting: AtomicU64,
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
        let count = Arc::new(Count::default());
        let counted = count.clone();
        let work = move || work(store, records, &queue, &events, &counted);
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
            records: count,
        })
    }

    /// Runs an operation.
    pub fn execute(&self, token: Token, op: Op) {
        // Whether the thread is there is looked at apart from this.
        self.order(Order::Execute(token, op));
    }

    /// Writes an event ([`Op::PushEvent`]) to the records, many at a time. One that finds no room is lost and counted.
    pub fn record(&self, event: Op) {
        if self.records.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING
            || !self.order(Order::Record(event))
        {
            self.records.waiting.fetch_sub(1, Ordering::Relaxed);
            self.records.lost.fetch_add(1, Ordering::Relaxed);
        }
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
        self.records.lost.load(Ordering::Relaxed)
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
    count: &Count,
) {
    loop {
        let is_behind = records.as_ref().is_some_and(Records::is_behind);
        let first = match is_behind {
            true => queue.recv_timeout(RETRY),
            false => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let is_last = matches!(first, Err(RecvTimeoutError::Disconnected));
        // All that waits, so that the disk is waited for once.
        for order in first.into_iter().chain(queue.try_iter().take(WAITING as usize)) {
            match (order, &mut records) {
                (Order::Execute(token, op), _) => {
                    let done = run(store.execute(token, &op));
                    // The box stops: nobody waits for it.
                    let _ = events.blocking_send(Event::Stored(Box::new(done)));
                }
                (Order::Record(event), records) => {
                    count.waiting.fetch_sub(1, Ordering::Relaxed);
                    if let (Op::PushEvent(event), Some(records)) = (event, records)
                        && !records.add(&event)
                    {
                        count.lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
        if let Some(records) = &mut records {
            records.flush();
        }
        if is_last {
            return;
        }
    }
}
