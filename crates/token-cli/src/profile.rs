//! Profiles: the tenants and applications that a person uses, by name, in a TOML file.

mod file;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

pub(crate) use file::ProfileFile;
use intelliauth::Dialect;
use serde::{Deserialize, Serialize};

/// One application at one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The issuer, as its metadata calls it.
    pub(crate) tenant_url: String,
    pub(crate) client_id: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) kind: Kind,
    /// The account that is used where the command line names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// The file that the application's secret is in; a relative path starts at the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The environment's variable that the application's secret is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_env: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) dialect: DialectName,
    /// Scopes of the person's identity that a sign-in asks for, such as `profile` and `email`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) sign_in_scopes: BTreeSet<String>,
    /// What a sign-in asks for where the command line names nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) audiences: BTreeSet<String>,
    /// The scopes that a sign-in asks for, by audience.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) scopes: BTreeMap<String, BTreeSet<String>>,
}

/// Who acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A person, who signs in.
    #[default]
    Person,
    /// The application itself, with its secret (client credentials).
    Application,
}

/// How the issuer speaks OAuth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DialectName {
    /// The platform.
    #[default]
    Intelliauth,
    /// A server that follows RFC 8707.
    ResourceIndicators,
    /// The same, with a sign-in for each API.
    FamilyPerAudience,
}

impl Profile {
    /// What a sign-in asks for: the scopes by audience.
    pub(crate) fn access(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut access = self.scopes.clone();
        for audience in &self.audiences {
            access.entry(audience.clone()).or_default();
        }
        access
    }
}

impl DialectName {
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Intelliauth => Dialect::intelliauth(),
            Self::ResourceIndicators => Dialect::resource_indicators(),
            Self::FamilyPerAudience => Dialect::family_per_audience(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
