//! Names of the things in the picture: an index with a type, and tables that only it opens.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// The place of something in its [`Table`].
pub(crate) trait Id: Copy {
    fn new(place: usize) -> Self;
    fn place(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(usize);

        impl Id for $name {
            fn new(place: usize) -> Self {
                Self(place)
            }

            fn place(self) -> usize {
                self.0
            }
        }
    )*};
}

ids! {
    /// A file of the run.
    FileId
    /// A server of the run.
    HostId
    /// One of the URLs of one file, in the order of its request.
    SourceId
}

/// Things with ids. Nothing is ever taken out, so every id that a table gave stays good.
#[derive(Clone)]
pub(crate) struct IdTable<I, T> {
    rows: Vec<T>,
    ids: PhantomData<fn() -> I>,
}

impl<I: Id, T> IdTable<I, T> {
    pub(crate) fn new() -> Self {
        Vec::new().into()
    }

    /// Adds a thing.
    pub(crate) fn push(&mut self, row: T) -> I {
        self.rows.push(row);
        I::new(self.rows.len() - 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = I> + use<I, T> {
        (0..self.rows.len()).map(I::new)
    }

    /// All with their ids, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.ids().zip(&self.rows)
    }

    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    pub(crate) fn rows_mut(&mut self) -> &mut [T] {
        &mut self.rows
    }
}

impl<I, T> From<Vec<T>> for IdTable<I, T> {
    fn from(rows: Vec<T>) -> Self {
        Self {
            rows,
            ids: PhantomData,
        }
    }
}

impl<I: Id, T> Index<I> for IdTable<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.rows[id.place()]
    }
}

impl<I: Id, T> IndexMut<I> for IdTable<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.rows[id.place()]
    }
}

impl<I, T: fmt::Debug> fmt::Debug for IdTable<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}
