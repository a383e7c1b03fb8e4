//! Paths as axum writes them: which of them can be routed, and which of them stand in for others.

use std::collections::BTreeMap;

use super::route::Route;

/// Why a [`ProtectedRouter`](super::ProtectedRouter) cannot become a router.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// axum has no such path.
    #[error("the path `{path}` cannot be routed: {problem}")]
    #[non_exhaustive]
    Path {
        /// The path, with all prefixes.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two paths fit the same requests, and none of them fits more narrowly.
    #[error("the paths `{path}` and `{other}` fit the same requests")]
    #[non_exhaustive]
    Conflict {
        /// The one that was declared later.
        path: String,
        /// The one that was declared before.
        other: String,
    },
    /// A protected path can be spelt so that an open route answers it.
    #[error(
        "the open `{open}` answers other spellings of the protected `{protected}`: declare the latter \
         elsewhere, or let open_fallback answer what is not declared"
    )]
    #[non_exhaustive]
    Avoidable {
        /// The protected path.
        protected: String,
        /// The open path with a wildcard in it.
        open: String,
    },
}

/// A part of a path between two slashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment<'a> {
    Text(&'a str),
    /// `{name}`, after a text that stands before it.
    One(&'a str),
    /// `{*name}`: all that is left, and at least something.
    Rest,
}

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern<'a>(Vec<Segment<'a>>);

impl<'a> Pattern<'a> {
    pub(super) fn read(path: &'a str) -> Result<Self, &'static str> {
        let below = path.strip_prefix('/');
        let below = below.ok_or("it does not begin with a slash")?;
        let segments: Result<Vec<_>, _> = below.split('/').map(segment).collect();
        let segments = segments?;
        let before_last = segments.split_last().map_or(&[][..], |(_, before)| before);
        if before_last.contains(&Segment::Rest) {
            return Err("a {*rest} stands at its end alone");
        }
        Ok(Self(segments))
    }

    /// Whether a request for `path` is below this one: at least a segment more.
    pub(super) fn is_above(&self, path: &str) -> bool {
        let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
        // A prefix that is the root has one segment, which is empty.
        let is_root = self.0 == [Segment::Text("")];
        let mut own = self.0.iter().filter(|_| !is_root);
        let fits = |segment: &Segment<'_>| {
            let part = parts.next();
            part.is_some_and(|part| segment.takes(&Segment::Text(part)))
        };
        own.all(fits) && parts.next().is_some_and(|rest| !rest.is_empty())
    }

    /// What comes first where two stand above the same path: the longer one, then the one with more text.
    pub(super) fn rank(&self) -> (usize, usize) {
        let is_text = |segment: &&Segment<'_>| matches!(segment, Segment::Text(_));
        (self.0.len(), self.0.iter().filter(is_text).count())
    }

    /// Whether this one fits some spelling of what is meant for `other` alone.
    fn stands_in_for(&self, other: &Self) -> bool {
        let (own, others) = (&self.0, &other.0);
        for (at, segment) in own.iter().enumerate() {
            match (segment, others.get(at)) {
                (Segment::Rest, Some(first)) => return *first != Segment::Rest,
                (segment, Some(theirs)) if segment.takes(theirs) => {}
                _ => return false,
            }
        }
        own.len() == others.len() && self != other
    }

    /// Whether axum cannot tell the two apart.
    fn is_ambiguous_with(&self, other: &Self) -> bool {
        for pair in self.0.iter().zip(&other.0) {
            match pair {
                (one, two) if one == two => {}
                (Segment::Rest, Segment::One(_)) | (Segment::One(_), Segment::Rest) => return true,
                _ => return false,
            }
        }
        self.0.len() == other.0.len()
    }
}

impl Segment<'_> {
    /// Whether all that `other` fits in some spelling fits this one as well.
    fn takes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rest, _) => true,
            (Self::One(before), Self::Text(text)) => {
                text.len() > before.len() && text.starts_with(before)
            }
            (Self::One(before), Self::One(theirs)) => theirs.starts_with(before),
            (one, two) => one == two,
        }
    }
}

fn segment(text: &str) -> Result<Segment<'_>, &'static str> {
    if text.starts_with([':', '*']) {
        return Err("a parameter is written {name}, and a wildcard {*name}");
    }
    // Doubled braces mean themselves.
    let plain = text.replace("{{", "  ").replace("}}", "  ");
    let Some(start) = plain.find('{') else {
        let is_text = !plain.contains('}');
        return if is_text {
            Ok(Segment::Text(text))
        } else {
            Err("a brace is not opened")
        };
    };
    let (before, name) = text.split_at(start);
    let name = name
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'));
    let name = name.ok_or("a parameter ends its segment")?;
    let (is_rest, name) = name
        .strip_prefix('*')
        .map_or((false, name), |name| (true, name));
    if name.is_empty() || name.contains(['{', '}', '*']) {
        return Err("a parameter has one name");
    }
    match (is_rest, before) {
        (true, "") => Ok(Segment::Rest),
        (true, _) => Err("nothing stands before a {*rest} in its segment"),
        (false, before) => Ok(Segment::One(before)),
    }
}

