//! Relays by hand, while the market runs: added, removed, and tried again at once.

use autopilot_core::ports::market::MarketError;
use nostr::RelayUrl;

use super::{MAX_RELAYS, RelayMarket, add, join, parse_urls};

impl RelayMarket {
    /// Addresses of the relays in use, in the order in which they were added.
    pub fn addresses(&self) -> Vec<String> {
        self.lanes.addresses()
    }

    /// An address as it is written here.
    ///
    /// # Errors
    /// [`MarketError::Relay`] for one that is none.
    pub fn address(&self, address: &str) -> Result<String, MarketError> {
        parse(address).map(|url| url.to_string())
    }

    /// Whether so many relays can be used.
    ///
    /// # Errors
    /// [`MarketError::Relay`] for none, and beyond [`super::MAX_RELAYS`].
    pub fn check_count(&self, count: usize) -> Result<(), MarketError> {
        match count {
            0 => Err(MarketError::Relay(
                "the last relay stays: without one nobody is heard".into(),
            )),
            count if count > MAX_RELAYS => Err(MarketError::Relay(format!(
                "{count} relays are too many: at most {MAX_RELAYS} are used"
            ))),
            _ => Ok(()),
        }
    }

    /// Uses one more relay from now on; answers with its address as it is written from now on.
    ///
    /// # Errors
    /// [`MarketError::Relay`] for an address that is none or is in use, and beyond [`super::MAX_RELAYS`].
    pub async fn add_relay(&self, address: &str) -> Result<String, MarketError> {
        let url = parse(address)?;
        let _one = self.changing.lock().await;
        let lane = add(&self.pool, &self.lanes, &url, &self.config).await?;
        // What is watched is asked for once the connection stands.
        if let Some((relay, _)) = self.lanes.get(lane) {
            relay.connect();
        }
        Ok(url.to_string())
    }

    /// Uses a relay no more; answers with its address. What it still owes is not waited for.
    ///
    /// # Errors
    /// [`MarketError::Relay`] for one that is not in use.
    pub async fn remove_relay(&self, address: &str) -> Result<String, MarketError> {
        let url = parse(address)?;
        let _one = self.changing.lock().await;
        let lane = self.lane(&url)?;
        self.lanes.remove(lane);
        self.leave(&url).await?;
        Ok(url.to_string())
    }

    /// Connects to a relay anew, at once. What is counted of it goes on.
    ///
    /// # Errors
    /// [`MarketError::Relay`] for one that is not in use.
    pub async fn retry_relay(&self, address: &str) -> Result<(), MarketError> {
        let url = parse(address)?;
        let _one = self.changing.lock().await;
        let lane = self.lane(&url)?;
        self.leave(&url).await?;
        let relay = join(&self.pool, &url, &self.config).await?;
        self.lanes.bind(lane, relay.clone());
        relay.connect();
        Ok(())
    }

    async fn leave(&self, url: &RelayUrl) -> Result<(), MarketError> {
        let failed = |error: nostr_sdk::pool::pool::Error| MarketError::Relay(format!("{url}: {error}"));
        self.pool.force_remove_relay(url).await.map_err(failed)
    }

    fn lane(&self, url: &RelayUrl) -> Result<usize, MarketError> {
        let lane = self.lanes.lane_of(url);
        lane.ok_or_else(|| MarketError::Relay(format!("{url} is not in use: see the list of relays")))
    }
}

fn parse(address: &str) -> Result<RelayUrl, MarketError> {
    let mut urls = parse_urls(&[address.to_owned()])?;
    urls.pop()
        .ok_or_else(|| MarketError::Relay(format!("`{address}` is no relay address")))
}
