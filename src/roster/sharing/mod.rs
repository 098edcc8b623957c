//! Employees who share an account: they are linked to it, or an employee of another source has its e-mail.

pub(crate) mod store;

use leaver_core::domain::SourceName;

/// Which employees may share an account.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// The sources whose employees do. Empty: nobody does.
    pub sources: Vec<SourceName>,
    /// True if an account belongs to employees of its tenant only.
    pub within_tenant: bool,
}
