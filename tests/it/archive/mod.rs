//! `leaver audit` and `leaver leavers`.
