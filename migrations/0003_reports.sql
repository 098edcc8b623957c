-- What the reports of the pull side stand on: whom a delivery named, who changed lately, how BambooHR's own
-- webhooks do, since when a source is listened to, and what the last comparison of roster and accounts found.

ALTER TABLE leaver.deliveries ADD COLUMN employee_ids text[];

COMMENT ON COLUMN leaver.deliveries.employee_ids IS 'The HR system''s ids of those it named; set when it is settled, so that a sender''s log can be compared with what arrived.';

COMMENT ON COLUMN leaver.employees.modified_at IS 'When a value last changed, by our clock; the same value, confirmed later, does not move it.';

-- Pages of who changed, in the order in which it was learned.
CREATE INDEX employees_modified_idx ON leaver.employees (modified_at, source, tenant, employee_id);

CREATE TABLE leaver.hooks (
    source       text        NOT NULL,
    webhook_id   text        NOT NULL,
    name         text        NOT NULL,
    last_sent_at timestamptz,
    last_status  text,
    trouble      text,
    seen_at      timestamptz NOT NULL,
    checked_at   timestamptz NOT NULL,
    CONSTRAINT hooks_pkey PRIMARY KEY (source, webhook_id)
);

COMMENT ON TABLE leaver.hooks IS 'BambooHR''s own webhooks that point here, as its API last showed them.';
COMMENT ON COLUMN leaver.hooks.last_sent_at IS 'When BambooHR last fired it, by its own account; empty when it never has.';
COMMENT ON COLUMN leaver.hooks.last_status IS 'What BambooHR''s log has of its last delivery: our HTTP status, or a word.';
COMMENT ON COLUMN leaver.hooks.trouble IS 'What somebody should look at; empty when all is well. No key stands in it.';
COMMENT ON COLUMN leaver.hooks.seen_at IS 'When the API last showed it. One that is not shown any more stays here, as trouble, until it is deleted through us.';

CREATE TABLE leaver.listening (
    source           text        NOT NULL CONSTRAINT listening_pkey PRIMARY KEY,
    since            timestamptz NOT NULL,
    hooks_checked_at timestamptz
);

COMMENT ON TABLE leaver.listening IS 'The sources that were ever configured, so that one which never sends can be told from one that is new.';
COMMENT ON COLUMN leaver.listening.since IS 'When the service first knew of it: silence is counted from here, until something arrives.';
COMMENT ON COLUMN leaver.listening.hooks_checked_at IS 'When BambooHR''s webhooks of this source were last looked at; after a look that failed, as if that had been 23 hours ago, so that the next one is due in an hour.';

CREATE TABLE leaver.drift (
    only_row               boolean     NOT NULL DEFAULT true CONSTRAINT drift_pkey PRIMARY KEY
                                       CONSTRAINT drift_only_row_check CHECK (only_row),
    checked_at             timestamptz NOT NULL,
    terminated_with_access bigint      NOT NULL,
    fixed                  bigint      NOT NULL
);

COMMENT ON TABLE leaver.drift IS 'What the service''s last comparison of roster and accounts found; one row.';
COMMENT ON COLUMN leaver.drift.terminated_with_access IS 'Accounts that were on, and should not have been, when it ended.';
COMMENT ON COLUMN leaver.drift.fixed IS 'Accounts that it switched off again (policy.drift).';

COMMENT ON COLUMN leaver.audit.actor IS 'leaver for the service on what a delivery said, leaver:timer when a time had come, leaver:sync on what an API said, leaver:drift on finding access that had been given back, or the person at the command line.';
