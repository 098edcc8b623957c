-- Reads of the roster are in the audit log. A wider list holds for all rows that are there, so they are not read again.
ALTER TABLE leaver.audit DROP CONSTRAINT audit_action_check;
ALTER TABLE leaver.audit ADD CONSTRAINT audit_action_check CHECK (action IN (
    'deactivated', 'reactivated', 'scheduled', 'unscheduled', 'hold_opened', 'approved', 'rejected', 'blocked',
    'sessions_ended', 'tripped', 'released', 'granted', 'undone', 'accepted', 'mode_changed', 'roster_read')) NOT VALID;
COMMENT ON TABLE leaver.audit IS 'The audit log. Each row is written in the transaction of its change, or before a read is shown, and never updated.';
COMMENT ON COLUMN leaver.audit.reason IS 'Why it was done, or the filter of a read. Contains no name and no e-mail.';
COMMENT ON COLUMN leaver.audit.source IS 'Source of the employee. `-` if `leaver end` ended an account of no known employee; employee_id is `-` then, too, and tenant unless the account has one. All three are `-` for a read of many employees.';
