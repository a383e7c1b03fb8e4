//! A person's session: what is redeemed, kept, adopted and given up, by counting requests.

mod adopted;
mod apart;
mod covered;
mod ended;
mod failing_store;
mod held_up;
mod in_memory;
mod kept_until;
mod listed;
mod many;
mod older;
mod outliving;
mod prompting;
mod redeeming;
mod same_person;
mod signed_out;
mod small_store;
mod unanswering;
mod unkept;

use intelliauth::{Error, Saved, Session, SessionKey, SessionRecord, SessionStore};

async fn ask(session: &Session, audience: &str) -> Result<(), Error> {
    session
        .client()
        .get_access_token(audience)
        .await
        .map(|_| ())
}

/// Replaces whatever is in the store.
async fn put(store: &impl SessionStore, key: &SessionKey, record: &SessionRecord) {
    let there = store.load(key).await.unwrap();
    let there = there.map(|there| there.version());
    let saved = store.save(key, record, there).await.unwrap();
    assert_eq!(saved, Saved::Saved);
}
