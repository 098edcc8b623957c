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
