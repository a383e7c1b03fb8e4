//! Who may have which token of a person's: allowlist, consent and entitlement, always all three.

use std::collections::BTreeSet;

use super::{Audience, Granted, allowed_scopes, audience, parse_scopes, refused_scopes};
use crate::config::{
    Api, Application, MissingConsent, NothingGranted, RefreshScopes, ScopeMode, Switches,
    UngrantedAudience, User, is_oidc_scope,
};
use crate::person::{Consents, Grant};
use crate::refusal::{Code, Refusal};

/// What a decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'t> {
    pub(crate) application: &'t Application,
    pub(crate) apis: &'t [Api],
    pub(crate) switches: &'t Switches,
    pub(crate) consents: &'t Consents,
}

/// A scope at the API that it belongs to; `None` for what is about the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedScope {
    pub(crate) audience: Option<String>,
    pub(crate) scope: String,
}

impl Standing<'_> {
    /// What a request for these scopes at these APIs is about, as far as the application may ask.
    ///
    /// Without an audience every API is meant that the application may call. Whether the
    /// authorization endpoint takes one is not documented.
    pub(crate) fn requested_scopes(
        &self,
        audiences: &[String],
        scopes: &BTreeSet<String>,
    ) -> Result<Vec<RequestedScope>, Refusal> {
        let mut requested = Vec::new();
        let mut dropped = BTreeSet::new();
        for scope in scopes {
            let found = self.at_each_api(audiences, scope);
            if found.is_empty() {
                dropped.insert(scope.clone());
            }
            requested.extend(found);
        }
        let is_strict = self.switches.scope_mode == ScopeMode::Strict;
        if (is_strict && !dropped.is_empty()) || requested.is_empty() {
            let audience = match audiences {
                [one] => Audience::One(one.clone()),
                _ => Audience::All(audiences.to_vec()),
            };
            return Err(refused_scopes(self.application, &audience, &dropped));
        }
        Ok(requested)
    }

    /// The scopes that a request for a person names, as far as the application may ask for them.
    ///
    /// RFC 6749 section 3.3: a request without scopes is refused; the platform lists it as required.
    pub(crate) fn named_scopes(
        &self,
        audiences: &[String],
        scope: Option<&str>,
    ) -> Result<BTreeSet<String>, Refusal> {
        let missing = || Refusal::new(Code::InvalidScope, "the parameter `scope` is missing");
        let scopes = parse_scopes(scope.ok_or_else(missing)?)?;
        let requested = self.requested_scopes(audiences, &scopes)?;
        Ok(requested
            .into_iter()
            .map(|requested| requested.scope)
            .collect())
    }

    /// Whether the person allowed it.
    pub(crate) fn is_consented(&self, user: &str, requested: &RequestedScope) -> bool {
        let who = (user, self.application.id.as_str());
        self.consents
            .allows(who, requested.audience.as_deref(), &requested.scope)
    }

    /// The audience of the next token of a grant; `platform` is the platform's own API.
    pub(crate) fn audience(
        &self,
        grant: &Grant,
        named: Option<&str>,
        usual: Option<&str>,
        platform: &str,
    ) -> Result<Audience, Refusal> {
        let usual = usual.or_else(|| grant.audiences.first().map(String::as_str));
        let named = named.or(usual).unwrap_or(platform);
        if named == platform {
            return Ok(Audience::One(named.to_owned()));
        }
        // Checked for every token: the application may have lost the API since.
        let audience = audience(self.application, self.apis, self.switches, Some(named))?;
        let is_covered = match &audience {
            Audience::One(one) => self.covers(grant, one),
            Audience::All(_) | Audience::NoApi => true,
        };
        if is_covered {
            return Ok(audience);
        }
        let description = format!("the person has not consented to `{named}`");
        Err(match self.switches.ungranted_audience {
            UngrantedAudience::ConsentRequired => Refusal::new(Code::ConsentRequired, description),
            UngrantedAudience::InvalidTarget => Refusal::new(Code::InvalidTarget, description),
        })
    }

    /// The scopes of the next token of a grant.
    pub(crate) fn scopes(
        &self,
        grant: &Grant,
        user: &User,
        audience: &Audience,
        requested: Option<&str>,
    ) -> Result<Granted, Refusal> {
        let allowed = self.allowed(audience);
        let mut granted = Granted::default();
        let named = requested.map(parse_scopes).transpose()?;
        let usual = self.usual(grant, audience);
        for scope in named.as_ref().unwrap_or(&usual) {
            let is_entitled = is_oidc_scope(scope) || user.is_entitled_to(scope);
            if !allowed.contains(scope) || !is_entitled {
                // A scope of another API of the same grant is none that was asked for here.
                let is_elsewhere = named.is_none() && !self.belongs(audience, scope);
                if !is_elsewhere {
                    granted.dropped.insert(scope.clone());
                }
            } else {
                granted.scopes.insert(scope.clone());
            }
        }
        let off_list: BTreeSet<String> = granted.dropped.difference(&allowed).cloned().collect();
        let is_strict = self.switches.scope_mode == ScopeMode::Strict;
        if named.is_some() && is_strict && !off_list.is_empty() {
            return Err(refused_scopes(self.application, audience, &off_list));
        }
        self.consented(grant, audience, &mut granted, named.is_some())?;
        let is_nothing =
            !granted.dropped.is_empty() && granted.scopes.iter().all(|it| is_oidc_scope(it));
        if is_nothing && self.switches.nothing_granted == NothingGranted::InvalidScope {
            return Err(refused_scopes(self.application, audience, &granted.dropped));
        }
        Ok(granted)
    }

    /// What a request without scopes is about.
    fn usual(&self, grant: &Grant, audience: &Audience) -> BTreeSet<String> {
        let mut usual = grant.scopes.clone();
        if let (RefreshScopes::Consent, Audience::One(one)) =
            (self.switches.refresh_scopes, audience)
        {
            let who = (grant.user.as_str(), self.application.id.as_str());
            usual.extend(self.consents.granted(who, Some(one)));
        }
        usual
    }

    /// Takes out what the person did not allow, or what this sign-in was not about.
    fn consented(
        &self,
        grant: &Grant,
        audience: &Audience,
        granted: &mut Granted,
        is_named: bool,
    ) -> Result<(), Refusal> {
        let is_consented = |scope: &String| self.is_consented_at(grant, audience, scope);
        let (yes, missing): (BTreeSet<_>, BTreeSet<_>) =
            granted.scopes.iter().cloned().partition(is_consented);
        let is_for_api = |scopes: &BTreeSet<String>| scopes.iter().any(|it| !is_oidc_scope(it));
        let is_refused = is_named || !is_for_api(&yes) && is_for_api(&missing);
        granted.scopes = yes;
        if !missing.is_empty()
            && is_refused
            && let Some(refusal) = self.missing_consent(&missing)
        {
            return Err(refusal);
        }
        granted.dropped.extend(missing);
        // RFC 6749 section 6: nothing that was not granted to begin with.
        let from_grant = self.switches.refresh_scopes == RefreshScopes::Grant;
        let beyond: BTreeSet<String> = granted.scopes.difference(&grant.scopes).cloned().collect();
        if from_grant && !beyond.is_empty() {
            let words: Vec<&str> = beyond.iter().map(String::as_str).collect();
            let description = format!("this sign-in was not about {}", words.join(" "));
            return Err(Refusal::new(Code::InvalidScope, description));
        }
        Ok(())
    }

    fn missing_consent(&self, missing: &BTreeSet<String>) -> Option<Refusal> {
        let code = match self.switches.missing_consent {
            MissingConsent::ConsentRequired => Code::ConsentRequired,
            MissingConsent::InteractionRequired => Code::InteractionRequired,
            MissingConsent::InvalidScope => Code::InvalidScope,
            MissingConsent::Narrow => return None,
        };
        let words: Vec<&str> = missing.iter().map(String::as_str).collect();
        let description = format!("the person has not consented to {}", words.join(" "));
        Some(Refusal::new(code, description))
    }

    fn is_consented_at(&self, grant: &Grant, audience: &Audience, scope: &str) -> bool {
        let who = (grant.user.as_str(), self.application.id.as_str());
        if is_oidc_scope(scope) {
            return self.consents.allows(who, None, scope);
        }
        let meant = self
            .apis
            .iter()
            .filter(|api| is_meant(audience, &api.audience));
        let mut meant = meant.filter(|api| api.has_scope(scope));
        meant.any(|api| self.consents.allows(who, Some(&api.audience), scope))
    }

    /// What the application may have in a token for these APIs.
    fn allowed(&self, audience: &Audience) -> BTreeSet<String> {
        let mut allowed = allowed_scopes(self.application, self.apis, audience);
        let about_person = self
            .application
            .allowed_scopes
            .iter()
            .filter(|it| is_oidc_scope(it));
        allowed.extend(about_person.cloned());
        allowed
    }

    fn belongs(&self, audience: &Audience, scope: &str) -> bool {
        let mut meant = self
            .apis
            .iter()
            .filter(|api| is_meant(audience, &api.audience));
        is_oidc_scope(scope) || meant.any(|api| api.has_scope(scope))
    }

    fn covers(&self, grant: &Grant, audience: &str) -> bool {
        let who = (grant.user.as_str(), self.application.id.as_str());
        let is_consented = || !self.consents.granted(who, Some(audience)).is_empty();
        let from_consent = self.switches.refresh_scopes == RefreshScopes::Consent;
        grant.audiences.iter().any(|known| known == audience) || from_consent && is_consented()
    }

    /// Every API where the application may ask for this scope.
    fn at_each_api(&self, audiences: &[String], scope: &str) -> Vec<RequestedScope> {
        if !self.application.allowed_scopes.contains(scope) {
            return Vec::new();
        }
        let at = |audience: Option<String>| RequestedScope {
            audience,
            scope: scope.to_owned(),
        };
        if is_oidc_scope(scope) {
            return vec![at(None)];
        }
        let is_meant = |api: &&Api| {
            let is_named = audiences.is_empty() || audiences.contains(&api.audience);
            let is_allowed = self.application.allowed_audiences.contains(&api.audience);
            is_named && is_allowed && api.has_scope(scope)
        };
        let meant = self.apis.iter().filter(is_meant);
        meant.map(|api| at(Some(api.audience.clone()))).collect()
    }
}

fn is_meant(audience: &Audience, api: &str) -> bool {
    match audience {
        Audience::One(one) => one == api,
        Audience::All(all) => all.iter().any(|one| one == api),
        Audience::NoApi => false,
    }
}
