//! [`SignedOut`]: what a sign-out has left behind.

use crate::endpoint::Revocation;

/// A person has signed out here; what became of their refresh token at the issuer.
///
/// # Examples
///
/// ```
/// # async fn leave(person: intelliauth::Session) -> Result<(), intelliauth::Error> {
/// use intelliauth::Revocation;
///
/// let signed_out = person.sign_out().await?;
/// match signed_out.revocation() {
///     Revocation::Failed(error) => eprintln!("the refresh token lives on: {error}"),
///     Revocation::NotOffered => eprintln!("the refresh token lives on until it expires"),
///     _ => {}
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SignedOut {
    revocation: Revocation,
}

impl SignedOut {
    pub(super) fn new(revocation: Revocation) -> Self {
        Self { revocation }
    }

    /// What became of the refresh token; of several, the worst.
    pub fn revocation(&self) -> &Revocation {
        &self.revocation
    }
}
