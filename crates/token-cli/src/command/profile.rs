//! `profile`: the tenants and applications that a person uses, by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    arguments::Report,
    context::Context,
    failure::Failure,
    output::{print, print_json, say},
    places::Places,
    profile::{DialectName, Kind, Profile, ProfileFile},
};

/// Name the tenants and applications that you use.
///
/// They stand in config.toml, which may be written by hand as well; a sign-in never writes there.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfileCommand {
    #[command(subcommand)]
    action: Action,

    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a profile; tenant and application are those of --tenant-url and --client-id.
    Add(Add),
    /// List the profiles; the one in use is marked.
    List,
    /// Show a profile; by default the one in use.
    Show {
        /// Its name.
        name: Option<String>,
    },
    /// Use a profile from now on.
    Use {
        /// Its name.
        name: String,
    },
    /// Remove a profile. Its sessions stay: sign out before.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Args, Debug)]
struct Add {
    /// Its name.
    name: String,

    /// An API that a sign-in asks for; may be repeated.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,

    /// The file that the application's secret is in.
    #[arg(long, value_name = "PATH", conflicts_with = "client_secret_env")]
    client_secret_file: Option<PathBuf>,

    /// The environment's variable that the application's secret is in.
    #[arg(long, value_name = "NAME")]
    client_secret_env: Option<String>,

    /// How the issuer speaks OAuth.
    #[arg(long, value_enum, default_value_t)]
    dialect: DialectName,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token profile add main --tenant-url https://banking-cymmetri.intelliauth.local \\
      --client-id app_01HZX0NATIVE --audience api.banking.cymmetri.com
  intelliauth-token profile add jobs --tenant-url https://banking-cymmetri.intelliauth.local \\
      --client-id app_01HZX0SERVICE --as application --client-secret-file jobs.secret
  intelliauth-token profile use main
  intelliauth-token profile list --format json";

impl ProfileCommand {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let places = Places::find(&context.environment)?;
        let mut file = ProfileFile::read(&places)?;
        match &self.action {
            Action::Add(add) => {
                let profile = add.profile(context)?;
                file.add(&places, &add.name, profile)?;
                say(&format!(
                    "Added {} to {}.",
                    add.name,
                    places.profiles().display()
                ));
            }
            Action::Use { name } => {
                file.choose(&places, name)?;
                say(&format!("{name} is in use."));
            }
            Action::Remove { name } => {
                file.remove(&places, name)?;
                say(&format!("Removed {name}. Its sessions, if any, stay."));
            }
            Action::List => return self.list(&file),
            Action::Show { name } => {
                let named = name.as_deref().or(context.who.profile.as_deref());
                let name = named.or_else(|| file.in_use());
                let name = name.ok_or_else(|| {
                    Failure::usage("no profile is in use").then("intelliauth-token profile list")
                })?;
                return self.show(name, file.get(name)?);
            }
        }
        Ok(())
    }

    fn list(&self, file: &ProfileFile) -> Result<(), Failure> {
        let in_use = |name: &String| file.in_use() == Some(name.as_str());
        if self.report.is_json() {
            let listed = file.profiles.iter().map(|(name, profile)| {
                json!({ "name": name, "in_use": in_use(name), "profile": profile })
            });
            return print_json(&listed.collect::<Vec<_>>());
        }
        let mut text = String::new();
        for (name, profile) in &file.profiles {
            let mark = if in_use(name) { '*' } else { ' ' };
            let _ = writeln!(
                text,
                "{mark} {name}  {}  {}",
                profile.tenant_url, profile.client_id
            );
        }
        print(&text)
    }

    fn show(&self, name: &str, profile: &Profile) -> Result<(), Failure> {
        if self.report.is_json() {
            return print_json(&json!({ "name": name, "profile": profile }));
        }
        let text = toml::to_string(profile)
            .map_err(|error| Failure::other("the profile cannot be shown").caused_by(&error))?;
        print(&format!("# {name}\n{text}"))
    }
}

impl Add {
    fn profile(&self, context: &Context) -> Result<Profile, Failure> {
        let who = &context.who;
        let need = |value: &Option<String>, flag: &str| {
            let missing = || Failure::usage(format!("a profile needs {flag}"));
            value.clone().ok_or_else(missing)
        };
        let secret_file = self.client_secret_file.as_ref();
        Ok(Profile {
            tenant_url: need(&who.tenant_url, "--tenant-url")?,
            client_id: need(&who.client_id, "--client-id")?,
            kind: who.kind.unwrap_or(Kind::Person),
            account: who.account.clone(),
            // As seen from here, not from the configuration.
            client_secret_file: secret_file
                .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            client_secret_env: self.client_secret_env.clone(),
            dialect: self.dialect,
            sign_in_scopes: BTreeSet::new(),
            audiences: self.audience.iter().cloned().collect(),
            scopes: BTreeMap::new(),
        })
    }
}
