//! The sample tenant's names and secrets, for tests and demonstrations.
//!
//! All of them are public on purpose: nothing real may ever use one.

use crate::config::Config;

/// The sample tenant as a configuration file, with comments that explain each part.
pub const TOML: &str = include_str!("../sample.toml");

/// The bearer token of the sample tenant's admin API.
pub const ADMIN_TOKEN: &str = "sample-admin-token";

/// The audience of the banking API: `read:transactions`, `write:transactions`, `read:accounts`.
pub const BANKING: &str = "api.banking.cymmetri.com";

/// The audience of the health API: `read:records`, `write:records`.
pub const HEALTH: &str = "api.health.cymmetri.com";

/// The audience of the settings API: `read:settings`, `write:settings`, `manage:applications`.
///
/// The sample service may not call it.
pub const SETTINGS: &str = "https://api.cymmetri.com";

/// The application that acts for itself.
///
/// Allowed [`BANKING`] and [`HEALTH`]; `read:transactions`, `read:accounts` and `read:records`.
pub const SERVICE: &str = "app_01HZX0SERVICE";

/// The secret of [`SERVICE`].
pub const SERVICE_SECRET: &str = "sample-service-secret";

/// The disabled application.
pub const DISABLED: &str = "app_01HZX0DISABLED";

/// The secret of [`DISABLED`].
pub const DISABLED_SECRET: &str = "sample-disabled-secret";

/// The application on a person's device.
pub const NATIVE: &str = "app_01HZX0NATIVE";

/// The web application.
pub const WEB: &str = "app_01HZX0WEB";

/// The secret of [`WEB`].
pub const WEB_SECRET: &str = "sample-web-secret";

/// A person of the sample tenant, who may do everything.
pub const ALICE: &str = "usr_01HZX0ALICE";

/// The address of [`ALICE`].
pub const ALICE_EMAIL: &str = "alice@cymmetri.example";

/// The password of [`ALICE`].
pub const ALICE_PASSWORD: &str = "sample-alice-password";

/// The code of the second factor of [`ALICE`]; [`BOB`] has none.
pub const ALICE_SECOND_FACTOR: &str = "000000";

/// Another person of the sample tenant, who may do less: `read:transactions`, `read:accounts`,
/// `read:settings`.
pub const BOB: &str = "usr_01HZX0BOB";

/// The address of [`BOB`].
pub const BOB_EMAIL: &str = "bob@cymmetri.example";

/// The password of [`BOB`].
pub const BOB_PASSWORD: &str = "sample-bob-password";

impl Config {
    /// The sample tenant, the same as the file [`TOML`].
    ///
    /// Every name and every secret in it is a constant of [`sample`](self).
    pub fn sample() -> Self {
        config()
    }

    /// Whether a secret or password is one of the sample tenant's, which are public.
    pub fn has_sample_secrets(&self) -> bool {
        let secrets = self
            .applications
            .iter()
            .filter_map(|known| known.secret.as_ref());
        let passwords = self.users.iter().map(|user| &user.password);
        secrets
            .chain(passwords)
            .any(|secret| SECRETS.iter().any(|known| secret.matches(known)))
    }
}

#[expect(
    clippy::expect_used,
    reason = "the file is part of this crate and a test reads it"
)]
fn config() -> Config {
    Config::from_toml(TOML).expect("the sample configuration is valid")
}

/// The secrets and passwords of the sample, which are public.
const SECRETS: [&str; 5] = [
    SERVICE_SECRET,
    DISABLED_SECRET,
    WEB_SECRET,
    ALICE_PASSWORD,
    BOB_PASSWORD,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_stands_in_the_file() {
        let config = Config::sample();
        assert_eq!(config.slug(), "banking-cymmetri");
        let secrets = [ADMIN_TOKEN, SERVICE_SECRET, DISABLED_SECRET, WEB_SECRET];
        let names = [
            BANKING, HEALTH, SETTINGS, SERVICE, DISABLED, NATIVE, WEB, ALICE, BOB,
        ];
        let people = [
            ALICE_EMAIL,
            ALICE_PASSWORD,
            ALICE_SECOND_FACTOR,
            BOB_EMAIL,
            BOB_PASSWORD,
        ];
        for constant in secrets.into_iter().chain(names).chain(people) {
            assert!(TOML.contains(&format!("\"{constant}\"")), "{constant}");
        }
    }
}
