//! Iterators over the values of one entry.

/// The strings of an entry, without their NULs.
#[derive(Debug, Clone, Default)]
pub struct Strings<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Strings<'a> {
    pub(super) fn new(data: &'a [u8], count: u32) -> Self {
        Strings {
            rest: data,
            left: count,
        }
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let end = memchr::memchr(0, self.rest)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Some(text)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Strings<'_> {}

/// Makes an iterator over big-endian integers.
macro_rules! integers {
    ($(#[$doc:meta])* $name:ident, $int:ty, $size:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name<'a>(std::slice::Iter<'a, [u8; $size]>);

        impl<'a> $name<'a> {
            pub(super) fn new(data: &'a [u8]) -> Self {
                $name(data.as_chunks::<$size>().0.iter())
            }
        }

        impl Iterator for $name<'_> {
            type Item = $int;

            fn next(&mut self) -> Option<$int> {
                self.0.next().map(|bytes| <$int>::from_be_bytes(*bytes))
            }

            fn nth(&mut self, n: usize) -> Option<$int> {
                self.0.nth(n).map(|bytes| <$int>::from_be_bytes(*bytes))
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl ExactSizeIterator for $name<'_> {}
    };
}

integers!(
    /// 16-bit integers.
    U16s, u16, 2
);
integers!(
    /// 32-bit integers.
    U32s, u32, 4
);
integers!(
    /// 64-bit integers.
    U64s, u64, 8
);
