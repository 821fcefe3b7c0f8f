//! One transaction's entry and the storage that holds them.

/// One transaction. Opaque; hand in an array of [`Slot::EMPTY`].
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    generation: u16,
}

impl Slot {
    /// A free entry.
    pub const EMPTY: Self = Self { generation: 0 };
}

/// Where the entries live: the caller's slice, or (feature `std`) a vector that grows to a limit.
pub struct Storage<'s>(Inner<'s>);

enum Inner<'s> {
    Fixed(&'s mut [Slot]),
}

impl<'s> From<&'s mut [Slot]> for Storage<'s> {
    fn from(slots: &'s mut [Slot]) -> Self {
        Self(Inner::Fixed(slots))
    }
}
