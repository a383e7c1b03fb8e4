//! What does not compile: an application's client has no people.

/// Every method that concerns a person, where it is:
///
/// ```no_run
/// # use intelliauth::{AuthorizationCode, Client, Error, MemoryStore, PendingLogin, People, Session};
/// async fn f(people: People, session: Session, pending: PendingLogin, error: Error) -> Result<(), Error> {
///     session.sign_in(AuthorizationCode::loopback()).await?;
///     session.begin_sign_in(AuthorizationCode::redirect_to("https://app.example")).await?;
///     session.finish_sign_in(&pending, "https://app.example/?code=1&state=2").await?;
///     session.resolve(error, AuthorizationCode::loopback()).await?;
///     session.account().await?;
///     session.sign_out().await?;
///     people.session("alice");
///     people.default_session();
///     Ok(())
/// }
/// Client::for_person("https://tenant.example", "app_1").store(MemoryStore::new());
/// ```
///
/// And none of them on a client:
///
/// ```compile_fail,E0599
/// # use intelliauth::{AuthorizationCode, Client, Error};
/// async fn f(client: Client) -> Result<(), Error> {
///     client.sign_in(AuthorizationCode::loopback()).await?;
///     Ok(())
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::{AuthorizationCode, Client, Error};
/// async fn f(client: Client) -> Result<(), Error> {
///     client.begin_sign_in(AuthorizationCode::redirect_to("https://app.example")).await?;
///     Ok(())
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::{Client, Error, PendingLogin};
/// async fn f(client: Client, pending: PendingLogin) -> Result<(), Error> {
///     client.finish_sign_in(&pending, "https://app.example/?code=1&state=2").await?;
///     Ok(())
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::{AuthorizationCode, Client, Error};
/// async fn f(client: Client, error: Error) -> Result<(), Error> {
///     client.resolve(error, AuthorizationCode::loopback()).await?;
///     Ok(())
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::{Client, Error};
/// async fn f(client: Client) -> Result<(), Error> {
///     client.account().await?;
///     Ok(())
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::{Client, Error};
/// async fn f(client: Client) -> Result<(), Error> {
///     client.sign_out().await?;
///     Ok(())
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::Client;
/// fn f(client: Client) {
///     client.session("alice");
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::Client;
/// fn f(client: Client) {
///     client.default_session();
/// }
/// ```
/// ```compile_fail,E0599
/// # use intelliauth::{Client, MemoryStore};
/// Client::for_application("https://tenant.example", "app_1").store(MemoryStore::new());
/// ```
struct Misuse;
