//! Against a server that misbehaves, a real nginx, and real TLS.

mod fixture;
mod metadata;
mod packages;
mod resume;
mod tls;
