//! What to try, as lines to copy into a shell.

use intelliauth_emulator::{Application, ApplicationKind, Config, Emulator, sample};

/// The greeting: where it listens, and curl lines that work as they are.
///
/// Only sample secrets and a token that was made up at this start are printed; those of a file
/// stay in it.
pub(crate) fn text(emulator: &Emulator, config: &Config, is_sample: bool) -> String {
    let issuer = emulator.issuer();
    let greeting = format!(
        "listening on {issuer}\ntenant {}, stop with Ctrl-C\n",
        config.slug()
    );
    let service = config.applications().find(|known| is_usable(known));
    let token = service.map(|service| token_lines(issuer, service, is_sample));
    let admin = admin_lines(issuer, &admin(emulator, config, is_sample));
    let person = config.applications().find(|known| is_for_people(known));
    let person = person.map(|application| person_lines(issuer, application, is_sample));
    let parts = [
        greeting,
        token.unwrap_or_default(),
        person.unwrap_or_default(),
        admin,
    ];
    parts.concat()
}

/// The pages, and who can sign in on them.
fn person_lines(issuer: &str, application: &Application, is_sample: bool) -> String {
    let id = application.id();
    let scopes: Vec<&str> = application.allowed_scopes().take(MOST_SCOPES).collect();
    let scope = scopes.join("+");
    let device = format!(
        "
Let a device in: ask for its code, and type it on the page:
  curl -s {issuer}/oauth2/device_authorization -d client_id={id} -d 'scope={scope}'
  {issuer}/activate
"
    );
    if !is_sample {
        return device;
    }
    let (alice, bob) = (sample::ALICE_EMAIL, sample::BOB_EMAIL);
    let (alices, bobs) = (sample::ALICE_PASSWORD, sample::BOB_PASSWORD);
    let factor = sample::ALICE_SECOND_FACTOR;
    // The challenge of RFC 7636 appendix B.
    let link = format!(
        "{issuer}/oauth2/authorize?response_type=code&client_id={id}&scope={scope}\
         &redirect_uri=http://127.0.0.1/callback&state=try\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    format!(
        "
See the sign-in and the consent page in a browser:
  {link}
  {alice}  {alices}  second factor {factor}
  {bob}  {bobs}  may do less, has no second factor
{device}"
    )
}

fn token_lines(issuer: &str, service: &Application, is_sample: bool) -> String {
    let id = service.id();
    let secret = if is_sample {
        sample::SERVICE_SECRET
    } else {
        "$CLIENT_SECRET"
    };
    let audience = service.allowed_audiences().next().unwrap_or_default();
    let ask = format!(
        "  curl -s {issuer}/oauth2/token -u \"{id}:{secret}\" \\
    -d grant_type=client_credentials --data-urlencode 'audience={audience}'"
    );
    let granted = format!("\nGet a token for {audience}:\n{ask}\n");
    if !is_sample {
        return granted;
    }
    format!(
        "{granted}
See a refusal, of a scope that is not on the application's list:
{ask} -d scope=write:transactions
"
    )
}

fn admin_lines(issuer: &str, admin: &str) -> String {
    format!(
        "
See what happened:
  curl -s {issuer}/api/v1/audit -H \"Authorization: Bearer {admin}\"

Let the next token request fail, and let an hour pass:
  curl -s {issuer}/emulator/v1/faults -H \"Authorization: Bearer {admin}\" \\
    -d '{{\"fault\": {{\"status\": {{\"status\": 503}}}}, \"endpoint\": \"token\", \"times\": 1}}'
  curl -s {issuer}/emulator/v1/clock -H \"Authorization: Bearer {admin}\" -d '{{\"seconds\": 3600}}'
"
    )
}

fn admin(emulator: &Emulator, config: &Config, is_sample: bool) -> String {
    if is_sample || !config.has_admin_token() {
        emulator.admin_token().to_owned()
    } else {
        "$ADMIN_TOKEN".to_owned()
    }
}

fn is_for_people(application: &Application) -> bool {
    application.kind() == ApplicationKind::Native && application.is_enabled()
}

/// Enough for a look at a page.
const MOST_SCOPES: usize = 6;

fn is_usable(application: &Application) -> bool {
    application.kind() == ApplicationKind::Service
        && application.is_enabled()
        && application.allowed_audiences().next().is_some()
}
