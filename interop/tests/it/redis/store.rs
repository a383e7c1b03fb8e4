//! A store of sessions in Redis: an example, for programs on any number of machines.
//!
//! It is right for one server that keeps what it has acknowledged (`appendonly yes`, `appendfsync
//! always`) and evicts nothing (`maxmemory-policy noeviction`). A replica that takes over may have
//! missed the last writes: a person may have to sign in again then, and a sign-out may be undone.
//!
//! - A record is a hash beside its version, and a script compares and replaces in one step.
//! - A lock is a lease ([`SessionLock::lease`]), told from others by a token.
//! - The connection is made by the first call, so on the runtime of the client, and comes back by itself.

use std::{sync::Arc, time::Duration};

use intelliauth::{
    FamilyKey, Lease, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError,
    StoreErrorKind, Version,
};
use redis::{
    Client, FromRedisValue, RedisResult, ToRedisArgs,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

const LOAD: &str = "return redis.call('HGET', KEYS[1], 'record')";
const SAVE: &str = "
    if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return 0 end
    redis.call('HSET', KEYS[1], 'version', ARGV[2], 'record', ARGV[3])
    redis.call('EXPIREAT', KEYS[1], ARGV[4] or '99999999999')
    return 1";
const SET_ASIDE: &str = "
    if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return end
    redis.call('RENAME', KEYS[1], 'aside:' .. KEYS[1] .. ':' .. ARGV[1])";
/// It keeps the server busy for a moment; with millions of sessions, `SCAN` does not.
const LIST: &str = "return redis.call('KEYS', KEYS[1])";
const TAKE: &str = "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0";
/// For no time at all is to free it.
const RENEW: &str = "
    return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0";

#[derive(Clone, Debug)]
pub(crate) struct RedisStore {
    client: Client,
    connection: Arc<OnceCell<ConnectionManager>>,
}

impl RedisStore {
    pub(crate) fn new(url: &str) -> RedisResult<Self> {
        let (client, connection) = (Client::open(url)?, Arc::default());
        Ok(Self { client, connection })
    }

    async fn run<T: FromRedisValue>(
        &self,
        script: &str,
        key: &str,
        arguments: impl ToRedisArgs,
    ) -> Result<T, StoreError> {
        let mut eval = cmd("EVAL");
        eval.arg(script).arg(1).arg(key).arg(arguments);
        // Shorter than the time that the client gives a call, so that the error says what failed.
        let limit = Some(Duration::from_secs(4));
        let config = ConnectionManagerConfig::new().set_response_timeout(limit);
        let connect = || self.client.get_connection_manager_with_config(config);
        let answer: RedisResult<T> = async {
            let connection = self.connection.get_or_try_init(connect).await?;
            eval.query_async(&mut connection.clone()).await
        }
        .await;
        let failed = StoreError::new(StoreErrorKind::Io, "Redis did not do what it was asked for");
        answer.map_err(|error| failed.caused_by(error))
    }
}

impl SessionStore for RedisStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let found: Option<Vec<u8>> = self.run(LOAD, &name(key), "").await?;
        Ok(found.map(SessionRecord::from_bytes))
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        record.ensure_fits(self.record_limit())?;
        let replacing = replacing.map_or(String::new(), |version| version.to_string());
        let (version, until) = (record.version().to_string(), record.keep_until_unix());
        let arguments = (replacing, version, record.as_bytes(), until);
        let is_saved: bool = self.run(SAVE, &name(key), arguments).await?;
        Ok(Saved::from(is_saved))
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        let lock = format!("lock:{}", family.digest());
        SessionLock::lease(RedisLease(self.clone(), lock, Uuid::new_v4()), patience).await
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.run(SET_ASIDE, &name(key), version.to_string()).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        let keys: Vec<String> = self.run(LIST, "session:*", "").await?;
        for key in keys {
            if let Some(bytes) = self.run::<Option<Vec<u8>>>(LOAD, &key, "").await? {
                visit(SessionRecord::from_bytes(bytes));
            }
        }
        Ok(())
    }
}

fn name(key: &SessionKey) -> String {
    format!("session:{}", key.digest())
}

/// The store, the lock's name, and what tells its holder from others.
struct RedisLease(RedisStore, String, Uuid);

impl Lease for RedisLease {
    async fn take(&self, lasting: Duration) -> Result<bool, StoreError> {
        let arguments = (self.2.to_string(), lasting.as_millis().to_string());
        self.0.run(TAKE, &self.1, arguments).await
    }

    async fn renew(&self, lasting: Duration) -> Result<bool, StoreError> {
        let arguments = (self.2.to_string(), lasting.as_millis().to_string());
        self.0.run(RENEW, &self.1, arguments).await
    }

    async fn free(&self) -> Result<(), StoreError> {
        self.renew(Duration::ZERO).await.map(drop)
    }
}
