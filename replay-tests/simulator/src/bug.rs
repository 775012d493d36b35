//! Bugs of the order in which a host does things, sown on purpose: each must be caught. Those of the core itself are
//! patches, in `mutants/`.

macro_rules! bugs {
    ($($(#[doc = $what:literal])* $bug:ident = $name:literal;)*) => {
        /// A bug in the host's order of steps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[doc = $what])* $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$bug,)*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Bug::$bug => $name,)*
                }
            }

            /// What it does.
            pub fn what(self) -> &'static str {
                match self {
                    $(Bug::$bug => concat!($($what),*).trim_ascii(),)*
                }
            }

            /// The bug of a name.
            pub fn named(name: &str) -> Option<Bug> {
                Bug::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    /// The wallet's event is acknowledged before it is recorded.
    AckFirst = "ack-first";
    /// Whoever asked is answered before the commit.
    AnswerFirst = "answer-first";
    /// Effects begin from decisions that are not durable.
    EffectsFirst = "effects-first";
    /// A failed commit is ignored and the engine goes on.
    IgnoresFullDisk = "ignores-full-disk";
    /// A snapshot is taken before its facts are durable.
    SnapshotFirst = "snapshot-first";
    /// A start takes the snapshot and forgets the facts after it.
    NoTail = "no-tail";
    /// The wallet's list is never held against the ledger.
    NoReconcile = "no-reconcile";
    /// Relays are believed without looking at signatures.
    BelievesRelays = "believes-relays";
    /// A composed event is published before it is recorded.
    PublishesUnsaid = "publishes-unsaid";
    /// Work goes on without looking whether it is still wanted.
    WorksUnasked = "works-unasked";
    /// A retried payment to an offer names a fresh key.
    FreshOfferKey = "fresh-offer-key";
    /// The keys of the past are not looked up.
    ForgetsKeys = "forgets-keys";
    /// A publication that no relay took is reported as taken.
    CountsTriedRelays = "counts-tried-relays";
    /// A failed effect is never tried again.
    NoSecondTry = "no-second-try";
    /// The clock is never told to the engine.
    NoTicks = "no-ticks";
    /// A conflict of the wallet's is recorded as a payment of another hash.
    ConflictPays = "conflict-pays";
}
