//! What answers where no route does.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    extract::Request,
    handler::Handler,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use http::StatusCode;

use super::paths::Pattern;

/// The fallbacks of a router and of those that were nested in it; the one that is nearest answers.
///
/// A fallback is no route: it can be in the way of none.
#[derive(Clone, Debug)]
pub(super) struct Fallbacks<S>(Arc<Vec<(String, MethodRouter<S>)>>);

impl<S> Fallbacks<S> {
    /// By prefix, of which the first stands for all that are the same.
    pub(super) fn new(mut fallbacks: Vec<(String, MethodRouter<S>)>) -> Self {
        let rank = |prefix: &str| Pattern::read(prefix).map_or((0, 0), |pattern| pattern.rank());
        // Stable: those that are declared first come first.
        fallbacks.sort_by_key(|(prefix, _)| std::cmp::Reverse(rank(prefix)));
        Self(Arc::new(fallbacks))
    }

    fn nearest(&self, path: &str) -> Option<&MethodRouter<S>> {
        let is_above = |prefix: &str| {
            let is_root = prefix == "/";
            is_root || Pattern::read(prefix).is_ok_and(|pattern| pattern.is_above(path))
        };
        let mut fallbacks = self.0.iter();
        let found = fallbacks.find(|(prefix, _)| is_above(prefix));
        found.map(|(_, handlers)| handlers)
    }
}

impl<S: Clone + Send + Sync + 'static> Handler<(), S> for Fallbacks<S> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        let nearest = self.nearest(request.uri().path()).cloned();
        Box::pin(async move {
            match nearest {
                Some(handlers) => Handler::call(handlers, request, state).await,
                None => StatusCode::NOT_FOUND.into_response(),
            }
        })
    }
}
