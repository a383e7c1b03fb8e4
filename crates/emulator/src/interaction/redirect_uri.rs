//! Which redirect URI fits which registered one.

/// Whether a registered redirect URI allows this one: character for character, but for the port of
/// a loopback address (RFC 8252 section 7.3).
pub(super) fn fits(registered: &str, asked: &str, loopback_ipv6: bool) -> bool {
    if registered == asked {
        return true;
    }
    let Some(registered) = below_loopback(registered, IPV4) else {
        let ipv6 = loopback_ipv6
            .then(|| below_loopback(registered, IPV6))
            .flatten();
        return ipv6.is_some_and(|registered| below_loopback(asked, IPV6) == Some(registered));
    };
    let is_ipv6 = || loopback_ipv6 && below_loopback(asked, IPV6) == Some(registered);
    below_loopback(asked, IPV4) == Some(registered) || is_ipv6()
}

/// What follows host and port; `None` for anything but this address.
fn below_loopback<'u>(uri: &'u str, origin: &str) -> Option<&'u str> {
    let rest = uri.strip_prefix(origin)?;
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(port) => {
            let end = port
                .find(|char: char| !char.is_ascii_digit())
                .unwrap_or(port.len());
            let (digits, rest) = port.split_at(end);
            digits.parse::<u16>().ok()?;
            rest
        }
    };
    // Anything else here would name another host: 127.0.0.1.example.com, or a name and a password.
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

const IPV4: &str = "http://127.0.0.1";
const IPV6: &str = "http://[::1]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let loopback = "http://127.0.0.1/callback";
        let rows = [
            (loopback, "http://127.0.0.1/callback", true),
            (loopback, "http://127.0.0.1:49152/callback", true),
            (
                "http://127.0.0.1:3000/callback",
                "http://127.0.0.1:4000/callback",
                true,
            ),
            (loopback, "http://127.0.0.1:49152/callback/", false),
            (loopback, "http://127.0.0.1:49152/Callback", false),
            (loopback, "http://127.0.0.1:49152/callback?a=b", false),
            (loopback, "http://127.0.0.1:49152/callback#a", false),
            (loopback, "http://localhost:49152/callback", false),
            (loopback, "https://127.0.0.1:49152/callback", false),
            (loopback, "http://127.0.0.1:99999/callback", false),
            (loopback, "http://127.0.0.1:/callback", false),
            (loopback, "http://127.0.0.1:80@example.com/callback", false),
            (loopback, "http://127.0.0.1.example.com/callback", false),
            (loopback, "http://[::1]:49152/callback", false),
            ("https://app.example/cb", "https://app.example/cb", true),
            (
                "https://app.example/cb",
                "https://app.example:443/cb",
                false,
            ),
            ("https://app.example/cb", "https://app.example/cb/", false),
            ("https://app.example/cb", "https://APP.example/cb", false),
            ("com.example.app:/cb", "com.example.app:/cb", true),
            ("com.example.app:/cb", "com.example.app:/cb2", false),
        ];
        for (registered, asked, expected) in rows {
            assert_eq!(
                fits(registered, asked, false),
                expected,
                "{registered} {asked}"
            );
        }
    }

    #[test]
    fn the_other_loopback_address_fits_where_the_switch_says_so() {
        let rows = [
            ("http://127.0.0.1/cb", "http://[::1]:49152/cb", true),
            ("http://[::1]/cb", "http://[::1]:49152/cb", true),
            ("http://[::1]/cb", "http://[::1]:49152/other", false),
            ("http://127.0.0.1/cb", "http://[::2]:49152/cb", false),
        ];
        for (registered, asked, expected) in rows {
            assert_eq!(
                fits(registered, asked, true),
                expected,
                "{registered} {asked}"
            );
        }
        assert!(!fits("http://[::1]/cb", "http://[::1]:49152/cb", false));
    }
}
