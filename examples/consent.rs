//! Consent that comes later: the application turns out to need more than the person agreed to.
//!
//! ```console
//! $ cargo run --example consent            # you are the person, in your browser
//! $ cargo run --example consent -- --auto  # the emulator plays the person too
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::sync::Arc;

use anyhow::bail;
use intelliauth::{AuthorizationCode, Client, DeniedReason, Error, TokenRequest};
use intelliauth_emulator::{Config, Emulator, sample};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let is_auto = std::env::args().any(|argument| argument == "--auto");
    let emulator = Arc::new(Emulator::start(Config::sample()).await?);
    println!("The emulator plays the platform at {}.", emulator.issuer());
    if !is_auto {
        println!("Sign in there as alice@cymmetri.example with sample-alice-password.");
    }
    let people = Client::for_person(emulator.issuer(), sample::NATIVE).build()?;
    let alice = people.default_session();

    println!("\n1. Alice signs in, and lets the application read her transactions");
    let transactions = TokenRequest::new(sample::BANKING).scope("read:transactions");
    let login = browser(&emulator, is_auto).request(&transactions);
    let account = alice.sign_in(login).await?;
    let token = alice.client().get_access_token(&transactions).await?;
    println!(
        "   {} signed in; the token for {} allows {}.",
        account.subject().unwrap_or("somebody"),
        token.audience(),
        token.scopes()
    );

    println!("\n2. Later the application needs to change her settings");
    let settings = TokenRequest::new(sample::SETTINGS).scope("write:settings");
    let Err(error) = alice.client().get_access_token(&settings).await else {
        bail!("nobody has consented to this yet")
    };
    let Error::Consent(consent) = &error else {
        bail!("{error}")
    };
    println!("   {consent}.");
    println!(
        "   The API: {}. What is missing: {}.",
        consent.audience(),
        consent.missing()
    );
    println!("   What to do: {}.", error.next_move());

    println!("\n3. She is asked for just that, and the call is repeated");
    match alice.resolve(error, browser(&emulator, is_auto)).await {
        Ok(token) => println!(
            "   Allowed: the token for {} allows {}.",
            token.audience(),
            token.scopes()
        ),
        Err(Error::Denied(denied)) if denied.reason() == DeniedReason::AccessDenied => {
            println!("   She said no. That is an answer too: {denied}.");
            println!("   What she allowed before still works:");
        }
        Err(error) => bail!("{error}\nWhat to do: {}", error.next_move()),
    }
    let token = alice.client().get_access_token(&transactions).await?;
    println!("   {} is still {}.", token.audience(), token.scopes());
    Ok(())
}

/// The person's browser; with `--auto` a stand-in that says yes.
fn browser(emulator: &Arc<Emulator>, is_auto: bool) -> AuthorizationCode {
    let login = AuthorizationCode::loopback();
    if !is_auto {
        return login;
    }
    let emulator = Arc::clone(emulator);
    login.without_browser().announce(move |url| {
        let (emulator, url) = (Arc::clone(&emulator), url.clone());
        tokio::spawn(async move {
            if let Ok(callback) = emulator.login_as(sample::ALICE).approve(&url).await {
                let _ = reqwest::get(callback).await;
            }
        });
    })
}
