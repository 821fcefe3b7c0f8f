//! FNV-1a, 32 bits (draft-eastlake-fnv): tells whether something is still what it was. It keeps nobody from making an equal one.

/// Of what was added so far.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u32);

impl Fnv {
    /// Of nothing.
    pub const fn new() -> Self {
        Self(0x811c_9dc5)
    }

    pub fn add(self, bytes: &[u8]) -> Self {
        let add = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        Self(bytes.iter().fold(self.0, add))
    }

    pub const fn value(self) -> u32 {
        self.0
    }
}

/// Of these bytes.
pub(crate) fn fnv(bytes: &[u8]) -> u32 {
    Fnv::new().add(bytes).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_draft() {
        for (text, value) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            assert_eq!(fnv(text.as_bytes()), value);
        }
        assert_eq!(Fnv::new().add(b"foo").add(b"bar").value(), fnv(b"foobar"));
    }
}
