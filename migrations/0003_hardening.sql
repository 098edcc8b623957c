-- Remembers the company of a source without linked_accounts, and the accounts that accounts.protected names by e-mail.

ALTER TABLE leaver.linked_accounts ADD COLUMN company_since timestamptz;

UPDATE leaver.linked_accounts AS a SET company_since = a.first_seen_at
WHERE a.deleted_at IS NULL
  AND a.linked_account_id = (SELECT b.linked_account_id FROM leaver.linked_accounts b
                             WHERE b.source = a.source AND b.deleted_at IS NULL
                             ORDER BY b.first_seen_at, b.linked_account_id LIMIT 1);

CREATE UNIQUE INDEX linked_accounts_company ON leaver.linked_accounts (source)
    WHERE company_since IS NOT NULL AND deleted_at IS NULL;

COMMENT ON TABLE leaver.linked_accounts IS 'Linked accounts of Merge: the company of a source without linked_accounts, those that deliver and are not listed, and those that were deleted.';
COMMENT ON COLUMN leaver.linked_accounts.first_seen_at IS 'When its first delivery arrived.';
COMMENT ON COLUMN leaver.linked_accounts.company_since IS 'Since when it is the company of a source without linked_accounts. Empty if it never was.';

CREATE TABLE leaver.protected_accounts (
    tenant        text        NOT NULL,
    account_id    text        NOT NULL,
    entry         text        NOT NULL,
    remembered_at timestamptz NOT NULL,
    CONSTRAINT protected_accounts_pkey PRIMARY KEY (tenant, account_id, entry)
);

COMMENT ON TABLE leaver.protected_accounts IS 'Accounts that had an e-mail of accounts.protected. They stay protected when the e-mail changes.';
COMMENT ON COLUMN leaver.protected_accounts.tenant IS 'Tenant of the account. Empty if the table has no tenant column.';
COMMENT ON COLUMN leaver.protected_accounts.account_id IS 'Id of the account.';
COMMENT ON COLUMN leaver.protected_accounts.entry IS 'The e-mail, in the form in which addresses are compared. The row counts while accounts.protected lists it.';
COMMENT ON COLUMN leaver.protected_accounts.remembered_at IS 'When the account was first seen with the e-mail.';

-- Reads of the roster are in the audit log. A wider list holds for all rows that are there, so they are not read again.
ALTER TABLE leaver.audit DROP CONSTRAINT audit_action_check;
ALTER TABLE leaver.audit ADD CONSTRAINT audit_action_check CHECK (action IN (
    'deactivated', 'reactivated', 'scheduled', 'unscheduled', 'hold_opened', 'approved', 'rejected', 'blocked',
    'sessions_ended', 'tripped', 'released', 'granted', 'undone', 'accepted', 'mode_changed', 'roster_read')) NOT VALID;
COMMENT ON TABLE leaver.audit IS 'The audit log. Each row is written in the transaction of its change, or before a read is shown, and never updated.';
COMMENT ON COLUMN leaver.audit.reason IS 'Why it was done, or the filter of a read. Contains no name and no e-mail.';
COMMENT ON COLUMN leaver.audit.source IS 'Source of the employee. `-` if `leaver end` ended an account of no known employee; employee_id is `-` then, too, and tenant unless the account has one. All three are `-` for a read of many employees.';

-- Records where a command ran, beside the name that its user claims. Additive: a replica of the version before can run beside
-- the new one.

ALTER TABLE leaver.audit
    ADD COLUMN os_user       text,
    ADD COLUMN host          text,
    ADD COLUMN database_role text;
-- In a statement of its own: the rows that are there keep an empty role.
ALTER TABLE leaver.audit ALTER COLUMN database_role SET DEFAULT session_user::text;

COMMENT ON COLUMN leaver.audit.actor IS 'Kind and name. system:worker: a delivery or the read of one employee. system:timer: a scheduled end of access. system:sync: a sync of a source. system:drift: the drift check. cli:NAME: a person at the command line, by the name that the person claims. user:ISSUER/SUBJECT: a person who signed in. token:ID: a program with a token. Entries from before this column had kinds have none.';
COMMENT ON COLUMN leaver.audit.os_user IS 'For cli: user of the operating system, from the user id of the process.';
COMMENT ON COLUMN leaver.audit.host IS 'For cli: name of the machine on which the command ran.';
COMMENT ON COLUMN leaver.audit.database_role IS 'Role that the session of the database was opened with. Set by the database, not by the program.';

-- The trigger of the audit log runs in sessions of other roles. The e-mail functions need no search path: the body of a RETURN
-- function is bound to its functions and operators when it is created.
ALTER FUNCTION leaver.refuse_to_change_audit() SET search_path = pg_catalog, pg_temp;
