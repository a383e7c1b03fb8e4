//! A person's session: what is redeemed, kept, adopted and given up, by counting requests.

mod adopted;
mod apart;
mod covered;
mod ended;
mod failing_store;
mod outliving;
mod prompting;
mod redeeming;

use intelliauth::{Client, Error};

async fn ask(client: &Client, audience: &str) -> Result<(), Error> {
    client.get_access_token(audience).await.map(|_| ())
}
