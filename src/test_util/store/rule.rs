//! The rules, as sentences.

use std::fmt;

macro_rules! rules {
    ($($(#[$meta:meta])* $name:ident => $sentence:literal,)+) => {
        /// What a client relies on in a store of sessions.
        ///
        /// `Display` says it as a sentence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum StoreRule {
            $(#[doc = $sentence] $(#[$meta])* $name,)+
        }

        impl StoreRule {
            /// All of them.
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$name),+].into_iter()
            }

            fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)+
                }
            }
        }
    };
}

rules! {
    CallsReturn => "Every call returns in time, and none panics.",
    AbsentIsNothing => "Loading a session that was never saved yields nothing, and is no error.",
    SavedIsLoaded => "What was saved is loaded, through every handle, with its version.",
    BytesStayAsTheyAre => "A record may be any bytes, and they come back as they were.",
    LargeRecordsFit => "A record as large as `record_limit` says is kept whole.",
    TooLargeIsRefused => "A larger record is refused as `TooLarge`, and the old one stays.",
    KeysStayApart => "Keys that differ in any byte of any part are different sessions.",
    RecordsAreHidden => "What is kept does not show in the store's `Debug`.",
    NewNeedsNothingThere => "A save that replaces nothing is superseded where there is a record.",
    SupersededChangesNothing => "A save that replaces another version than the one that is there changes nothing.",
    SetAsideIsGone => "What is set aside is gone, and only if it is of the version that was named.",
    ListShowsAll => "A list shows every record once, and none that was set aside.",
    OneSaveWins => "Of several saves at one time that replace the same version, exactly one is saved.",
    RecordsStayWhole => "A load during saves finds a record that was saved, never a mixture.",
    LateSavesChangeNothing => "A save that comes late, or whose caller gave up, changes nothing once another holder has saved.",
    LockIsForOne => "A lock has at most one holder, across tasks and handles.",
    LockWaitsForItsTurn => "A lock that is waited for is had when its holder releases it.",
    LockGivesUp => "A lock that is not free within the patience of its caller is `Locked`.",
    LockSaysThatItIsHeld => "A lock that was just taken says that it is held.",
    ReleasedIsFree => "A lock is free when its release has returned.",
    DroppedIsFree => "A lock that was dropped is free within a minute.",
    CancelledIsFree => "A lock whose holder or waiting caller was cancelled is free within a minute.",
    FamiliesStayApart => "The locks of different families and sessions do not exclude each other.",
    SavingNeedsNoLock => "A record can be saved while another handle holds the session's lock.",
    ChangesAreAnnounced => "A store that announces changes announces what another handle saved, under the session's digest.",
    OutlivesItsRuntime => "A handle works on, although the runtime that it was made on has ended.",
}

impl fmt::Display for StoreRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
