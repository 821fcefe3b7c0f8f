//! The store in a thread of its own: a disk may take its time, the brain does not wait for it.

use std::sync::mpsc;

use anyhow::Result;
use gateway::store::ram::run;
use gateway::store::{Op, Store, Token};

use crate::driver::{Event, Events};
use crate::nor::FileNor;

/// Where operations are given; the results are events. The thread ends when this is dropped and everything is done.
pub struct Disk {
    orders: Option<mpsc::Sender<(Token, Op)>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread.
    pub fn start(mut store: Store<FileNor>, events: Events) -> Result<Self> {
        let (orders, queue) = mpsc::channel::<(Token, Op)>();
        let work = move || {
            for (token, op) in queue {
                let done = run(store.execute(token, &op));
                // The box stops: nobody waits for it.
                let _ = events.blocking_send(Event::Stored(Box::new(done)));
            }
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Runs an operation.
    pub fn execute(&self, token: Token, op: Op) {
        if let Some(orders) = &self.orders {
            // The thread ends after its orders.
            let _ = orders.send((token, op));
        }
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
