//! Texts of any length in blocks of one size: what a call has to keep of messages, in room that belongs to the caller. Blocks
//! of one size cannot fragment it, so that what fits is only a matter of how many are free.

use crate::heap::{ENTRIES, Index, NONE};
use crate::storage;
use crate::write::{Full, Writer};

/// Bytes of text in a block.
const BYTES: usize = 60;

/// A part of a text. Opaque: hand in an array of [`Block::EMPTY`].
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The block that goes on, or the next free one.
    next: Index,
    bytes: [u8; BYTES],
}

impl Block {
    /// A free block, all zeros.
    pub const EMPTY: Self = Self {
        next: Index::ZERO,
        bytes: [0; BYTES],
    };
}

/// How many blocks a text of so many bytes takes.
pub const fn blocks(bytes: usize) -> usize {
    bytes.div_ceil(BYTES)
}

/// Where the blocks live.
pub type Storage<'s> = storage::Storage<'s, Block>;

/// A text in `N` parts, 65,535 bytes at most, that [`Texts`] keeps until it is given back to it.
#[derive(Debug)]
#[must_use]
pub struct Text<const N: usize = 1> {
    first: Index,
    /// Where each part ends.
    ends: [u16; N],
}

impl<const N: usize> Text<N> {
    /// A text without a byte, which takes no block.
    pub const EMPTY: Self = Self {
        first: Index::NONE,
        ends: [0; N],
    };

    /// Bytes in all parts.
    pub fn len(&self) -> usize {
        self.ends.last().map_or(0, |end| usize::from(*end))
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in a part.
    pub fn part_len(&self, part: usize) -> usize {
        let (from, to) = self.range(part);
        to - from
    }

    /// Whether there is no byte in a part.
    pub fn is_empty_part(&self, part: usize) -> bool {
        self.part_len(part) == 0
    }

    fn range(&self, part: usize) -> (usize, usize) {
        let end = |part: usize| self.ends.get(part).map_or(0, |end| usize::from(*end));
        (part.checked_sub(1).map_or(0, end), end(part))
    }
}

/// All texts.
pub struct Texts<'s> {
    storage: Storage<'s>,
    free: u32,
    used: usize,
    kept: usize,
}

impl<'s> Texts<'s> {
    /// No text yet; every text that the room held before is gone.
    pub fn new(storage: impl Into<Storage<'s>>) -> Self {
        let mut storage = storage.into();
        let blocks = storage.entries_mut();
        let len = blocks.len().min(ENTRIES) as u32;
        for (next, block) in (1..=len).zip(blocks) {
            block.next = if next == len {
                Index::NONE
            } else {
                Index::new(next)
            };
        }
        Self {
            storage,
            free: if len == 0 { NONE } else { 0 },
            used: 0,
            kept: 0,
        }
    }

    /// Keeps so many blocks for what must not be refused.
    pub fn reserve(&mut self, blocks: usize) {
        self.kept = blocks;
    }

    /// Blocks in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Blocks that can still be taken.
    pub fn room(&self) -> usize {
        self.storage.limit().min(ENTRIES).saturating_sub(self.used)
    }

