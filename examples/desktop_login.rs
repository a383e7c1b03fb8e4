//! A program on a person's machine: they sign in once, and the session stays on disk.
//!
//! ```console
//! $ cargo run --example desktop_login              # in the browser of this machine
//! $ cargo run --example desktop_login -- --device  # with a code, in a browser of another
//! $ cargo run --example desktop_login -- --forget  # signs out again
//! ```
//!
//! Run it twice: the second time nobody is asked. Without `INTELLIAUTH_TENANT_URL` and
//! `INTELLIAUTH_CLIENT_ID` it starts the emulator; `--auto` then plays the person as well.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::sync::Arc;

use anyhow::{Context, anyhow};
use intelliauth::{
    AccessToken, AuthorizationCode, Client, DeviceCode, Error, FileStore, SignIn, TokenRequest,
};
use intelliauth_emulator::{Config, Emulator, sample};
use jiff::{Timestamp, Unit};

const BANKING: &str = "api.banking.cymmetri.com";
const HEALTH: &str = "api.health.cymmetri.com";

/// The same on every run: a session belongs to its issuer.
const PORT: u16 = 8807;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let tenant = Tenant::find().await?;

    let people = Client::for_person(&tenant.issuer, &tenant.client_id)
        .store(FileStore::default())
        .build()?;
    // One person uses this program; a program of several names a session for each.
    let session = people.default_session();
    if has("--forget") {
        session.sign_out().await.map_err(explained)?;
        println!("Signed out: the session is gone from the disk.");
        return Ok(());
    }

    match session.account().await.map_err(explained)? {
        Some(account) => println!(
            "There is a session on disk, of {}: nobody is asked.",
            account.name().or(account.subject()).unwrap_or("somebody")
        ),
        None => println!("There is no session on disk: somebody has to sign in."),
    }
    for audience in [BANKING, HEALTH] {
        let token = match session.client().get_access_token(request(audience)).await {
            Ok(token) => token,
            // Not signed in, or not for this API: the person acts, and the call is repeated.
            Err(error @ (Error::Login(_) | Error::Consent(_))) => {
                println!("\n{error}.");
                let how = tenant.sign_in(has("--device"), has("--auto"));
                session.resolve(error, how).await.map_err(explained)?
            }
            Err(error) => return Err(explained(error)),
        };
        explain(&token)?;
    }
    people.close().await.map_err(explained)?;
    println!("\nRun it again: the session is on disk now. `--forget` signs out.");
    Ok(())
}

fn request(audience: &str) -> TokenRequest<'_> {
    match audience {
        BANKING => TokenRequest::new(audience).scope("read:transactions"),
        _ => TokenRequest::new(audience).scope("read:records"),
    }
}

/// Where people sign in: a tenant of yours, or the emulator in this process.
struct Tenant {
    issuer: String,
    client_id: String,
    emulator: Option<Arc<Emulator>>,
}

impl Tenant {
    async fn find() -> anyhow::Result<Self> {
        if let Ok(issuer) = std::env::var("INTELLIAUTH_TENANT_URL") {
            let client_id = std::env::var("INTELLIAUTH_CLIENT_ID")
                .context("INTELLIAUTH_CLIENT_ID names the application: set it too")?;
            return Ok(Self {
                issuer,
                client_id,
                emulator: None,
            });
        }
        let emulator = Emulator::builder(Config::sample()).port(PORT).start().await;
        let emulator =
            emulator.context("the emulator could not start: is this example running already?")?;
        println!("The emulator plays the platform at {}.", emulator.issuer());
        println!("Sign in there as alice@cymmetri.example with sample-alice-password.\n");
        Ok(Self {
            issuer: emulator.issuer().to_owned(),
            client_id: sample::NATIVE.to_owned(),
            emulator: Some(Arc::new(emulator)),
        })
    }

    /// One prompt for both APIs, so that the second needs none.
    fn sign_in(&self, by_device: bool, is_auto: bool) -> SignIn {
        let person = self.emulator.clone().filter(|_| is_auto);
        if by_device {
            let login = match person {
                Some(emulator) => DeviceCode::new(move |prompt| {
                    let (page, code) = (prompt.verification_uri(), prompt.user_code());
                    let image = prompt.qr_code().unwrap_or_default();
                    println!("Alice opens {page} and enters {code}:\n\n{image}\n");
                    let (emulator, code) = (Arc::clone(&emulator), prompt.user_code().to_owned());
                    tokio::spawn(async move {
                        let _ = emulator.login_as(sample::ALICE).device_approve(&code).await;
                    });
                }),
                None => DeviceCode::terminal(),
            };
            return login
                .scope("profile")
                .request(request(BANKING))
                .request(request(HEALTH))
                .into();
        }
        let login = AuthorizationCode::loopback()
            .scope("profile")
            .request(request(BANKING))
            .request(request(HEALTH));
        match person {
            Some(emulator) => played(login, emulator).into(),
            None => login.into(),
        }
    }
}

/// Alice says yes, and her browser comes back.
fn played(login: AuthorizationCode, emulator: Arc<Emulator>) -> AuthorizationCode {
    login.without_browser().announce(move |url| {
        let (emulator, url) = (Arc::clone(&emulator), url.clone());
        tokio::spawn(async move {
            if let Ok(callback) = emulator.login_as(sample::ALICE).approve(&url).await {
                let _ = reqwest::get(callback).await;
            }
        });
    })
}

/// What happened, and the next move: a person reads it.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn explained(error: Error) -> anyhow::Error {
    anyhow!("{error}\nWhat to do: {}", error.next_move())
}

fn explain(token: &AccessToken) -> anyhow::Result<()> {
    println!(
        "A token for {}, from the {}: it allows {}, until {}.",
        token.audience(),
        token.source(),
        token.scopes(),
        Timestamp::try_from(token.expires_at())?.round(Unit::Second)?
    );
    Ok(())
}
