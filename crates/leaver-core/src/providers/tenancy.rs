//! Which tenant the employees of a body belong to.

use std::collections::HashMap;

use super::Ignored;
use crate::domain::Tenant;

/// Which tenant the employees of a body belong to.
#[derive(Clone, Debug)]
pub enum Tenancy {
    /// All employees belong to this tenant, except those of Merge's test accounts.
    One(Tenant),
    /// The body's linked account determines the tenant. Accounts that are not listed are ignored.
    ByLinkedAccount(HashMap<String, Tenant>),
}

impl Tenancy {
    /// Returns the tenants, some of them more than once if several linked accounts have the same.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        let (one, listed) = match self {
            Self::One(tenant) => (Some(tenant), None),
            Self::ByLinkedAccount(tenants) => (None, Some(tenants.values())),
        };
        one.into_iter().chain(listed.into_iter().flatten())
    }

    /// Returns the tenant of a body, or why the body is ignored.
    pub(super) fn tenant_of(
        &self,
        linked_account: Option<&str>,
        is_test: bool,
    ) -> Result<&Tenant, Ignored> {
        match self {
            // Test accounts sign with the same key as production accounts.
            Self::One(_) if is_test => Err(Ignored::TestAccount),
            Self::One(tenant) => Ok(tenant),
            Self::ByLinkedAccount(tenants) => {
                let listed = linked_account.and_then(|id| tenants.get(id));
                listed.ok_or(if is_test {
                    Ignored::TestAccount
                } else {
                    Ignored::UnknownLinkedAccount
                })
            }
        }
    }
}
