-- Reads of the providers' APIs: those of single employees that are due, and how the last read of each source went.

CREATE TABLE leaver.due_reads (
    source          text        NOT NULL,
    tenant          text        NOT NULL,
    employee_id     text        NOT NULL,
    since           timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    cause           text,
    CONSTRAINT due_reads_pkey PRIMARY KEY (source, tenant, employee_id)
);

COMMENT ON TABLE leaver.due_reads IS 'Employees of whom a change was reported without values, to be read from the HR system''s API.';
COMMENT ON COLUMN leaver.due_reads.since IS 'When the reported change happened: only a read that begins later answers it.';
COMMENT ON COLUMN leaver.due_reads.next_attempt_at IS 'When to read; while a read is under way, when another may be tried should this one never end.';
COMMENT ON COLUMN leaver.due_reads.cause IS 'Why the last attempt failed; no key and nothing of an answer stands in it.';

CREATE INDEX due_reads_next_idx ON leaver.due_reads (next_attempt_at);

CREATE TABLE leaver.reads (
    source        text        NOT NULL,
    account       text        NOT NULL,
    complete_from timestamptz,
    full_from     timestamptz,
    tried_at      timestamptz NOT NULL,
    ended_at      timestamptz,
    state         text        NOT NULL CONSTRAINT reads_state_check CHECK (state IN ('complete', 'incomplete')),
    cause         text,
    employees     bigint      NOT NULL DEFAULT 0,
    CONSTRAINT reads_pkey PRIMARY KEY (source, account)
);

COMMENT ON TABLE leaver.reads IS 'How the last read of a source''s API went, one row per linked account.';
COMMENT ON COLUMN leaver.reads.account IS 'Merge''s linked account; empty at BambooHR, where a source is one company.';
COMMENT ON COLUMN leaver.reads.complete_from IS 'When the last complete read began: the next one asks what changed since.';
COMMENT ON COLUMN leaver.reads.full_from IS 'When the last complete read of everybody began.';
COMMENT ON COLUMN leaver.reads.tried_at IS 'When the last read began, complete or not.';
COMMENT ON COLUMN leaver.reads.ended_at IS 'When the last complete read ended.';
COMMENT ON COLUMN leaver.reads.state IS 'complete; incomplete: see cause. Nothing is concluded from what an incomplete read lacks.';
COMMENT ON COLUMN leaver.reads.employees IS 'How many records the last read brought.';

COMMENT ON COLUMN leaver.audit.actor IS 'leaver for the service on what a delivery said, leaver:timer when a time had come, leaver:sync on what an API said, or the person at the command line.';
