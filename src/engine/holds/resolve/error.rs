//! Why a hold cannot be approved or rejected.

use leaver_core::domain::{AccountId, SourceName};

/// Why a hold cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such hold.
    #[error("there is no hold {0}; `leaver holds list` shows the open ones")]
    Unknown(i64),
    /// Another person resolved it, or newer facts withdrew it.
    #[error("hold {id} is not open any more: it is {state}")]
    Closed {
        /// The hold.
        id: i64,
        /// Its state.
        state: String,
    },
    /// Newer facts request something else than what was listed.
    #[error("hold {0} requests something else than when it was listed; list it again")]
    Changed(i64),
    /// The hold has no account.
    #[error("hold {0} has no account; name it with --account ID, or several, or use --all")]
    NoAccount(i64),
    /// The hold has an account, and another one was named.
    #[error("hold {id} is about account {account}; --account is only for holds without an account")]
    OtherAccount {
        /// The hold.
        id: i64,
        /// Its account.
        account: AccountId,
    },
    /// All accounts were requested, and none matches.
    #[error(
        "no account has the work e-mail of the employee of hold {0}; name it with --account ID"
    )]
    NoneMatches(i64),
    /// The named account does not exist.
    #[error("there is no account {0} in the accounts table{of}", of = of_tenant(.0))]
    NoSuchAccount(AccountId),
    /// The account is to be given back, and somebody else has set another status since.
    #[error(
        "account {account} has another status than a deactivation sets, so somebody else has changed it; hold {id} is \
         still open, nothing was changed; set the status by hand and reject the hold"
    )]
    OtherStatus {
        /// The hold.
        id: i64,
        /// Its account.
        account: AccountId,
    },
    /// The database did not change the account.
    #[error(
        "the database did not change account {account}: {reason}; hold {id} is still open, nothing was changed"
    )]
    Blocked {
        /// The hold.
        id: i64,
        /// Its account.
        account: AccountId,
        /// Why.
        reason: String,
    },
    /// The record belongs to no configured company any more.
    #[error(
        "hold {id} is not carried out, since {reason}; reject it, or end this access with `leaver end`"
    )]
    Outside {
        /// The hold.
        id: i64,
        /// Why.
        reason: String,
    },
    /// Something speaks against it that was not known when the hold was opened. It is part of the reason now.
    #[error(
        "hold {id} is not carried out yet, since this was not known when it was opened: {news}; nothing was changed, its \
         reason names it now; look at it again with `leaver holds list` and repeat the approval, or reject it"
    )]
    Unread {
        /// The hold.
        id: i64,
        /// The facts that were not known.
        news: String,
    },
    /// The source is in shadow mode.
    #[error(
        "hold {id} is not carried out, since source {source_name} is in shadow mode; leave it with `leaver enforce --source {source_name}`, or end this access with `leaver end`"
    )]
    Shadow {
        /// The hold.
        id: i64,
        /// The source.
        source_name: SourceName,
    },
    /// The database failed.
    #[error("cannot resolve the hold; nothing was changed")]
    Database(#[from] sqlx::Error),
}

fn of_tenant(account: &AccountId) -> String {
    account
        .tenant()
        .map_or_else(String::new, |tenant| format!(" that is of tenant {tenant}"))
}
