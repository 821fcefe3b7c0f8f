//! A box's store on a flash memory that can lose its power.

use gateway::store::map::EVENTS;
use gateway::store::ram::{RamNor, Torn, run};
use gateway::store::{Fault, Key, Loaded, Op, Reply, Store, Token};
use shared::site::Site;

use super::commit_ops;

pub type Flash = RamNor<Vec<u8>>;

pub const TORN: [Torn; 2] = [Torn::Unreadable, Torn::Random];

/// An erased memory, as long as the partitions the store manages.
pub fn blank() -> Flash {
    RamNor::new(vec![0xFF; EVENTS.end() as usize])
}

pub fn execute(store: &mut Store<&mut Flash>, op: &Op) -> Result<Reply, Fault> {
    let done = run(store.execute(Token(7), op));
    assert_eq!(done.token, Token(7));
    done.result
}

/// Runs operations until one fails; returns how many were done.
pub fn execute_all(store: &mut Store<&mut Flash>, ops: &[Op]) -> usize {
    ops.iter().take_while(|op| execute(store, op).is_ok()).count()
}

pub struct Restart {
    pub loaded: Loaded,
    pub site: Site,
    pub settings: Vec<(Key, Vec<u8>)>,
}

pub fn load(flash: &mut Flash) -> Result<Restart, Fault> {
    let mut site = Site::default();
    let mut settings = Vec::new();
    let loaded =
        run(Store::new(flash).load(&mut site, 1, |key, value| settings.push((key, value.to_vec()))))?;
    Ok(Restart {
        loaded,
        site,
        settings,
    })
}

/// A memory with this site committed.
pub fn with_site(site: &Site, epoch: u64) -> Flash {
    let mut flash = blank();
    load(&mut flash).unwrap();
    let mut store = Store::new(&mut flash);
    let ops = commit_ops(site, epoch);
    assert_eq!(execute_all(&mut store, &ops), ops.len());
    flash
}

/// The same memory with the power going during its `change`-th change from now.
pub fn cut(flash: &Flash, change: u64, torn: Torn) -> Flash {
    let mut flash = flash.clone();
    flash.cut_after(change, torn);
    flash
}
