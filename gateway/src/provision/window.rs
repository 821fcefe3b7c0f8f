//! Files that never lie in memory whole: each is written anew for every piece of it, and only the piece is kept.

use core::fmt::{self, Write};

/// A piece of a text: its bytes from an offset on, as many as the buffer takes.
pub struct Window<'b> {
    /// Bytes before the piece that are still to come.
    skip: usize,
    buffer: &'b mut [u8],
    len: usize,
    total: usize,
}

impl<'b> Window<'b> {
    /// The piece from `offset` on.
    pub fn new(offset: usize, buffer: &'b mut [u8]) -> Self {
        Self {
            skip: offset,
            buffer,
            len: 0,
            total: 0,
        }
    }

    /// Bytes of the piece that are in the buffer.
    pub fn filled(&self) -> usize {
        self.len
    }

    /// Bytes written, in the piece or not: at the end the length of the file.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.total += text.len();
        let skipped = self.skip.min(text.len());
        self.skip -= skipped;
        let bytes = text.as_bytes().get(skipped..).unwrap_or_default();
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
        let n = room.len().min(bytes.len());
        if let (Some(to), Some(from)) = (room.get_mut(..n), bytes.get(..n)) {
            to.copy_from_slice(from);
            self.len += n;
        }
        Ok(())
    }
}

/// Text as content of an XML element (XML 1.0 §2.4); what no XML document may hold (§2.2) is left out.
pub struct Xml<'a>(pub &'a str);

impl fmt::Display for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '\u{fffe}' | '\u{ffff}' => {}
                letter if letter.is_control() => {}
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// Text as value between the quotes of a Panasonic file, which knows no escape: a quote and what would end the line are
/// left out.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .filter(|letter| *letter != '"' && !letter.is_control())
            .try_for_each(|letter| f.write_char(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn pieces_are_the_whole() {
        let text = ["ab", "", "cdefgh", "i", "jk"];
        let whole = text.concat();
        for offset in 0..whole.len() + 2 {
            for size in 0..whole.len() + 2 {
                let mut buffer = std::vec![0; size];
                let mut window = Window::new(offset, &mut buffer);
                for part in text {
                    window.write_str(part).unwrap();
                }
                let (len, total) = (window.filled(), window.total());
                let end = whole.len().min(offset + size);
                assert_eq!(
                    &buffer[..len],
                    whole.as_bytes().get(offset..end).unwrap_or_default()
                );
                assert_eq!(total, whole.len());
            }
        }
    }

    #[test]
    fn what_means_something_is_escaped() {
        assert_eq!(
            Xml("a<b>&\"電話\u{7}\u{fffe}").to_string(),
            "a&lt;b&gt;&amp;\"電話"
        );
        assert_eq!(Quoted("a\"b\r\nc 電話=").to_string(), "abc 電話=");
    }
}
