//! Who asks which issuer: flag > environment > profile.

use std::path::PathBuf;

use intelliauth::DEFAULT_SESSION;

use crate::{
    arguments::Who,
    environment::Environment,
    failure::Failure,
    places::Places,
    profile::{Kind, Profile, ProfileFile},
    shell,
};

/// What a command works with, once everything that may say something about it was read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The profile that it is from, or that fills the gaps.
    pub(crate) name: Option<String>,
    pub(crate) profile: Profile,
    /// The session's name.
    pub(crate) account: String,
    pub(crate) secret: SecretPlace,
    pub(crate) places: Places,
    /// The flags that make another command mean the same.
    flags: Vec<String>,
}

/// Where the application's secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// It has none.
    Nowhere,
    Variable(String),
    File(PathBuf),
}

const TENANT_URL: &str = "INTELLIAUTH_TENANT_URL";
const CLIENT_ID: &str = "INTELLIAUTH_CLIENT_ID";
const M2M_CLIENT_ID: &str = "INTELLIAUTH_M2M_CLIENT_ID";
const M2M_CLIENT_SECRET: &str = "INTELLIAUTH_M2M_CLIENT_SECRET";

impl Settings {
    /// Reads the flags, the environment and the profile.
    ///
    /// A profile that the command line names comes before the environment's tenant and application:
    /// otherwise a forgotten variable would send a person to the wrong tenant.
    pub(crate) fn resolve(who: &Who, environment: &Environment) -> Result<Self, Failure> {
        let places = Places::find(environment)?;
        let told = Told::new(who, environment);
        let file = if told.is_complete() && who.profile.is_none() {
            ProfileFile::default()
        } else {
            ProfileFile::read(&places)?
        };
        let named = who.profile.clone().or_else(|| {
            let is_needed = !told.is_complete();
            let chosen = environment
                .text("INTELLIAUTH_PROFILE")
                .or_else(|| file.in_use().map(str::to_owned));
            chosen.filter(|_| is_needed)
        });
        let base = match &named {
            Some(name) => file.get(name)?.clone(),
            None => Profile::default(),
        };
        let account = who
            .account
            .clone()
            .or_else(|| environment.text("INTELLIAUTH_ACCOUNT"))
            .or_else(|| base.account.clone());
        let (profile, secret) = told.over(base, &places)?;
        if profile.tenant_url.is_empty() || profile.client_id.is_empty() {
            return Err(nothing_configured(&file));
        }
        Ok(Self {
            flags: flags(who, named.as_deref(), account.as_deref()),
            account: account.unwrap_or_else(|| DEFAULT_SESSION.to_owned()),
            name: named,
            profile,
            secret,
            places,
        })
    }

    /// The command line that does something with the same settings.
    pub(crate) fn command<'a>(&'a self, words: impl IntoIterator<Item = &'a str>) -> String {
        let flags = self.flags.iter().map(String::as_str);
        shell::line(["intelliauth-token"].into_iter().chain(words).chain(flags))
    }

    /// Whether a person signs in.
    pub(crate) fn is_person(&self) -> bool {
        self.profile.kind == Kind::Person
    }
}

/// What the command line and the environment say about tenant and application.
struct Told {
    tenant_url: Option<String>,
    client_id: Option<String>,
    kind: Option<Kind>,
    /// Whether the application is the one of `INTELLIAUTH_M2M_CLIENT_ID`.
    is_m2m: bool,
    has_secret: bool,
}

impl Told {
    fn new(who: &Who, environment: &Environment) -> Self {
        let variable = |name: &str| match who.profile {
            Some(_) => None,
            None => environment.text(name),
        };
        let person = who.client_id.clone().or_else(|| variable(CLIENT_ID));
        let m2m = variable(M2M_CLIENT_ID);
        let is_m2m = m2m.is_some()
            && match who.kind {
                Some(kind) => kind == Kind::Application && who.client_id.is_none(),
                None => person.is_none(),
            };
        Self {
            tenant_url: who.tenant_url.clone().or_else(|| variable(TENANT_URL)),
            client_id: if is_m2m { m2m } else { person },
            kind: who.kind.or_else(|| is_m2m.then_some(Kind::Application)),
            is_m2m,
            has_secret: environment.has(M2M_CLIENT_SECRET),
        }
    }

    /// Whether no profile is needed.
    fn is_complete(&self) -> bool {
        self.tenant_url.is_some() && self.client_id.is_some()
    }

    fn over(self, base: Profile, places: &Places) -> Result<(Profile, SecretPlace), Failure> {
        if self.is_m2m && self.tenant_url.is_none() {
            // A secret of the environment goes to no tenant that only a profile names.
            return Err(
                Failure::usage(format!("{M2M_CLIENT_ID} is set, and {TENANT_URL} is not"))
                    .advising(format!(
                        "set {TENANT_URL} to the tenant of that application, or name a profile"
                    )),
            );
        }
        let is_other = self.tenant_url.is_some() || self.client_id.is_some();
        let mut secret = match (&base.client_secret_env, &base.client_secret_file) {
            (Some(name), _) => SecretPlace::Variable(name.clone()),
            (None, Some(file)) => SecretPlace::File(places.configuration.join(file)),
            (None, None) => SecretPlace::Nowhere,
        };
        // The profile's secret is for its own application alone.
        if is_other {
            secret = SecretPlace::Nowhere;
        }
        let profile = Profile {
            tenant_url: self.tenant_url.unwrap_or(base.tenant_url),
            client_id: self.client_id.unwrap_or(base.client_id),
            kind: self.kind.unwrap_or(base.kind),
            ..base
        };
        let wants_secret = profile.kind == Kind::Application && secret == SecretPlace::Nowhere;
        if wants_secret && is_other && self.has_secret {
            secret = SecretPlace::Variable(M2M_CLIENT_SECRET.to_owned());
        } else if wants_secret {
            return Err(Failure::usage(format!(
                "there is no secret for the application `{}`",
                profile.client_id
            ))
            .advising(format!(
                "set {TENANT_URL}, {M2M_CLIENT_ID} and {M2M_CLIENT_SECRET}, or name client_secret_file or client_secret_env in the profile"
            )));
        }
        Ok((profile, secret))
    }
}

