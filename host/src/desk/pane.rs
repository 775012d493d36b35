//! The panes, with their canonical ids, labels and sources.

/// Declares each pane once: variant, id, command label, title, source.
macro_rules! panes {
    ($($(#[$doc:meta])* $pane:ident, $id:literal, $label:literal, $title:literal, $source:literal;)*) => {
        /// A pane: one feature, one command that opens it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Pane { $($(#[$doc])* $pane,)* }

        impl Pane {
            /// All of them, in the order of the catalogue.
            pub const ALL: &'static [Pane] = &[$(Pane::$pane,)*];

            /// `pane.…`: what control and layout files know it by.
            pub const fn id(self) -> &'static str {
                match self { $(Pane::$pane => $id,)* }
            }

            /// What its command in the palette is called.
            pub const fn label(self) -> &'static str {
                match self { $(Pane::$pane => $label,)* }
            }

            /// What stands above it.
            pub const fn title(self) -> &'static str {
                match self { $(Pane::$pane => $title,)* }
            }

            /// Where its values come from.
            pub const fn source(self) -> &'static str {
                match self { $(Pane::$pane => $source,)* }
            }
        }
    };
}

panes! {
    /// Conversations with the model of this machine.
    AutopilotChat, "pane.autopilot_chat", "Autopilot Chat", "Autopilot Chat", "ledger";
    /// The switch, and what stands against it.
    GoOnline, "pane.go_online", "Go Online", "Go Online", "ledger";
    /// Heartbeat, queue and failures.
    ProviderStatus, "pane.provider_status", "Provider Status", "Provider Status", "ledger";
    /// Devices of a tailnet.
    TailnetStatus, "pane.tailnet_status", "Tailnet Status", "Tailnet Status", "tailnet";
    /// Requests and what was decided of each.
    JobInbox, "pane.job_inbox", "Job Inbox", "Job Inbox", "relay + ledger";
    /// The job that is worked on.
    ActiveJob, "pane.active_job", "Active Job", "Active Job", "ledger";
    /// All jobs.
    JobHistory, "pane.job_history", "Job History", "Job History", "ledger + wallet";
    /// What was earned.
    EarningsScoreboard, "pane.earnings_scoreboard", "Earnings Scoreboard", "Earnings Scoreboard", "wallet-settled facts";
    /// Balances, channels and payments.
    Wallet, "pane.wallet", "Wallet", "LDK Lightning Wallet", "wallet";
    /// Sends money away.
    PayInvoice, "pane.pay_invoice", "Pay Lightning Invoice", "Pay Lightning Invoice", "wallet";
    /// Asks for money.
    CreateInvoice, "pane.create_invoice", "Create Lightning Invoice", "Create Lightning Invoice", "wallet";
    /// Who this is.
    IdentityKeys, "pane.identity_keys", "Identity Keys", "Nostr Keys (NIP-06)", "local";
    /// Relays.
    RelayConnections, "pane.relay_connections", "Relay Connections", "Relay Connections", "relay";
    /// The shared state of several devices.
    SyncHealth, "pane.sync_health", "Sync Health", "Sync Health", "sync";
    /// What this machine buys.
    NetworkRequests, "pane.network_requests", "Network Requests", "Network Requests", "ledger";
    /// First jobs of a new provider.
    StarterJobs, "pane.starter_jobs", "Starter Jobs", "Starter Jobs", "nexus";
    /// Every fact, in words.
    ActivityFeed, "pane.activity_feed", "Activity Feed", "Activity Feed", "ledger";
    /// What is wrong, and what to do.
    AlertsRecovery, "pane.alerts_recovery", "Alerts and Recovery", "Alerts and Recovery", "ledger";
    /// Everything that can be set.
    Settings, "pane.settings", "Settings", "Settings", "local";
}

impl Pane {
    /// The pane of an id, with or without `pane.` before it.
    pub fn of_id(id: &str) -> Option<Pane> {
        let short = id.strip_prefix("pane.").unwrap_or(id);
        Pane::ALL
            .iter()
            .copied()
            .find(|pane| pane.id().strip_prefix("pane.") == Some(short))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_id_one_label_one_pane() {
        let ids: BTreeSet<_> = Pane::ALL.iter().map(|pane| pane.id()).collect();
        let labels: BTreeSet<_> = Pane::ALL.iter().map(|pane| pane.label()).collect();
        assert_eq!((ids.len(), labels.len(), Pane::ALL.len()), (19, 19, 19));
        for pane in Pane::ALL {
            assert_eq!(Pane::of_id(pane.id()), Some(*pane));
        }
        assert_eq!(Pane::of_id("go_online"), Some(Pane::GoOnline));
        assert_eq!(Pane::of_id("pane.nothing"), None);
    }
}
