//! From an error that needs a person to the page where they act.

use url::Url;

use super::{Authorization, AuthorizationCode, PendingLogin, Prompt};
use crate::{
    error::{Asked, ConsentRequired, Error, LoginRequired, Resume, StepUpRequired},
    time::{Clock, SystemClock},
};

impl ConsentRequired {
    /// Where to send the person so that they can consent, and what to keep until they come back.
    ///
    /// It asks for what is missing and for all that the session covers already, so that the person sees
    /// just the former as new. `redirect_uri` is one that the application has registered; pass the whole
    /// URL that the person comes back to, and the [`PendingLogin`], to
    /// [`Session::finish_sign_in`](crate::Session::finish_sign_in) of the same session. A program on the
    /// person's own machine has it easier with [`Session::resolve`](crate::Session::resolve).
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if the error came from no session of a person, or if the issuer's metadata
    /// names no authorization endpoint or could not be read.
    pub fn authorization_url(
        &self,
        redirect_uri: impl Into<String>,
    ) -> Result<(Url, PendingLogin), Error> {
        let login = AuthorizationCode::redirect_to(redirect_uri);
        begin(self.asked(), self.resume(), login)
    }
}

impl LoginRequired {
    /// Where to send the person so that they can sign in, and what to keep until they come back.
    ///
    /// As [`ConsentRequired::authorization_url`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn authorization_url(
        &self,
        redirect_uri: impl Into<String>,
    ) -> Result<(Url, PendingLogin), Error> {
        let login = AuthorizationCode::redirect_to(redirect_uri);
        begin(self.asked(), self.resume(), login)
    }
}

impl StepUpRequired {
    /// Where to send the person so that they can prove more, and what to keep until they come back.
    ///
    /// As [`ConsentRequired::authorization_url`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn authorization_url(
        &self,
        redirect_uri: impl Into<String>,
    ) -> Result<(Url, PendingLogin), Error> {
        let login = AuthorizationCode::redirect_to(redirect_uri).anew(self.acr_values());
        begin(self.asked(), self.resume(), login)
    }
}

fn begin(
    asked: &Asked,
    resume: Option<&Resume>,
    login: AuthorizationCode,
) -> Result<(Url, PendingLogin), Error> {
    let resume = resume.ok_or_else(|| {
        Error::request("this error came from no person's session: no sign-in can resolve it")
    })?;
    let endpoint = resume.authorization_endpoint.clone().ok_or_else(|| {
        Error::request(
            "the issuer's authorization endpoint is not known: use Session::begin_sign_in",
        )
    })?;
    let authorization = Authorization {
        endpoint,
        issuer: resume.issuer.clone(),
        client_id: resume.client_id.clone(),
        audience_parameters: resume.audience_parameters,
        names_issuer: resume.iss_parameter_supported,
        identity_scopes: resume.sign_in_scopes.clone(),
        offline_needs_consent: resume.offline_needs_consent,
    };
    let login = login.going_on(asked, Some(resume));
    login.begin(&authorization, &resume.session, SystemClock::new().now())
}

impl AuthorizationCode {
    /// Asks for what an error needs, and for all that the session covered before.
    pub(crate) fn going_on(mut self, asked: &Asked, resume: Option<&Resume>) -> Self {
        self.requested.go_on(asked, resume);
        self.goes_on = true;
        self
    }

    /// The same, for somebody who has to prove more: a session at the issuer must not answer for them,
    /// unless the caller says otherwise. The API may have said which kinds of sign-in would do; a fresh
    /// sign-in is young enough for every `max_age`.
    pub(crate) fn anew(mut self, acr_values: Option<&str>) -> Self {
        let is_named = |(name, _): &(String, String)| name == "acr_values";
        if let Some(values) = acr_values
            && !self.parameters.iter().any(is_named)
        {
            self = self.acr_values(values);
        }
        if self.prompt.is_some() || self.max_age.is_some() {
            self
        } else {
            self.prompt(Prompt::Login)
        }
    }
}
