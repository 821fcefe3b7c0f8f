//! What the bytes of an input decide, one after the other; when they are used up, everything is 0.

pub struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// What stands before the next line feed.
    pub fn line(&mut self) -> &'a [u8] {
        let line = self.0.split(|&b| b == b'\n').next().unwrap_or_default();
        self.0 = self.0.get(line.len() + 1..).unwrap_or_default();
        line
    }
}
