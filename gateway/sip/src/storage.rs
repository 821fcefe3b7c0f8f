//! Where the entries of a table live: in the caller's memory.

/// The caller's slice, or (feature `std`) a vector that grows to a limit.
#[derive(Debug)]
pub enum Storage<'s, E> {
    /// The caller's slice.
    Fixed(&'s mut [E]),
    /// A vector.
    #[cfg(any(test, feature = "std"))]
    Growable {
        /// The entries.
        entries: std::vec::Vec<E>,
        /// How many there may be.
        limit: usize,
    },
}

impl<'s, E> From<&'s mut [E]> for Storage<'s, E> {
    fn from(entries: &'s mut [E]) -> Self {
        Self::Fixed(entries)
    }
}

impl<'s, E, const N: usize> From<&'s mut [E; N]> for Storage<'s, E> {
    fn from(entries: &'s mut [E; N]) -> Self {
        Self::Fixed(entries)
    }
}

#[cfg(any(test, feature = "std"))]
impl<E> Storage<'static, E> {
    /// As many entries as are needed, up to `limit`.
    pub fn growable(limit: usize) -> Self {
        Self::Growable {
            entries: std::vec::Vec::new(),
            limit,
        }
    }
}

impl<E> Storage<'_, E> {
    pub(crate) fn entries(&self) -> &[E] {
        match self {
            Self::Fixed(entries) => entries,
            #[cfg(any(test, feature = "std"))]
            Self::Growable { entries, .. } => entries,
        }
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [E] {
        match self {
            Self::Fixed(entries) => entries,
            #[cfg(any(test, feature = "std"))]
            Self::Growable { entries, .. } => entries,
        }
    }

    /// How many entries there may be.
    pub(crate) fn limit(&self) -> usize {
        match self {
            Self::Fixed(entries) => entries.len(),
            #[cfg(any(test, feature = "std"))]
            Self::Growable { limit, .. } => *limit,
        }
    }

    /// Adds up to `more` entries, if there may be more. What is returned is how many were added.
    pub(crate) fn grow(&mut self, more: usize, empty: impl FnMut() -> E) -> usize {
        match self {
            Self::Fixed(_) => {
                let _ = (more, empty);
                0
            }
            #[cfg(any(test, feature = "std"))]
            Self::Growable { entries, limit } => {
                let more = more.min(limit.saturating_sub(entries.len()));
                entries.resize_with(entries.len() + more, empty);
                more
            }
        }
    }
}