fn nothing_configured(file: &ProfileFile) -> Failure {
    if file.profiles.is_empty() {
        return Failure::usage("no tenant is configured").then(
            "intelliauth-token profile add main --tenant-url https://TENANT --client-id app_ID",
        );
    }
    let names: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
    Failure::usage(format!(
        "there are several profiles, and none is in use: {}",
        names.join(", ")
    ))
    .then(format!("intelliauth-token profile use {}", names[0]))
}

/// What has to be repeated so that another command has the same settings: the environment need not be.
fn flags(who: &Who, profile: Option<&str>, account: Option<&str>) -> Vec<String> {
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            flags.extend([name.to_owned(), value.to_owned()]);
        }
    };
    flag("--profile", profile);
    flag("--tenant-url", who.tenant_url.as_deref());
    flag("--client-id", who.client_id.as_deref());
    flag("--account", account);
    flags
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PROFILES: &str = "[profile.one]\ntenant_url = \"https://one.example\"\nclient_id = \"app_one\"\naccount = \"alice\"\n\n[profile.jobs]\ntenant_url = \"https://jobs.example\"\nclient_id = \"app_jobs\"\nkind = \"application\"\nclient_secret_file = \"jobs.secret\"\n";

    fn resolve(who: &Who, variables: &[(&str, &str)]) -> Result<Settings, Failure> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.toml"), PROFILES).unwrap();
        fs::write(directory.path().join("profile"), "one\n").unwrap();
        let mut environment = Environment::from([]);
        environment.set("INTELLIAUTH_HOME", directory.path());
        for (name, value) in variables {
            environment.set(name, value);
        }
        Settings::resolve(who, &environment)
    }

    fn found(who: &Who, variables: &[(&str, &str)]) -> (String, String, String) {
        let settings = resolve(who, variables).unwrap();
        let profile = settings.profile;
        (profile.tenant_url, profile.client_id, settings.account)
    }

    fn three(tenant: &str, client: &str, account: &str) -> (String, String, String) {
        (tenant.to_owned(), client.to_owned(), account.to_owned())
    }

    #[test]
    fn a_flag_comes_before_the_environment_and_that_before_the_profile() {
        let none = Who::default();
        assert_eq!(
            found(&none, &[]),
            three("https://one.example", "app_one", "alice")
        );
        let told = [
            (TENANT_URL, "https://e.example"),
            (CLIENT_ID, "app_e"),
            ("INTELLIAUTH_ACCOUNT", "bob"),
        ];
        assert_eq!(
            found(&none, &told),
            three("https://e.example", "app_e", "bob")
        );
        let flags = Who {
            client_id: Some("app_f".to_owned()),
            account: Some("carol".to_owned()),
            ..Who::default()
        };
        assert_eq!(
            found(&flags, &told),
            three("https://e.example", "app_f", "carol")
        );
        // A profile by flag: the environment's tenant is another's.
        let profile = Who {
            profile: Some("one".to_owned()),
            ..Who::default()
        };
        assert_eq!(
            found(&profile, &told),
            three("https://one.example", "app_one", "bob")
        );
    }

    #[test]
    fn the_environments_application_acts_where_no_person_is_named() {
        let m2m = [
            (TENANT_URL, "https://e.example"),
            (M2M_CLIENT_ID, "app_m"),
            (M2M_CLIENT_SECRET, "s"),
        ];
        let settings = resolve(&Who::default(), &m2m).unwrap();
        assert!(!settings.is_person());
        assert_eq!(
            settings.secret,
            SecretPlace::Variable(M2M_CLIENT_SECRET.to_owned())
        );
        let with_person = [&m2m[..], &[(CLIENT_ID, "app_p")]].concat();
        assert!(resolve(&Who::default(), &with_person).unwrap().is_person());
    }

    #[test]
    fn a_secret_goes_to_its_own_tenant_alone() {
        let without_tenant = [(M2M_CLIENT_ID, "app_m"), (M2M_CLIENT_SECRET, "s")];
        let error = resolve(&Who::default(), &without_tenant).unwrap_err();
        assert!(error.to_string().contains(TENANT_URL), "{error}");
        let jobs = Who {
            profile: Some("jobs".to_owned()),
            ..Who::default()
        };
        let settings = resolve(&jobs, &without_tenant).unwrap();
        assert!(
            matches!(settings.secret, SecretPlace::File(path) if path.ends_with("jobs.secret"))
        );
        let elsewhere = Who {
            tenant_url: Some("https://evil.example".to_owned()),
            ..jobs
        };
        assert!(resolve(&elsewhere, &[]).is_err());
    }

    #[test]
    fn a_command_to_run_names_what_it_takes() {
        let who = Who {
            account: Some("alice b".to_owned()),
            ..Who::default()
        };
        let settings = resolve(&who, &[]).unwrap();
        assert_eq!(
            settings.command(["login", "--audience", "api.x"]),
            "intelliauth-token login --audience api.x --profile one --account 'alice b'"
        );
    }
}
