//! A person's session: what is redeemed, kept, adopted and given up, by counting requests.

mod adopted;
mod apart;
mod covered;
mod ended;
mod failing_store;
mod held_up;
mod in_memory;
mod outliving;
mod prompting;
mod redeeming;
mod signed_out;

use intelliauth::{Client, Error};

async fn ask(client: &Client, audience: &str) -> Result<(), Error> {
    client.get_access_token(audience).await.map(|_| ())
}
