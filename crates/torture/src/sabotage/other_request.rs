//! A store whose marks name another request than the one that was sent.

use std::time::Duration;

use intelliauth::{
    FamilyKey, FileStore, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError,
    Version,
};
use serde_json::Value;

use crate::issuer::audience;

/// Reads marks as if they had been written for another API.
#[derive(Clone, Debug)]
pub(crate) struct OtherRequest(pub(crate) FileStore);

impl SessionStore for OtherRequest {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let record = self.0.load(key).await?;
        Ok(record.map(|record| {
            let altered = for_another_api(record.as_bytes());
            altered.map_or(record, SessionRecord::from_bytes)
        }))
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        self.0.save(key, record, replacing).await
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        self.0.lock(family, patience).await
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.0.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        self.0.list(visit).await
    }
}

/// The record with each mark changed, if there is one.
fn for_another_api(record: &[u8]) -> Option<Vec<u8>> {
    let mut record: Value = serde_json::from_slice(record).ok()?;
    let families = record["signed_in"]["families"].as_array_mut()?;
    let mut requests: Vec<&mut Value> = families
        .iter_mut()
        .filter_map(|family| family.get_mut("mark")?.get_mut("request"))
        .collect();
    requests.first()?;
    for request in &mut requests {
        let number = u16::from(request["audience"] == audience(0));
        request["audience"] = audience(number).into();
    }
    serde_json::to_vec(&record).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_is_for_another_api_and_nothing_else_changes() {
        let record = |audience: Value| {
            json!({ "version": 2, "write": "00000000000000a3", "signed_in": { "families": [
                { "refresh_token": "R", "mark": { "attempts": [{ "id": 1, "at": 1 }],
                  "request": { "audience": audience, "scopes": [], "parameters": [] } } } ] } })
        };
        let altered = |before: Value| -> Option<Value> {
            let altered = for_another_api(before.to_string().as_bytes())?;
            serde_json::from_slice(&altered).ok()
        };
        let (first, second) = (json!(audience(0)), json!(audience(1)));
        assert_eq!(altered(record(first.clone())), Some(record(second.clone())));
        assert_eq!(altered(record(second)), Some(record(first)));
        let unmarked = json!({ "signed_in": { "families": [{ "refresh_token": "R" }] } });
        assert_eq!(altered(unmarked), None);
        assert_eq!(altered(json!({ "signed_in": null })), None);
    }
}
