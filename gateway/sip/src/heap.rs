//! A heap by time that is threaded through the entries of a table: the table's memory is all it needs.

use crate::time::Instant;

/// No entry, no place.
pub(crate) const NONE: u32 = u32::MAX;

/// What tables number their entries with.
#[cfg(feature = "std")]
type Width = u32;
/// What fixed slices number their entries with: the microcontroller has no room for more.
#[cfg(not(feature = "std"))]
type Width = u16;

/// How many entries a table can have: not all that can be counted, so that [`NONE`] is none.
pub(crate) const ENTRIES: usize = Width::MAX as usize - 1;

/// The number of an entry or a place, as a table keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(Width);

impl Index {
    /// The first: all zeros.
    pub const ZERO: Index = Index(0);
    /// [`NONE`].
    pub const NONE: Index = Index(Width::MAX);

    /// A number below [`ENTRIES`], or [`NONE`].
    pub const fn new(index: u32) -> Self {
        Index(index as Width)
    }

    #[allow(clippy::unnecessary_cast, reason = "not where the width is 16 bits")]
    pub const fn get(self) -> u32 {
        if self.0 == Width::MAX { NONE } else { self.0 as u32 }
    }
}

/// What each entry of the table lends to the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The entry at this place of the heap. It has nothing to do with the entry that lends it.
    entry: Index,
    /// The place of the entry that lends it.
    place: Index,
}

impl Node {
    /// All zeros: memory that no heap has yet.
    pub const UNUSED: Node = Node {
        entry: Index::ZERO,
        place: Index::ZERO,
    };
    /// In no heap, of a heap that is empty.
    pub const FREE: Node = Node {
        entry: Index::NONE,
        place: Index::NONE,
    };

    /// For a new entry in the room of an old one.
    pub const fn of_new_entry(self) -> Node {
        Node {
            place: Index::NONE,
            ..self
        }
    }

    const fn entry(self) -> u32 {
        self.entry.get()
    }

    const fn place(self) -> u32 {
        self.place.get()
    }

    #[cfg(test)]
    pub fn is_free(self) -> bool {
        self.place() == NONE
    }
}

/// A table whose entries a heap is threaded through.
pub(crate) trait Timed {
    /// What the entry lends. The index is always one that was scheduled, or a place below the number of them.
    fn node(&self, index: u32) -> Node;
    /// See [`Timed::node`].
    fn node_mut(&mut self, index: u32) -> &mut Node;
    /// When there is something to do with the entry.
    fn wake(&self, index: u32) -> Instant;
}

/// The heap: how many entries it holds.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    len: u32,
}

impl Heap {
    /// Puts the entry where it belongs after its time has changed.
    pub fn schedule<T: Timed + ?Sized>(&mut self, table: &mut T, index: u32) {
        let wake = table.wake(index);
        if wake == Instant::NEVER {
            return self.unschedule(table, index);
        }
        let mut place = table.node(index).place();
        if place == NONE {
            place = self.len;
            self.len += 1;
        }
        self.settle(table, index, wake, place);
    }

    /// Takes the entry out.
    pub fn unschedule<T: Timed + ?Sized>(&mut self, table: &mut T, index: u32) {
        let place = table.node(index).place();
        if place == NONE {
            return;
        }
        table.node_mut(index).place = Index::NONE;
        self.len -= 1;
        let moved = table.node(self.len).entry();
        table.node_mut(self.len).entry = Index::NONE;
        if place != self.len {
            let wake = table.wake(moved);
            self.settle(table, moved, wake, place);
        }
    }

    /// The entry to wake first, and when.
    pub fn first<T: Timed + ?Sized>(&self, table: &T) -> Option<(u32, Instant)> {
        if self.len == 0 {
            return None;
        }
        let index = table.node(0).entry();
        Some((index, table.wake(index)))
    }

    /// Finds the place of an entry from a free one on, upwards or downwards.
    fn settle<T: Timed + ?Sized>(&self, table: &mut T, index: u32, wake: Instant, mut place: u32) {
        while place > 0 {
            let parent = (place - 1) / 2;
            let above = table.node(parent).entry();
            if table.wake(above) <= wake {
                break;
            }
            put(table, place, above);
            place = parent;
        }
        loop {
            let left = place * 2 + 1;
            if left >= self.len {
                break;
            }
            let mut least = (left, table.node(left).entry());
            let mut earliest = table.wake(least.1);
            if left + 1 < self.len {
                let other = table.node(left + 1).entry();
                let at = table.wake(other);
                if at < earliest {
                    (least, earliest) = ((left + 1, other), at);
                }
            }
            if wake <= earliest {
                break;
            }
            put(table, place, least.1);
            place = least.0;
        }
        put(table, place, index);
    }

    /// Checks the heap against the table; for tests.
    #[cfg(test)]
    pub fn assert_sound<T: Timed + ?Sized>(&self, table: &T, entries: impl Iterator<Item = u32>) {
        let mut scheduled = 0;
        for index in entries {
            let place = table.node(index).place();
            assert_eq!(place == NONE, table.wake(index) == Instant::NEVER, "{index}");
            if place != NONE {
                scheduled += 1;
                assert_eq!(table.node(place).entry(), index);
                if place > 0 {
                    let above = table.node((place - 1) / 2).entry();
                    assert!(table.wake(above) <= table.wake(index), "{index}");
                }
            }
        }
        assert_eq!(scheduled, self.len);
    }
}

fn put<T: Timed + ?Sized>(table: &mut T, place: u32, index: u32) {
    table.node_mut(place).entry = Index::new(index);
    table.node_mut(index).place = Index::new(place);
}
