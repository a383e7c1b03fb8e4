//! Records of the form that the first release wrote.

use intelliauth::{
    AccessToken, Error, FileStore, People, Session, SessionKey, SessionRecord, SessionStore,
};
use serde_json::{Value, json};

use super::put;
use crate::support::{
    CLIENT_ID, Server,
    person::{BANKING, HEALTH},
};

/// A directory with a session of the first form, with whatever `change` makes of it.
struct Older {
    server: Server,
    people: People,
    store: FileStore,
    _folder: tempfile::TempDir,
}

impl Older {
    async fn with(change: impl FnOnce(&mut Value)) -> Self {
        let server = Server::for_people().await;
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::in_directory(folder.path().join("sessions"));
        let mut record = json!({
            "version": 1,
            "issuer": server.issuer(),
            "client_id": CLIENT_ID,
            "session": "default",
            "generation": 3,
            "revision": 2,
            "sign_in": 5,
            "signed_in": {
                "account": {"subject": "alice", "name": null, "email": null},
                "identity_scopes": "offline_access openid",
                "families": [{
                    "audience": null,
                    "refresh_token": "R0",
                    "covers": {BANKING: {"granted": "read"}, HEALTH: {"granted": "read"}},
                    "unanswered": 0,
                }],
                "tokens": [],
            },
        });
        change(&mut record);
        let key = SessionKey::new(server.issuer(), CLIENT_ID, "default");
        put(&store, &key, &SessionRecord::from_bytes(record.to_string())).await;
        let people = server.person().store(store.clone()).build().unwrap();
        Self {
            server,
            people,
            store,
            _folder: folder,
        }
    }

    fn session(&self) -> Session {
        self.people.default_session()
    }

    async fn ask(&self, audience: &str) -> Result<AccessToken, Error> {
        self.session().client().get_access_token(audience).await
    }

    /// The record as it is now.
    async fn record(&self) -> Value {
        let key = SessionKey::new(self.server.issuer(), CLIENT_ID, "default");
        let record = self.store.load(&key).await.unwrap().unwrap();
        serde_json::from_slice(record.as_bytes()).unwrap()
    }
}

#[tokio::test]
async fn a_session_of_the_first_form_goes_on_and_is_written_in_the_present_one() {
    let older = Older::with(|_| {}).await;
    older.server.rotates("R0", "R1").expect(1).mount().await;
    let account = older.session().account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some("alice"));
    assert_eq!(older.people.sessions().await.unwrap().len(), 1);
    older.ask(BANKING).await.unwrap();
    let record = older.record().await;
    assert_eq!(record["version"], 2);
    assert!(record["write"].is_string() && record.get("generation").is_none());
    let family = &record["signed_in"]["families"][0];
    assert_eq!(family["refresh_token"], "R1");
    assert!(family.get("unanswered").is_none());
}

#[tokio::test]
async fn a_mark_of_the_first_form_is_not_repeated_since_it_names_no_request() {
    let older = Older::with(|record| {
        record["signed_in"]["families"][0]["unanswered"] = 1.into();
    })
    .await;
    for audience in [BANKING, HEALTH] {
        let error = older.ask(audience).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
    assert_eq!(older.server.count().await, 0, "the token was not sent");
    // Who they are is known, and a sign-in is all that it takes.
    let session = older.session();
    assert!(session.account().await.unwrap().is_some());
    let server = &older.server;
    server.sign_in_as(&session, json!("N0"), &[BANKING]).await;
    server.rotates("N0", "N1").expect(1).mount().await;
    older.ask(BANKING).await.unwrap();
}

#[tokio::test]
async fn access_tokens_of_the_first_form_are_used_also_beside_a_mark() {
    let older = Older::with(|_| {}).await;
    let now = intelliauth::Clock::now(&older.server.clock).wall();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut record = older.record().await;
    record["signed_in"]["families"][0]["unanswered"] = 1.into();
    record["signed_in"]["tokens"] = json!([{
        "audience": BANKING,
        "asked": "",
        "parameters": [],
        "granted": null,
        "access_token": "kept",
        "requested_at": u64::try_from(now.as_millis()).unwrap(),
        "lifetime": 3_600_000,
    }]);
    let key = SessionKey::new(older.server.issuer(), CLIENT_ID, "default");
    let record = SessionRecord::from_bytes(record.to_string());
    put(&older.store, &key, &record).await;
    assert_eq!(older.ask(BANKING).await.unwrap().secret(), "kept");
    older.ask(HEALTH).await.unwrap_err();
    assert_eq!(older.server.count().await, 0);
}

#[tokio::test]
async fn the_largest_numbers_of_the_first_form_do_no_harm() {
    for marks in [0, u32::MAX] {
        let older = Older::with(|record| {
            for number in ["generation", "revision", "sign_in"] {
                record[number] = u64::MAX.into();
            }
            record["signed_in"]["families"][0]["unanswered"] = marks.into();
        })
        .await;
        older.server.rotates("R0", "R1").mount().await;
        assert_eq!(older.ask(BANKING).await.is_ok(), marks == 0);
        let session = older.session();
        assert!(session.account().await.unwrap().is_some());
        let server = &older.server;
        server.sign_in_as(&session, json!("N0"), &[BANKING]).await;
        server.rotates("N0", "N1").mount().await;
        older.ask(BANKING).await.unwrap();
        session.sign_out().await.unwrap();
        assert_eq!(session.account().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_session_whose_record_names_no_sign_in_is_signed_out_of_like_any_other() {
    for is_read_before in [false, true] {
        let older = Older::with(|record| {
            let members = record.as_object_mut().unwrap();
            members.remove("sign_in");
            members.remove("revision");
        })
        .await;
        let session = older.session();
        if is_read_before {
            older.server.rotates("R0", "R1").mount().await;
            older.ask(BANKING).await.unwrap();
        }
        session.sign_out().await.unwrap();
        assert_eq!(session.account().await.unwrap(), None);
        let error = older.ask(BANKING).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        assert!(older.record().await["signed_in"].is_null());
        assert_eq!(older.server.count_at("/oauth2/revoke").await, 1);
    }
}

#[tokio::test]
async fn a_record_with_the_latest_date_of_all_lets_its_person_sign_out_and_in() {
    let older = Older::with(|record| {
        record["version"] = json!(2);
        record["since"] = json!(u64::MAX);
        record["ended"] = json!(u64::MAX);
    })
    .await;
    let session = older.session();
    for round in 0..3 {
        session.sign_out().await.unwrap();
        assert_eq!(session.account().await.unwrap(), None, "{round}");
        older.server.sign_in(&session).await;
        older.people.close().await.unwrap();
        // Another process, which has seen none of it.
        let people = older.server.person().store(older.store.clone());
        let other = people.build().unwrap().default_session();
        assert!(other.account().await.unwrap().is_some(), "{round}");
    }
}
