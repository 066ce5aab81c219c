//! Bundles for sites without a network: asked for inside, made outside, carried, applied inside.
//!
//! | module | what it knows |
//! |---|---|
//! | [`request`] | what a host asks for |
//! | [`make`] | what the requests need, less what the site has, as files |
//! | [`contents`] [`archive`] | what a bundle says of itself; the tar file it is |
//! | [`opened`] | a bundle from outside: signature, then every digest |
//! | [`apply`] | what clients see afterwards; nothing changes before all is checked |
//! | [`record`] | which bundles were made, applied, confirmed |
//!
//! A bundle describes the whole set that the site has afterwards and carries the files that it lacks,
//! so that an incremental one cannot leave a hole: a file that is neither in it nor in the site's
//! store refuses it. Unpacked by tar, it is a plain repository of the packages that it brings.

pub(crate) mod apply;
pub(crate) mod archive;
pub(crate) mod contents;
pub(crate) mod make;
pub(crate) mod opened;
pub(crate) mod record;
pub(crate) mod request;
