//! A tenant's configuration file.

use std::fs;
use std::path::Path;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::check::check;
use super::reader::{Reader, Source, listed, nearest};
use super::{Api, Application, ApplicationKind, Config, ConfigError, Switches, User};
use crate::secret::Secret;

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the line, the column and the fix.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        read(text)
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file, the line, the column and the fix.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let reason = format!("cannot be read: {error}; give a TOML file in UTF-8");
            ConfigError::new(reason, None).in_file(&file)
        })?;
        Self::from_toml(&text).map_err(|error| error.in_file(&file))
    }
}

fn read(text: &str) -> Result<Config, ConfigError> {
    let source = Source::new(text);
    let document = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        source.error(offset, format!("not TOML: {}", error.message()))
    })?;
    let document = Reader::document(&source, document.get_ref(), &DOCUMENT)?;
    let config = tenant(&source, &document)?;
    check(&config).map_err(|problem| source.error_at(&problem.path, problem.message))?;
    Ok(config)
}

fn tenant(source: &Source<'_>, document: &Reader<'_, '_>) -> Result<Config, ConfigError> {
    let tenant = document
        .table("tenant", "[tenant]", &TENANT)?
        .ok_or_else(|| {
            document.error(
                "there is no [tenant]; add [tenant] with name = \"...\" and organisation = \"...\"",
            )
        })?;
    let mut config = Config::new(
        tenant.required_string("name")?,
        tenant.required_string("organisation")?,
    );
    config.issuer_path = tenant.string("issuer_path")?.unwrap_or_default();
    config.admin_token = tenant.string("admin_token")?.map(Secret::new);
    if let Some(value) = document.value("switches") {
        config.switches = switches(source, value)?;
    }
    for table in document.tables("api", "[[api]]", &API)? {
        config.apis.push(api(&table)?);
    }
    for table in document.tables("application", "[[application]]", &APPLICATION)? {
        config.applications.push(application(source, &table)?);
    }
    for table in document.tables("user", "[[user]]", &USER)? {
        config.users.push(user(&table)?);
    }
    Ok(config)
}

fn api(table: &Reader<'_, '_>) -> Result<Api, ConfigError> {
    let mut api = Api::new(table.required_string("audience")?);
    if let Some(name) = table.string("name")? {
        api = api.name(name);
    }
    for scope in table.tables("scopes", "a scope", &SCOPE)? {
        // A missing name or description stays empty here: the check names the API as well.
        api = api.scope(
            scope.required_string("scope")?,
            scope.string("name")?.unwrap_or_default(),
            scope.string("description")?.unwrap_or_default(),
        );
    }
    Ok(api)
}

fn application(source: &Source<'_>, table: &Reader<'_, '_>) -> Result<Application, ConfigError> {
    let id = table.required_string("id")?;
    let kind = table.required_string("type")?;
    let kind =
        kind_of(&kind).map_err(|message| source.error_at(&table.path_of("type"), message))?;
    let secret = table.string("secret")?.map(Secret::new);
    let mut application = Application::new(id, kind, secret)
        .allow_scopes(table.strings("allowed_scopes")?)
        .allow_audiences(table.strings("allowed_audiences")?);
    application.audience = table.string("audience")?;
    application.token_lifetime = table.seconds("token_lifetime")?;
    application.redirect_uris = table.strings("redirect_uris")?;
    application.logout_uris = table.strings("logout_uris")?;
    application.enabled = table.boolean("enabled")?.unwrap_or(true);
    if let Some(name) = table.string("name")? {
        application.name = name;
    }
    Ok(application)
}

fn kind_of(word: &str) -> Result<ApplicationKind, String> {
    match word {
        "service" => Ok(ApplicationKind::Service),
        "web" => Ok(ApplicationKind::Web),
        "native" => Ok(ApplicationKind::Native),
        "browser" => Ok(ApplicationKind::Browser),
        _ => Err(format!(
            "unknown type `{word}`; use one of {}",
            listed(&KINDS)
        )),
    }
}

fn user(table: &Reader<'_, '_>) -> Result<User, ConfigError> {
    let mut user = User::new(
        table.required_string("id")?,
        table.required_string("email")?,
        table.required_string("password")?,
    );
    user.enabled = table.boolean("enabled")?.unwrap_or(true);
    user.second_factor = table.string("second_factor")?.map(Secret::new);
    if table.value("entitlements").is_some() {
        user = user.entitle(table.strings("entitlements")?);
    }
    if let Some(name) = table.string("name")? {
        user = user.name(name);
    }
    Ok(user)
}

fn switches(source: &Source<'_>, value: &Spanned<DeValue<'_>>) -> Result<Switches, ConfigError> {
    let names = switch_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let table = value.get_ref().as_table();
    let keys = table.into_iter().flat_map(|table| table.keys());
    let unknown = keys.filter(|key| !names.contains(&key.get_ref().as_ref()));
    if let Some(key) = unknown.min_by_key(|key| key.span().start) {
        let fix = match nearest(key.get_ref(), &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", listed(&names)),
        };
        let message = format!("unknown switch `{}`; {fix}", key.get_ref());
        return Err(source.error(key.span().start, message));
    }
    let start = value.span().start;
    Switches::deserialize(ValueDeserializer::from(value.clone())).map_err(|error| {
        let offset = error.span().map_or(start, |span| span.start);
        source.error(offset, error.message().to_owned())
    })
}

/// The names of all switches, from their own serialisation: there is no second list.
fn switch_names() -> Vec<String> {
    let json = serde_json::to_value(Switches::default()).unwrap_or_default();
    json.as_object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default()
}

const DOCUMENT: [&str; 5] = ["tenant", "switches", "api", "application", "user"];
const TENANT: [&str; 4] = ["name", "organisation", "issuer_path", "admin_token"];
const API: [&str; 3] = ["audience", "name", "scopes"];
const SCOPE: [&str; 3] = ["scope", "name", "description"];
const APPLICATION: [&str; 11] = [
    "id",
    "name",
    "type",
    "secret",
    "allowed_scopes",
    "allowed_audiences",
    "audience",
    "token_lifetime",
    "redirect_uris",
    "logout_uris",
    "enabled",
];
const USER: [&str; 7] = [
    "id",
    "name",
    "email",
    "password",
    "second_factor",
    "entitlements",
    "enabled",
];
const KINDS: [&str; 4] = ["service", "web", "native", "browser"];
