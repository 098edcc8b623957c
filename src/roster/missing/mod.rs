//! Records that complete reads of all employees do not have any more. Absence ends no access; such a record only stops
//! keeping the access of another one.

pub(crate) mod store;