/// Whether all the routes can be told apart, and no protected one can be got round by its spelling.
pub(super) fn check<'a>(
    routes: &'a [Route],
    open_prefixes: impl Iterator<Item = &'a str>,
) -> Result<(), RouteError> {
    for prefix in open_prefixes {
        read(prefix).and_then(|pattern| match pattern.0.as_slice() {
            [Segment::Text("")] => Err(RouteError::Path {
                path: prefix.to_owned(),
                problem: "a router needs a prefix: declare its routes one by one",
            }),
            segments if segments.contains(&Segment::Rest) => Err(RouteError::Path {
                path: prefix.to_owned(),
                problem: "a prefix has no wildcard",
            }),
            _ => Ok(()),
        })?;
    }
    let declared = told_apart(routes)?;
    let listed = routes.iter().filter(|route| !route.is_fallback);
    let (open, protected): (Vec<&Route>, Vec<&Route>) =
        listed.partition(|route| route.requirement.is_none());
    for route in protected {
        let Some(pattern) = declared.get(route.path()) else {
            continue;
        };
        let stands_in = |open: &&&Route| {
            let open = declared.get(open.path());
            open.is_some_and(|open| open.stands_in_for(pattern))
        };
        if let Some(open) = open.iter().find(stands_in) {
            let (protected, open) = (route.path().to_owned(), open.path().to_owned());
            return Err(RouteError::Avoidable { protected, open });
        }
    }
    Ok(())
}

/// Every path, if no two of them fit the same requests.
fn told_apart(routes: &[Route]) -> Result<BTreeMap<&str, Pattern<'_>>, RouteError> {
    let mut declared: BTreeMap<&str, Pattern<'_>> = BTreeMap::new();
    for route in routes.iter().filter(|route| !route.is_fallback) {
        let (path, pattern) = (route.path(), read(route.path())?);
        let is_again = |other: &&Route| other.path() == path && other.method() == route.method();
        if route.method().is_some() && routes.iter().filter(is_again).count() > 1 {
            let (path, other) = (path.to_owned(), path.to_owned());
            return Err(RouteError::Conflict { path, other });
        }
        let mut others = declared.iter().filter(|(other, _)| **other != path);
        if let Some((other, _)) = others.find(|(_, other)| pattern.is_ambiguous_with(other)) {
            let (path, other) = (path.to_owned(), (*other).to_owned());
            return Err(RouteError::Conflict { path, other });
        }
        declared.insert(path, pattern);
    }
    Ok(declared)
}

fn read(path: &str) -> Result<Pattern<'_>, RouteError> {
    Pattern::read(path).map_err(|problem| RouteError::Path {
        path: path.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(path: &str) -> Pattern<'_> {
        Pattern::read(path).unwrap()
    }

    #[test]
    fn an_open_path_stands_in_for_what_it_fits_in_another_spelling() {
        for (open, protected, expected) in [
            ("/pub/{*rest}", "/pub/secret", true),
            ("/pub/{*rest}", "/pub/a/{id}", true),
            ("/{*rest}", "/", true),
            ("/users/{id}", "/users/me", true),
            ("/users/{id}/x", "/users/me/x", true),
            ("/f-{name}", "/f-secret", true),
            ("/f-{name}", "/secret", false),
            ("/users/{id}", "/users/{id}", false),
            ("/users/{id}", "/users/{other}", false),
            ("/users/{id}", "/users/me/x", false),
            ("/users/me", "/users/{id}", false),
            ("/pub/{*rest}", "/pub/{*rest}", false),
            ("/pub/{*rest}", "/pub", false),
            ("/pub/{*rest}", "/public/x", false),
            ("/a", "/a/b", false),
        ] {
            let found = pattern(open).stands_in_for(&pattern(protected));
            assert_eq!(found, expected, "{open} {protected}");
        }
    }

    #[test]
    fn a_prefix_stands_above_all_that_is_longer() {
        for (prefix, path, expected) in [
            ("/", "/x", true),
            ("/", "/", false),
            ("/admin", "/admin/x/y", true),
            ("/admin", "/admin", false),
            ("/admin", "/admin/", false),
            ("/admin", "/administrator/x", false),
            ("/{tenant}/admin", "/one/admin/x", true),
            ("/{tenant}/admin", "/one/other/x", false),
        ] {
            assert_eq!(pattern(prefix).is_above(path), expected, "{prefix} {path}");
        }
    }

    #[test]
    fn what_axum_has_no_path_for_is_told() {
        for path in [
            "",
            "x",
            "/:id",
            "/*rest",
            "/{}",
            "/{*}",
            "/{id",
            "/id}",
            "/{a}b",
            "/{a}{b}",
            "/x{*rest}",
            "/{*rest}/x",
        ] {
            assert!(Pattern::read(path).is_err(), "{path}");
        }
        for path in ["/", "/a/", "/{{a}}", "/a{b}", "/{a}/{*b}", "//"] {
            assert!(Pattern::read(path).is_ok(), "{path}");
        }
    }
}
