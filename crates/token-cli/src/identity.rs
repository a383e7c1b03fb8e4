//! The SDK's client for the person or application that the settings name, and the one place that says where sessions are kept.

use std::io;

use intelliauth::{
    AccessToken, Client, Error, FileStore, People, RefreshAhead, Secret, Session, SessionInfo,
    TokenRequest,
};

use crate::{
    failure::{Exit, Failure},
    places::Places,
    settings::{SecretPlace, Settings},
};

/// Who asks for tokens.
#[derive(Debug)]
pub(crate) enum Identity {
    Person { people: People, session: Session },
    Application(Client),
}

/// Where sessions are kept: plain files that only this user can read.
fn store(places: &Places) -> FileStore {
    FileStore::in_directory(&places.sessions)
}

impl Identity {
    /// Builds the client; sends nothing and reads no session.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Failure> {
        let profile = &settings.profile;
        if settings.is_person() {
            let people = people(settings)?;
            let session = people.session(&settings.account);
            return Ok(Self::Person { people, session });
        }
        let builder = Client::for_application(&profile.tenant_url, &profile.client_id)
            .dialect(profile.dialect.dialect())
            .refresh_ahead(RefreshAhead::Inline);
        let client = match settings.secret.clone() {
            SecretPlace::Nowhere => builder.build(),
            SecretPlace::File(path) => builder.client_secret_file(path).build(),
            SecretPlace::Variable(name) => builder
                .client_secret_from(move || {
                    let unset = |_| io::Error::other(format!("{name} is not set"));
                    std::env::var(&name).map(Secret::from).map_err(unset)
                })
                .build(),
        };
        Ok(Self::Application(client?))
    }

    /// The client that gets the tokens.
    pub(crate) fn client(&self) -> &Client {
        match self {
            Self::Person { session, .. } => session.client(),
            Self::Application(client) => client,
        }
    }

    /// Waits for what is under way, so that the end of the program loses nothing.
    pub(crate) async fn close(&self) -> Result<(), Failure> {
        let closed = match self {
            Self::Person { people, .. } => people.close().await,
            Self::Application(client) => client.close().await,
        };
        closed.map_err(|error| Failure::of(&error, false))
    }

    /// A token, by a request that prompts no person.
    pub(crate) async fn get(&self, request: &TokenRequest<'_>) -> Result<AccessToken, Error> {
        self.client().get_access_token(request).await
    }
}

/// All sessions of the application that the settings name.
pub(crate) fn people(settings: &Settings) -> Result<People, Failure> {
    let profile = &settings.profile;
    let builder = Client::for_person(&profile.tenant_url, &profile.client_id)
        .dialect(profile.dialect.dialect())
        // A short program ends before a background refresh would.
        .refresh_ahead(RefreshAhead::Inline)
        .store(store(&settings.places));
    let people = match settings.secret.clone() {
        SecretPlace::File(path) => builder.client_secret_file(path).build(),
        _ => builder.build(),
    };
    Ok(people?)
}

/// What the store holds of the settings' session.
pub(crate) async fn info(
    people: &People,
    settings: &Settings,
) -> Result<Option<SessionInfo>, Failure> {
    let mut sessions = all(people).await?;
    let own = sessions
        .iter()
        .position(|session| session.name() == settings.account);
    Ok(own.map(|index| sessions.swap_remove(index)))
}

/// What the store holds of all sessions.
pub(crate) async fn all(people: &People) -> Result<Vec<SessionInfo>, Failure> {
    let listed = people.sessions().await;
    listed.map_err(|error| Failure::of(&error, false).then("intelliauth-token doctor"))
}

/// Refuses a command that is about people, for an application.
pub(crate) fn person_only(settings: &Settings, command: &str) -> Result<(), Failure> {
    if settings.is_person() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "usage",
        format!("`{command}` is about people, and an application acts for itself here"),
    )
    .advising("ask for a token at once, or add --as person"))
}
