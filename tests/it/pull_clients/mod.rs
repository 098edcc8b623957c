//! The API clients against stand-ins that follow the providers' OpenAPI files.

mod bamboohr;
mod contracts;
mod merge;
mod retries;
mod secrets;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use leaver::base::clock::FixedClock;
use leaver::connect::{
    BambooHrAddress, BambooHrApi, ClientLimits, LinkedAccount, MergeAddress, MergeApi, ReadError,
    Transport,
};
use leaver_core::domain::Tenant;
use leaver_core::providers::EmployeePage;

use crate::support::apis::StandIn;
use crate::support::at;

const MERGE_API_KEY: &str = "merge-api-key-sentinel";
const ACCOUNT_TOKEN: &str = "account-token-sentinel";
const BAMBOOHR_API_KEY: &str = "bamboohr-api-key-sentinel";

/// Limits with waits of milliseconds.
fn limits() -> ClientLimits {
    ClientLimits {
        attempt_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(10),
        max_attempts: 4,
        first_backoff: Duration::from_millis(2),
        host_failure_window: Duration::from_millis(20),
        ..ClientLimits::default()
    }
}

fn clock() -> FixedClock {
    FixedClock::at(at("2026-11-22T12:00:00Z"))
}

fn transport(limits: ClientLimits) -> Transport {
    Transport::new(limits, Arc::new(clock())).unwrap()
}

fn merge_over(stand_in: &StandIn, transport: Transport) -> MergeApi {
    let address = MergeAddress::parse(&stand_in.url).unwrap();
    MergeApi::new(address, MERGE_API_KEY.into(), transport)
}

fn merge(stand_in: &StandIn) -> MergeApi {
    merge_over(stand_in, transport(limits()))
}

fn bamboohr_over(stand_in: &StandIn, transport: Transport) -> BambooHrApi {
    let address = BambooHrAddress::parse(&stand_in.url).unwrap();
    BambooHrApi::new(
        address,
        Tenant::new("widgets"),
        chrono_tz::Tz::UTC,
        BAMBOOHR_API_KEY.into(),
        transport,
    )
}

fn bamboohr(stand_in: &StandIn) -> BambooHrApi {
    bamboohr_over(stand_in, transport(limits()))
}

fn account(id: &str) -> LinkedAccount {
    LinkedAccount {
        id: id.to_owned(),
        tenant: Tenant::new(format!("tenant of {id}")),
        timezone: chrono_tz::Tz::UTC,
        token: ACCOUNT_TOKEN.into(),
    }
}

/// Reads all pages, until the last or an error.
async fn read_all(api: &MergeApi, account: &LinkedAccount) -> Result<Vec<EmployeePage>, ReadError> {
    let mut pages = api.employees(account, None);
    let mut read = vec![];
    while let Some(page) = pages.next().await? {
        read.push(page);
    }
    Ok(read)
}
