//! Employees who share an account: they are linked to it, or an employee of another source has its e-mail.

pub(crate) mod store;
