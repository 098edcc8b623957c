//! `leaver drift` for pipes: one table of all groups.

use super::drift::reason;
use super::output::{self, Table, TableColumns};
use crate::reports::drift::{DriftReport, EmployeeWithoutAccount, TerminatedWithAccess};
use leaver_core::domain::AccountId;

/// Columns of the groups. A value that a group does not have is a dash.
#[derive(Debug)]
pub(super) struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("group", 0),
        ("employee", 0),
        ("source", 6),
        ("tenant", 5),
        ("account", 1),
        ("work e-mail", 2),
        ("since", 4),
        ("reason", 3),
        ("hold", 4),
    ];
}

/// Adds a row for each finding, group by group.
pub(super) fn fill(mut table: Table, report: &DriftReport) -> Table {
    for (group, rows) in [
        ("terminated_with_access", &report.terminated_with_access),
        ("fixed", &report.fixed),
        ("held", &report.held),
        ("accepted", &report.accepted),
    ] {
        for row in rows {
            table.add_row(cells(group, row));
        }
    }
    let none = || "-".to_owned();
    for account in &report.active_without_employee {
        table.add_row([
            "active_without_employee".to_owned(),
            none(),
            none(),
            output::or_dash(account.tenant.as_deref()),
            account.account_id.to_string(),
            output::or_dash(account.email.as_deref()),
            none(),
            if account.protected {
                "protected".to_owned()
            } else {
                none()
            },
            none(),
        ]);
    }
    for employee in &report.unmatched {
        table.add_row(unmatched(employee));
    }
    table
}

fn cells(group: &str, row: &TerminatedWithAccess) -> [String; 9] {
    [
        group.to_owned(),
        row.employee_id.to_string(),
        row.source.to_string(),
        row.tenant.to_string(),
        output::or_dash(row.account_id.as_ref().map(AccountId::as_str)),
        output::or_dash(row.work_email.as_deref()),
        output::time_or_dash(row.blocked_since),
        reason(row),
        output::or_dash(row.hold.map(|id| id.to_string())),
    ]
}

fn unmatched(employee: &EmployeeWithoutAccount) -> [String; 9] {
    let none = || "-".to_owned();
    let group = if employee.left {
        "leavers_without_account"
    } else {
        "employees_without_account"
    };
    [
        group.to_owned(),
        employee.employee_id.to_string(),
        employee.source.to_string(),
        employee.tenant.to_string(),
        none(),
        output::or_dash(employee.work_email.as_deref()),
        output::time_or_dash(employee.since),
        none(),
        none(),
    ]
}
