//! [`Hosts`]: which names an emulator answers to.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;

/// Which `Host` a request may name (RFC 9110 section 7.2).
///
/// A page of any site can have its own name resolved to 127.0.0.1 and is then the same origin as the program
/// that listens there (DNS rebinding); its requests still name that site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Those of this machine alone: no other machine can connect.
    Loopback,
    /// Any: it listens for other machines, under names that it does not know.
    Any,
}

impl Hosts {
    pub(crate) fn of_listening_at(address: IpAddr) -> Self {
        if address.to_canonical().is_loopback() {
            Self::Loopback
        } else {
            Self::Any
        }
    }

    pub(crate) fn is_allowed(self, parts: &Parts) -> bool {
        if self == Self::Any {
            return true;
        }
        let mut named = parts.headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        let authority = Authority::try_from(host.as_bytes());
        let is_local = authority.is_ok_and(|authority| is_loopback(authority.host()));
        // RFC 9112 section 3.2.2: a target in absolute form counts instead.
        is_local && parts.uri.host().is_none_or(is_loopback)
    }
}

/// The port may be a forwarded one.
fn is_loopback(host: &str) -> bool {
    let without_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = without_brackets.unwrap_or(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn is_allowed(target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        Hosts::Loopback.is_allowed(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8080",
            "127.0.0.2",
        ] {
            assert!(is_allowed("/", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a.localhost",
            "192.168.0.1",
            "0.0.0.0",
            "",
            "not a host",
        ] {
            assert!(!is_allowed("/", &[host]), "{host}");
        }
        assert!(!is_allowed("/", &[]));
        assert!(!is_allowed("/", &["localhost", "localhost"]));
        assert!(!is_allowed("http://evil.example/", &["localhost"]));
        assert!(is_allowed("http://127.0.0.1:8080/", &["127.0.0.1:8080"]));
    }

    #[test]
    fn an_address_of_the_network_has_names_that_are_not_known() {
        for (address, expected) in [
            ("127.0.0.1", Hosts::Loopback),
            ("127.9.9.9", Hosts::Loopback),
            ("::1", Hosts::Loopback),
            ("::ffff:127.0.0.1", Hosts::Loopback),
            ("0.0.0.0", Hosts::Any),
            ("::", Hosts::Any),
            ("192.168.0.1", Hosts::Any),
        ] {
            let found = Hosts::of_listening_at(address.parse().unwrap());
            assert_eq!(found, expected, "{address}");
        }
    }
}
