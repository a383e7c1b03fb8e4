//! [`ProtectedRouter`]: every route says what it needs, or that it is open.

use axum::{
    Router,
    handler::Handler,
    response::IntoResponse,
    routing::{MethodFilter, MethodRouter, any, get, on},
};
use http::{Method, header};

use super::{
    fallback::Fallbacks,
    paths::{RouteError, check},
    route::Route,
};
use crate::resource_server::{
    metadata::ResourceMetadata, requirement::Requirement, verifier::Verifier,
};

/// A router that takes no route without a [`Requirement`], except those that are called open.
///
/// It has no `route`, `merge`, `nest` or `fallback` for plain axum parts: forgetting a requirement
/// does not compile. [`routes`](Self::routes) lists what each route needs, for a review or a test.
/// What is not declared is answered 404, or 405 with another method, without a look at the token.
///
/// Paths are compared as they come, without decoding: `/%74ransactions` is not `/transactions`. So
/// [`into_router`](Self::into_router) refuses an open wildcard that would answer such a spelling of a
/// protected path. Of two protected routes that fit, such as `/users/me` and `/users/{id}`, the handler of the
/// other one is reached so, behind its own requirement.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::resource_server::{Claims, ProtectedRouter, Verifier, require_scope};
///
/// async fn transactions(claims: Claims) -> String {
///     format!("those of {}", claims.subject().unwrap_or("nobody"))
/// }
///
/// let verifier = Verifier::builder("https://banking-cymmetri.intelliauth.local", "api.banking.cymmetri.com").build()?;
/// let router = ProtectedRouter::new(verifier)
///     .get("/transactions", require_scope("read:transactions")?, transactions)
///     .open("/healthz", axum::routing::get(|| async { "ok" }));
///
/// let open: Vec<&str> = router.routes().iter().filter(|r| r.is_open()).map(|r| r.path()).collect();
/// assert_eq!(open, ["/healthz"]);
/// let app: axum::Router = router.into_router()?;
/// # let _ = app;
/// # Ok(()) }
/// ```
///
/// A route without a requirement does not compile:
///
/// ```compile_fail
/// # use intelliauth::resource_server::{ProtectedRouter, Verifier};
/// # fn build(verifier: Verifier) -> ProtectedRouter {
/// ProtectedRouter::new(verifier).get("/transactions", || async { "all of them" })
/// # }
/// ```
///
/// ```compile_fail
/// # use intelliauth::resource_server::{ProtectedRouter, Verifier};
/// # fn build(verifier: Verifier) -> ProtectedRouter {
/// ProtectedRouter::new(verifier).merge(axum::Router::new())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProtectedRouter<S = ()> {
    verifier: Verifier,
    parts: Vec<Part<S>>,
    routes: Vec<Route>,
    /// By the prefix below which each answers.
    fallbacks: Vec<(String, MethodRouter<S>)>,
    /// What the APIs of these routes publish about themselves.
    metadata: Vec<ResourceMetadata>,
}

#[derive(Clone, Debug)]
enum Part<S> {
    Route(String, Box<MethodRouter<S>>),
    Router(String, Router<S>),
}

