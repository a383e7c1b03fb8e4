//! The emulator, as clients see it that nobody here wrote.

mod people;
mod refusals;
mod tokens;

/// Writes each test twice: once for each foreign client.
macro_rules! for_each_peer {
    ($($name:ident)+) => {
        mod openid_client {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::support::Peer::openid_client).await;
            })+
        }

        mod authlib {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::support::Peer::authlib).await;
            })+
        }
    };
}

use for_each_peer;

/// How a peer of this emulator is started.
type Start = fn(&intelliauth_emulator::Emulator) -> crate::support::Peer;
