//! What the issuer asks of the person.

/// What the issuer asks of the person (`OpenID` Connect Core section 3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing: it succeeds only where no page has to be shown.
    None,
    /// To sign in again, even where they are signed in.
    Login,
    /// To consent again, even to what they have consented to.
    Consent,
    /// To choose an account.
    SelectAccount,
}

impl Prompt {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}