impl<S: Clone + Send + Sync + 'static> ProtectedRouter<S> {
    /// A router for tokens that `verifier` accepts, without routes, or with the open one where the API describes
    /// itself ([`VerifierBuilder::resource`](crate::resource_server::VerifierBuilder::resource)).
    pub fn new(verifier: Verifier) -> Self {
        let metadata = verifier.resource_metadata().cloned();
        let router = Self {
            verifier,
            parts: Vec::new(),
            routes: Vec::new(),
            fallbacks: Vec::new(),
            metadata: Vec::new(),
        };
        metadata.into_iter().fold(router, Self::publish)
    }

    /// `GET` (and `HEAD`) at `path`, for tokens that meet `requirement`.
    pub fn get<H, T>(self, path: &str, requirement: Requirement, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.protect((Method::GET, MethodFilter::GET), path, requirement, handler)
    }

    /// `POST` at `path`, for tokens that meet `requirement`.
    pub fn post<H, T>(self, path: &str, requirement: Requirement, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.protect(
            (Method::POST, MethodFilter::POST),
            path,
            requirement,
            handler,
        )
    }

    /// `PUT` at `path`, for tokens that meet `requirement`.
    pub fn put<H, T>(self, path: &str, requirement: Requirement, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.protect((Method::PUT, MethodFilter::PUT), path, requirement, handler)
    }

    /// `PATCH` at `path`, for tokens that meet `requirement`.
    pub fn patch<H, T>(self, path: &str, requirement: Requirement, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.protect(
            (Method::PATCH, MethodFilter::PATCH),
            path,
            requirement,
            handler,
        )
    }

    /// `DELETE` at `path`, for tokens that meet `requirement`.
    pub fn delete<H, T>(self, path: &str, requirement: Requirement, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.protect(
            (Method::DELETE, MethodFilter::DELETE),
            path,
            requirement,
            handler,
        )
    }

    fn protect<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &str,
        requirement: Requirement,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        // The layer is around the handler of this method alone: another method at the same path has
        // its own, or is answered 405.
        let layer = self.verifier.layer().requiring(requirement.clone());
        let scopes = requirement.scopes();
        let handler = on(filter, handler).route_layer(layer);
        self.parts
            .push(Part::Route(path.to_owned(), Box::new(handler)));
        self.routes.push(Route {
            method: Some(method),
            path: path.to_owned(),
            requirement: Some(requirement),
            is_fallback: false,
            takes_claims: true,
            is_metadata: false,
        });
        let metadata = self.verifier.resource_metadata().cloned();
        let metadata = metadata.map(|metadata| metadata.scopes(&scopes));
        metadata.into_iter().fold(self, Self::publish)
    }

    /// Publishes what an API says about itself, once for each API and with the scopes of all its routes.
    fn publish(mut self, metadata: ResourceMetadata) -> Self {
        let mut known = self.metadata.iter_mut();
        if !known.any(|known| known.absorb(&metadata)) {
            self.routes
                .push(Route::metadata(metadata.path().to_owned()));
            self.metadata.push(metadata);
        }
        self
    }

    /// Routes that need no token.
    pub fn open(mut self, path: &str, handlers: MethodRouter<S>) -> Self {
        self.parts
            .push(Part::Route(path.to_owned(), Box::new(handlers)));
        self.routes.push(Route::open(path.to_owned()));
        self
    }

    /// A whole router of routes that need no token, below `prefix`.
    pub fn open_router(mut self, prefix: &str, router: Router<S>) -> Self {
        self.parts.push(Part::Router(prefix.to_owned(), router));
        self.list(Route::open(joined(prefix, "/")));
        self.list(Route::open(joined(prefix, ALL_BELOW)));
        self
    }

    /// Routes that need no token and look at the one that comes.
    ///
    /// `Option<Claims>` is `None` without a token. A token that is not accepted is refused as
    /// everywhere else, and so is a second one.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use intelliauth::resource_server::{Claims, ProtectedRouter, Verifier};
    ///
    /// async fn greeting(claims: Option<Claims>) -> String {
    ///     let claims = claims.as_ref();
    ///     format!("hello {}", claims.and_then(Claims::subject).unwrap_or("stranger"))
    /// }
    ///
    /// let verifier = Verifier::builder("https://banking-cymmetri.intelliauth.local", "api.banking.cymmetri.com").build()?;
    /// let router: ProtectedRouter = ProtectedRouter::new(verifier).optional("/", axum::routing::get(greeting));
    /// assert_eq!(router.routes()[0].to_string(), "/: open, with claims where a token comes");
    /// # Ok(()) }
    /// ```
    pub fn optional(mut self, path: &str, handlers: MethodRouter<S>) -> Self {
        let layer = self.verifier.layer().optional();
        let handlers = Box::new(handlers.route_layer(layer));
        self.parts.push(Part::Route(path.to_owned(), handlers));
        self.routes.push(Route {
            takes_claims: true,
            ..Route::open(path.to_owned())
        });
        self
    }

    /// The answer to every caller where there is no route; 404 by default.
    ///
    /// In the list of routes it is the open route `/{*rest}`. It is no route that axum knows, so it has no
    /// path parameters, and is in the way of no route. It also answers other spellings of a protected
    /// path, such as one with a slash at its end: let it serve nothing that is protected elsewhere.
    pub fn open_fallback<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.fallbacks.push(("/".to_owned(), any(handler)));
        self.list(Route::fallback(ALL_BELOW.to_owned()));
        self
    }

    /// The routes of another protected router, below `prefix`; each keeps its own requirement.
    ///
    /// A handler sees the whole path: nothing is stripped. Of several fallbacks the one with the longest
    /// prefix answers. Where an API describes itself is its own affair, and gets no prefix.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        for part in other.parts {
            self.parts.push(match part {
                Part::Route(path, handlers) => Part::Route(joined(prefix, &path), handlers),
                Part::Router(path, router) => Part::Router(joined(prefix, &path), router),
            });
        }
        for (below, handlers) in other.fallbacks {
            let below = match joined(prefix, &below) {
                root if root.is_empty() => "/".to_owned(),
                below => below,
            };
            self.fallbacks.push((below, handlers));
        }
        for route in other.routes.into_iter().filter(|route| !route.is_metadata) {
            let path = joined(prefix, &route.path);
            self.list(Route { path, ..route });
        }
        other.metadata.into_iter().fold(self, Self::publish)
    }

    /// The routes of another protected router; each keeps its own requirement.
    pub fn merge(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        let routes = other.routes.into_iter().filter(|route| !route.is_metadata);
        routes.for_each(|route| self.list(route));
        self.fallbacks.extend(other.fallbacks);
        other.metadata.into_iter().fold(self, Self::publish)
    }

    /// What says nothing that is not in the list already, such as a second fallback, is left out.
    fn list(&mut self, route: Route) {
        if route.method.is_some() || !self.routes.contains(&route) {
            self.routes.push(route);
        }
    }

    /// Every route with what it needs, in the order in which they were declared; open routers and
    /// fallbacks with all that they answer.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The axum router, to be layered and served. What is added to it from here on is not protected.
    ///
    /// # Errors
    ///
    /// [`RouteError`] if a path is none, if two paths cannot be told apart, or if an open wildcard would
    /// answer another spelling of a protected path.
    ///
    /// # Panics
    ///
    /// As axum's router does, when an open route has a method that is declared a second time at the same
    /// path: what handlers are in it, it does not say.
    pub fn into_router(self) -> Result<Router<S>, RouteError> {
        let prefixes = self.parts.iter().filter_map(|part| match part {
            Part::Route(..) => None,
            Part::Router(prefix, _) => Some(prefix.as_str()),
        });
        check(&self.routes, prefixes)?;
        let router = self
            .parts
            .into_iter()
            .fold(Router::new(), |router, part| match part {
                Part::Route(path, handlers) => router.route(&path, *handlers),
                Part::Router(prefix, inner) => router.nest(&prefix, inner),
            });
        let router = self.metadata.iter().fold(router, |router, metadata| {
            router.route(metadata.path(), published(metadata))
        });
        if self.fallbacks.is_empty() {
            return Ok(router);
        }
        Ok(router.fallback(Fallbacks::new(self.fallbacks)))
    }
}

/// What an API says about itself, to every caller and every page (RFC 9728 section 3.2).
fn published<S: Clone + Send + Sync + 'static>(metadata: &ResourceMetadata) -> MethodRouter<S> {
    let document = metadata.to_json();
    get(move || async move {
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        (headers, document).into_response()
    })
}

/// A path below a prefix; the root below it is the prefix itself.
fn joined(prefix: &str, path: &str) -> String {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    match path {
        "/" if !prefix.is_empty() => prefix.to_owned(),
        path => format!("{prefix}{path}"),
    }
}

/// All paths below another one.
const ALL_BELOW: &str = "/{*rest}";
