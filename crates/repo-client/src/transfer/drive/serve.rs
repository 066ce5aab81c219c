//! A run whose files are ordered while it goes on.

use super::{Drive, Sharing};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::transfer::limits::TransferLimits;
use crate::transfer::orders::Orders;

/// Runs a transfer whose files are ordered while it goes on, until nobody orders more.
///
/// # Errors
/// As those of [`transfer`]; what is ordered then is not answered.
pub(crate) async fn serve(
    client: &Client,
    limits: TransferLimits,
    orders: &Orders,
    observer: &dyn Observer,
) -> Result<()> {
    if !orders.any().await {
        return Ok(());
    }
    let how = (Sharing::Spread { each: true }, limits);
    let mut sink = |id, outcome| {
        orders.answer(id, outcome);
        Ok(())
    };
    let mut drive = Drive::new(client, how, orders.bell(), observer, &mut sink);
    let mut outcome = Ok(());
    while outcome.is_ok() && orders.any().await {
        outcome = drive.add(orders.take());
        let wanted = || client.stopped() || orders.is_waiting();
        if outcome.is_ok() {
            outcome = match drive.go(&wanted).await {
                Err(Error::Stopped) if !client.stopped() => Ok(()),
                other => other,
            };
        }
    }
    let ended = drive.end(outcome).map(drop);
    orders.end();
    ended
}
