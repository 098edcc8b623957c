-- Whoever shares an account is looked for by the account, in whatever source: it comes first.

DROP INDEX leaver.employees_account_idx;
CREATE INDEX employees_account_idx ON leaver.employees (account_id, source) WHERE account_id IS NOT NULL;