    /// Whether so many bytes can be kept without the blocks that are kept for what must not be refused.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.room() >= blocks(bytes) + self.kept
    }

    /// Keeps a text, which has to be given back: [`Texts::free`].
    pub fn store<const N: usize>(&mut self, parts: [&[u8]; N]) -> Result<Text<N>, Full> {
        let mut text = Text::EMPTY;
        let mut len = 0;
        for (end, part) in text.ends.iter_mut().zip(parts) {
            len += part.len();
            *end = u16::try_from(len).map_err(|_| Full)?;
        }
        if blocks(len) > self.room() {
            return Err(Full);
        }
        // The block before, and how much of it is written.
        let (mut last, mut filled) = (NONE, BYTES);
        for mut part in parts {
            while !part.is_empty() {
                if filled == BYTES {
                    let index = self.take();
                    match self.storage.entries_mut().get_mut(last as usize) {
                        Some(before) => before.next = Index::new(index),
                        None => text.first = Index::new(index),
                    }
                    (last, filled) = (index, 0);
                }
                let (now, later) = part.split_at(part.len().min(BYTES - filled));
                let block = self.storage.entries_mut().get_mut(last as usize);
                let room = block.and_then(|block| block.bytes.get_mut(filled..filled + now.len()));
                if let Some(room) = room {
                    room.copy_from_slice(now);
                }
                filled += now.len();
                part = later;
            }
        }
        Ok(text)
    }

    /// Puts another text in the place of one, which stays if there is no room.
    pub fn replace<const N: usize>(&mut self, text: &mut Text<N>, parts: [&[u8]; N]) -> Result<(), Full> {
        let len = parts.iter().map(|part| part.len()).sum();
        if blocks(len) > self.room() + blocks(text.len()) || len > usize::from(u16::MAX) {
            return Err(Full);
        }
        self.free(text);
        *text = self.store(parts)?;
        Ok(())
    }

    /// Gives a text back; it is empty then.
    pub fn free<const N: usize>(&mut self, text: &mut Text<N>) {
        let mut index = core::mem::replace(text, Text::EMPTY).first.get();
        let free = self.free;
        let first = index;
        while let Some(block) = self.storage.entries_mut().get_mut(index as usize) {
            self.used -= 1;
            if block.next == Index::NONE {
                block.next = Index::new(free);
                self.free = first;
                return;
            }
            index = block.next.get();
        }
    }

    /// A part of a text, in pieces.
    pub fn part<const N: usize>(&self, text: &Text<N>, part: usize) -> Pieces<'_> {
        let (from, to) = text.range(part);
        let mut next = text.first.get();
        for _ in 0..from / BYTES {
            next = self
                .storage
                .entries()
                .get(next as usize)
                .map_or(NONE, |b| b.next.get());
        }
        Pieces {
            blocks: self.storage.entries(),
            next,
            skip: from % BYTES,
            left: to - from,
        }
    }

    /// A whole text, in pieces.
    pub fn pieces(&self, text: &Text) -> Pieces<'_> {
        self.part(text, 0)
    }

    /// Whether a part of a text is just these bytes.
    pub fn is<const N: usize>(&self, text: &Text<N>, part: usize, mut bytes: &[u8]) -> bool {
        let (from, to) = text.range(part);
        to - from == bytes.len()
            && self
                .part(text, part)
                .all(|piece| match bytes.strip_prefix(piece) {
                    Some(rest) => {
                        bytes = rest;
                        true
                    }
                    None => false,
                })
    }

    /// Copies a text into a buffer, part by part. `None`: the buffer is too small.
    pub fn read<'b, const N: usize>(&self, text: &Text<N>, buffer: &'b mut [u8]) -> Option<[&'b [u8]; N]> {
        let mut w = Writer::new(buffer);
        for part in 0..N {
            w.pieces(self.part(text, part));
        }
        let len = w.end().ok()?;
        let mut rest: &'b [u8] = buffer.get(..len)?;
        let mut parts: [&[u8]; N] = [b""; N];
        for (n, part) in parts.iter_mut().enumerate() {
            let (from, to) = text.range(n);
            (*part, rest) = rest.split_at_checked(to - from)?;
        }
        Some(parts)
    }

    /// Takes a free block; there is one.
    fn take(&mut self) -> u32 {
        let len = self.storage.entries().len() as u32;
        // Not one by one, and not many more than are needed.
        let added = match self.free {
            NONE => self
                .storage
                .grow(ENTRIES.saturating_sub(len as usize).min(16), || Block::EMPTY)
                as u32,
            _ => 0,
        };
        for index in (len..len + added).rev() {
            let free = core::mem::replace(&mut self.free, index);
            if let Some(block) = self.storage.entries_mut().get_mut(index as usize) {
                block.next = Index::new(free);
            }
        }
        let index = self.free;
        if let Some(block) = self.storage.entries_mut().get_mut(index as usize) {
            self.free = core::mem::replace(&mut block.next, Index::NONE).get();
            self.used += 1;
        }
        index
    }
}

/// The pieces of a part of a text, in order.
#[derive(Clone, Debug)]
pub struct Pieces<'t> {
    blocks: &'t [Block],
    next: u32,
    skip: usize,
    left: usize,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        if self.left == 0 {
            return None;
        }
        let block = self.blocks.get(self.next as usize)?;
        let from = core::mem::take(&mut self.skip);
        let piece = block.bytes.get(from..BYTES.min(from + self.left))?;
        self.next = block.next.get();
        self.left -= piece.len();
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Lengths about the edges of blocks, and any.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![
            Just(0),
            Just(1),
            Just(BYTES - 1),
            Just(BYTES),
            Just(BYTES + 1),
            0..300usize
        ];
        len.prop_flat_map(|len| proptest::collection::vec(any::<u8>(), len))
    }

    fn run(
        mut texts: Texts<'_>,
        limit: usize,
        steps: &[(u8, usize, [Vec<u8>; 3])],
    ) -> Result<(), TestCaseError> {
        let mut kept: Vec<(Text<3>, &[Vec<u8>; 3])> = Vec::new();
        for (what, which, parts) in steps {
            let slices = [&parts[0][..], &parts[1], &parts[2]];
            let len: usize = slices.iter().map(|part| part.len()).sum();
            let room = texts.room();
            let n = which % kept.len().max(1);
            match (what, kept.get_mut(n)) {
                (0, Some(_)) => {
                    let (mut text, _) = kept.remove(n);
                    texts.free(&mut text);
                    prop_assert!(text.is_empty());
                }
                (1, Some((text, of))) => {
                    let fits = blocks(len) <= room + blocks(text.len());
                    prop_assert_eq!(texts.replace(text, slices).is_ok(), fits);
                    if fits {
                        *of = parts;
                    }
                }
                _ => match texts.store(slices) {
                    Ok(text) => kept.push((text, parts)),
                    Err(Full) => prop_assert!(blocks(len) > room),
                },
            }
            let used: usize = kept.iter().map(|(text, _)| blocks(text.len())).sum();
            prop_assert_eq!((texts.used(), texts.room()), (used, limit - used));
            for (text, of) in &kept {
                for (n, part) in of.iter().enumerate() {
                    prop_assert_eq!(&texts.part(text, n).flatten().copied().collect::<Vec<_>>(), part);
                    prop_assert!(texts.is(text, n, part));
                    let mut other = part.clone();
                    other.push(0);
                    prop_assert!(!texts.is(text, n, &other));
                    if let Some(last) = part.last() {
                        other = part.clone();
                        *other.last_mut().unwrap() = !last;
                        prop_assert!(!texts.is(text, n, &other));
                    }
                }
                let mut buffer = vec![0; text.len()];
                prop_assert_eq!(
                    texts.read(text, &mut buffer).unwrap().map(<[u8]>::to_vec),
                    (*of).clone()
                );
                prop_assert!(text.is_empty() || texts.read(text, &mut buffer[1..]).is_none());
            }
        }
        for (mut text, _) in kept {
            texts.free(&mut text);
        }
        prop_assert_eq!(texts.used(), 0);
        // Whatever was done, all of it can be taken again.
        let all = vec![1; limit * BYTES];
        let mut text = texts.store([&all]).unwrap();
        prop_assert_eq!(texts.room(), 0);
        texts.free(&mut text);
        Ok(())
    }

    proptest! {
        #[test]
        fn as_vectors(steps in proptest::collection::vec((0u8..4, 0usize..16, [bytes(), bytes(), bytes()]), 1..40)) {
            let mut blocks = [Block::EMPTY; 24];
            run(Texts::new(&mut blocks), 24, &steps)?;
            run(Texts::new(Storage::growable(24)), 24, &steps)?;
        }
    }

    #[test]
    fn too_long_for_a_text() {
        let mut texts = Texts::new(Storage::growable(4_000));
        let long = vec![0; 65_536];
        assert_eq!(texts.store([&long]).map(|_| ()), Err(Full));
        let mut text = Text::EMPTY;
        assert_eq!(texts.replace(&mut text, [&long]), Err(Full));
        assert_eq!(texts.used(), 0);
    }

    #[test]
    fn room_that_is_kept() {
        let mut texts = Texts::new(Storage::growable(4));
        texts.reserve(2);
        assert!(texts.has_room(2 * BYTES) && !texts.has_room(2 * BYTES + 1));
        let mut text = texts.store([&[0; 3 * BYTES]]).unwrap();
        assert!(!texts.has_room(1));
        texts.free(&mut text);
        assert_eq!(texts.used(), 0);
    }
}
