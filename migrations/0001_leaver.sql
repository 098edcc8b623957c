-- Creates the tables of Leaver. The migrator creates the schema `leaver` before this file runs.

CREATE TABLE leaver.deliveries (
    id              uuid        NOT NULL CONSTRAINT deliveries_pkey PRIMARY KEY,
    fingerprint     uuid,
    source          text        NOT NULL,
    digest          bytea       NOT NULL,
    content_type    text,
    signed_at       timestamptz,
    resigned_at     timestamptz,
    received_at     timestamptz NOT NULL,
    body            bytea,
    body_bytes      integer     NOT NULL,
    state           text        NOT NULL CONSTRAINT deliveries_state_check
                                CHECK (state IN ('pending', 'processed', 'ignored', 'failed')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    isolated        boolean     NOT NULL DEFAULT false,
    processed_at    timestamptz,
    has_event_times boolean     NOT NULL DEFAULT true,
    reprocess_count integer     NOT NULL DEFAULT 0,
    reason          text,
    outcome         jsonb,
    employee_ids    text[],
    CONSTRAINT deliveries_pending_body_check CHECK (state <> 'pending' OR body IS NOT NULL)
);

COMMENT ON TABLE leaver.deliveries IS 'Webhook requests with a valid signature, one row per source and body.';
COMMENT ON COLUMN leaver.deliveries.id IS 'Identifier (UUID version 7), also returned to the sender.';
COMMENT ON COLUMN leaver.deliveries.fingerprint IS '128 bits of SHA-256 over source and digest. Two deliveries with the same fingerprint are duplicates. Empty once a replay of the body is harmless.';
COMMENT ON COLUMN leaver.deliveries.source IS 'Name of the configured source that sent it.';
COMMENT ON COLUMN leaver.deliveries.digest IS 'SHA-256 of the raw body.';
COMMENT ON COLUMN leaver.deliveries.content_type IS 'Content-Type header of the request.';
COMMENT ON COLUMN leaver.deliveries.signed_at IS 'Time in the signature. Empty for a signature scheme without a time.';
COMMENT ON COLUMN leaver.deliveries.resigned_at IS 'Latest later time in a signature of the same body, received while this row was pending or failed.';
COMMENT ON COLUMN leaver.deliveries.received_at IS 'When the whole request had arrived.';
COMMENT ON COLUMN leaver.deliveries.body IS 'Raw body. Deleted when the delivery is processed or ignored. A failed delivery, and a processed one with entries that could not be read, keep it for inbox.failed_retention.';
COMMENT ON COLUMN leaver.deliveries.body_bytes IS 'Size of the body in bytes.';
COMMENT ON COLUMN leaver.deliveries.state IS 'pending: to be processed. processed: done. ignored: valid, but without effect here. failed: cannot be processed; `leaver replay` retries it.';
COMMENT ON COLUMN leaver.deliveries.attempts IS 'Number of failed attempts.';
COMMENT ON COLUMN leaver.deliveries.next_attempt_at IS 'Earliest time of the next attempt.';
COMMENT ON COLUMN leaver.deliveries.isolated IS 'True after a process died with this delivery in its batch. It is then processed in a batch of its own.';
COMMENT ON COLUMN leaver.deliveries.processed_at IS 'When the delivery was processed, ignored or failed.';
COMMENT ON COLUMN leaver.deliveries.has_event_times IS 'True if each entry of the body carries its own time. The same body, signed later, then carries no new facts.';
COMMENT ON COLUMN leaver.deliveries.reprocess_count IS 'How often the same body, signed later, was processed again.';
COMMENT ON COLUMN leaver.deliveries.reason IS 'Why the delivery was ignored or failed, which of its entries could not be read, or why the last attempt failed. Contains no part of the body.';
COMMENT ON COLUMN leaver.deliveries.outcome IS 'Number of employees per outcome, for example {"deactivated": 2, "kept": 3}. "bad_entries" counts the entries that could not be read.';
COMMENT ON COLUMN leaver.deliveries.employee_ids IS 'Provider ids of the employees in the body. Set when the delivery is processed; used to compare the provider''s log with the inbox.';

CREATE UNIQUE INDEX deliveries_fingerprint_key ON leaver.deliveries (fingerprint) WHERE fingerprint IS NOT NULL;
-- Workers claim deliveries through this index. Its size depends on the backlog, not on the history.
CREATE INDEX deliveries_pending_idx ON leaver.deliveries (next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_failed_idx ON leaver.deliveries (processed_at) WHERE state = 'failed';
CREATE INDEX deliveries_kept_body_idx ON leaver.deliveries (processed_at) WHERE state = 'processed' AND body IS NOT NULL;
CREATE INDEX deliveries_source_received_idx ON leaver.deliveries (source, received_at DESC);
-- A finished delivery first loses its fingerprint, where a replay is harmless, and is deleted later. Each step has an index.
CREATE INDEX deliveries_fingerprint_expiry_idx ON leaver.deliveries (processed_at)
    WHERE state IN ('processed', 'ignored') AND has_event_times AND fingerprint IS NOT NULL;
CREATE INDEX deliveries_expiry_idx ON leaver.deliveries (processed_at)
    WHERE state IN ('processed', 'ignored') AND NOT (has_event_times AND fingerprint IS NOT NULL);

CREATE TABLE leaver.in_flight_batches (
    worker       uuid        NOT NULL CONSTRAINT in_flight_batches_pkey PRIMARY KEY,
    delivery_ids uuid[]      NOT NULL,
    started_at   timestamptz NOT NULL
);

COMMENT ON TABLE leaver.in_flight_batches IS 'The batch that each worker processes now. The row is committed before processing starts and deleted in the transaction of the batch. If its deliveries are not locked, the worker has died.';
COMMENT ON COLUMN leaver.in_flight_batches.worker IS 'Random id of one worker loop of one process.';
COMMENT ON COLUMN leaver.in_flight_batches.delivery_ids IS 'Deliveries of the batch.';
COMMENT ON COLUMN leaver.in_flight_batches.started_at IS 'When processing started.';

CREATE TABLE leaver.employees (
    source            text        NOT NULL,
    tenant            text        NOT NULL,
    employee_id       text        NOT NULL,
    facts             jsonb       NOT NULL,
    status            text        GENERATED ALWAYS AS (facts -> 'status' ->> 'value') STORED,
    work_email        text        GENERATED ALWAYS AS (facts -> 'work_email' ->> 'value') STORED,
    termination_on    date,
    account_id        text,
    linked_at         timestamptz,
    access_ends_at    timestamptz,
    deactivated_at    timestamptz,
    departure         jsonb,
    blocked_since     timestamptz,
    blocked_retry_at  timestamptz,
    blocked_reason    text,
    without_account_since timestamptz,
    missing_since     timestamptz,
    last_delivery_id  uuid,
    first_observed_at timestamptz NOT NULL,
    modified_at       timestamptz NOT NULL,
    CONSTRAINT employees_pkey PRIMARY KEY (source, tenant, employee_id)
);

COMMENT ON TABLE leaver.employees IS 'The roster: current facts about each employee, merged from webhooks and API reads. Newer facts win.';
COMMENT ON COLUMN leaver.employees.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.employees.tenant IS 'Customer company. Employee ids and e-mails are unique only inside it.';
COMMENT ON COLUMN leaver.employees.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.employees.facts IS 'Each fact with its value, the time at which it was true (as_of) and the time at which we received it (observed_at).';
COMMENT ON COLUMN leaver.employees.status IS 'active, pending, inactive or unknown. Copied from facts.';
COMMENT ON COLUMN leaver.employees.work_email IS 'Work e-mail in lower case. Copied from facts.';
COMMENT ON COLUMN leaver.employees.termination_on IS 'Day of the termination date in facts. An instant counts as its day in UTC.';
COMMENT ON COLUMN leaver.employees.account_id IS 'Linked row of the application''s users table. Set once and kept when the e-mail changes.';
COMMENT ON COLUMN leaver.employees.linked_at IS 'When account_id was set.';
COMMENT ON COLUMN leaver.employees.access_ends_at IS 'When the timer evaluates this employee: the scheduled end of access.';
COMMENT ON COLUMN leaver.employees.deactivated_at IS 'When Leaver deactivated the account. Empty when the account is active again or was deactivated by others.';
COMMENT ON COLUMN leaver.employees.departure IS 'The last end of employment that was carried out: when, and the termination date known then. Kept until a later employment is known.';
COMMENT ON COLUMN leaver.employees.blocked_since IS 'When the database first did not carry out a deactivation that is due. Empty when nothing is blocked.';
COMMENT ON COLUMN leaver.employees.blocked_retry_at IS 'When the blocked deactivation is tried again.';
COMMENT ON COLUMN leaver.employees.blocked_reason IS 'Why it is blocked. Contains no values of the row.';
COMMENT ON COLUMN leaver.employees.without_account_since IS 'Since when the person is known to have left while no account is found.';
COMMENT ON COLUMN leaver.employees.missing_since IS 'Since when the record is missing from complete reads of all employees. Such a record does not keep access.';
COMMENT ON COLUMN leaver.employees.last_delivery_id IS 'Delivery with the newest facts.';
COMMENT ON COLUMN leaver.employees.first_observed_at IS 'When the employee was first observed.';
COMMENT ON COLUMN leaver.employees.modified_at IS 'When a value last changed, by our clock. A confirmation of the same value does not change it.';

CREATE INDEX employees_account_idx ON leaver.employees (account_id, source) WHERE account_id IS NOT NULL;
CREATE INDEX employees_due_idx ON leaver.employees (access_ends_at) WHERE access_ends_at IS NOT NULL;
CREATE INDEX employees_blocked_idx ON leaver.employees (blocked_retry_at) WHERE blocked_retry_at IS NOT NULL;
CREATE INDEX employees_without_account_idx ON leaver.employees (source) WHERE without_account_since IS NOT NULL;
CREATE INDEX employees_work_email_idx ON leaver.employees (work_email);
-- Pages of changed employees, in the order of the changes.
CREATE INDEX employees_modified_idx ON leaver.employees (modified_at, source, tenant, employee_id);
-- When an account is active again, this index finds the employee for whom it was deactivated.
CREATE INDEX employees_deactivated_idx ON leaver.employees (account_id) WHERE deactivated_at IS NOT NULL;

CREATE TABLE leaver.holds (
    id                bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT holds_pkey PRIMARY KEY,
    opened_at         timestamptz NOT NULL,
    source            text        NOT NULL,
    tenant            text        NOT NULL,
    employee_id       text        NOT NULL,
    account_id        text,
    requested_action  text        NOT NULL CONSTRAINT holds_requested_action_check
                                  CHECK (requested_action IN ('deactivate', 'reactivate')),
    reason            text        NOT NULL,
    facts_fingerprint text        NOT NULL,
    delivery_id       uuid,
    state             text        NOT NULL DEFAULT 'open' CONSTRAINT holds_state_check
                                  CHECK (state IN ('open', 'approved', 'rejected', 'withdrawn')),
    closed_at         timestamptz,
    closed_by         text
);

COMMENT ON TABLE leaver.holds IS 'Decisions that wait for a person.';
COMMENT ON COLUMN leaver.holds.id IS 'Hold ID, for `leaver holds approve` and `leaver holds reject`.';
COMMENT ON COLUMN leaver.holds.opened_at IS 'When the hold was opened.';
COMMENT ON COLUMN leaver.holds.source IS 'Source of the employee.';
COMMENT ON COLUMN leaver.holds.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.holds.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.holds.account_id IS 'Account to change. Empty if the person must name it.';
COMMENT ON COLUMN leaver.holds.requested_action IS 'What an approval does: deactivate or reactivate.';
COMMENT ON COLUMN leaver.holds.reason IS 'Why a person must decide.';
COMMENT ON COLUMN leaver.holds.facts_fingerprint IS 'The facts behind the hold. A rejected hold is opened again only if they change. Empty if the rejection has expired.';
COMMENT ON COLUMN leaver.holds.delivery_id IS 'Delivery that opened the hold. Empty if an API read or the timer did.';
COMMENT ON COLUMN leaver.holds.state IS 'open: waits. approved, rejected: decided by a person. withdrawn: newer facts made it obsolete.';
COMMENT ON COLUMN leaver.holds.closed_at IS 'When the hold left the state open.';
COMMENT ON COLUMN leaver.holds.closed_by IS 'Person who decided. Empty for a withdrawn hold.';

-- At most one open hold per employee.
CREATE UNIQUE INDEX holds_open_key ON leaver.holds (source, tenant, employee_id) WHERE state = 'open';
CREATE INDEX holds_employee_idx ON leaver.holds (source, tenant, employee_id, id);

CREATE TABLE leaver.audit (
    id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pkey PRIMARY KEY,
    at          timestamptz NOT NULL,
    action      text        NOT NULL CONSTRAINT audit_action_check CHECK (action IN (
                    'deactivated', 'reactivated', 'scheduled', 'unscheduled', 'hold_opened', 'approved', 'rejected',
                    'blocked', 'sessions_ended')),
    reason      text        NOT NULL,
    source      text        NOT NULL,
    tenant      text        NOT NULL,
    employee_id text        NOT NULL,
    account_id  text,
    delivery_id uuid,
    actor       text        NOT NULL
);

COMMENT ON TABLE leaver.audit IS 'The audit log. Each row is written in the transaction of its change and never updated.';
COMMENT ON COLUMN leaver.audit.id IS 'Sequence number.';
COMMENT ON COLUMN leaver.audit.at IS 'When it was done.';
COMMENT ON COLUMN leaver.audit.action IS 'What was done.';
COMMENT ON COLUMN leaver.audit.reason IS 'Why it was done. Contains no name and no e-mail.';
COMMENT ON COLUMN leaver.audit.source IS 'Source of the employee.';
COMMENT ON COLUMN leaver.audit.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.audit.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.audit.account_id IS 'Account, if there is one.';
COMMENT ON COLUMN leaver.audit.delivery_id IS 'Delivery that caused it, if there is one.';
COMMENT ON COLUMN leaver.audit.actor IS 'system: a delivery or the read of one employee. timer: a scheduled end of access. sync: a sync of a source. drift: the drift check. Otherwise the person at the command line.';

CREATE INDEX audit_employee_idx ON leaver.audit (source, tenant, employee_id, id);

-- Privileges protect the audit log from the service's role. The trigger also stops a superuser's mistake.
CREATE FUNCTION leaver.refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'leaver.audit is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leaver.audit
    FOR EACH STATEMENT EXECUTE FUNCTION leaver.refuse_to_change_audit();

REVOKE ALL ON leaver.audit FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON leaver.audit FROM CURRENT_USER;

CREATE TABLE leaver.pending_reads (
    source          text        NOT NULL,
    tenant          text        NOT NULL,
    employee_id     text        NOT NULL,
    since           timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    reason          text,
    CONSTRAINT pending_reads_pkey PRIMARY KEY (source, tenant, employee_id)
);

COMMENT ON TABLE leaver.pending_reads IS 'Employees with a change event without values. The provider''s API must be read for them.';
COMMENT ON COLUMN leaver.pending_reads.source IS 'Source of the employee.';
COMMENT ON COLUMN leaver.pending_reads.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.pending_reads.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.pending_reads.since IS 'Time of the change. Only a read that starts later satisfies this row.';
COMMENT ON COLUMN leaver.pending_reads.attempts IS 'Number of failed attempts.';
COMMENT ON COLUMN leaver.pending_reads.next_attempt_at IS 'Earliest time of the next attempt. While a read is in flight, the end of its lease.';
COMMENT ON COLUMN leaver.pending_reads.reason IS 'Why the last attempt failed. Contains no key and no part of a response.';

CREATE INDEX pending_reads_next_attempt_idx ON leaver.pending_reads (next_attempt_at);

CREATE TABLE leaver.sync_state (
    source                   text        NOT NULL,
    linked_account_id        text        NOT NULL,
    last_complete_started_at timestamptz,
    last_full_started_at     timestamptz,
    last_started_at          timestamptz NOT NULL,
    last_completed_at        timestamptz,
    state                    text        NOT NULL CONSTRAINT sync_state_state_check
                                         CHECK (state IN ('complete', 'incomplete')),
    reason                   text,
    employees                bigint      NOT NULL DEFAULT 0,
    CONSTRAINT sync_state_pkey PRIMARY KEY (source, linked_account_id)
);

COMMENT ON TABLE leaver.sync_state IS 'Result of the last sync of each source, one row per linked account.';
COMMENT ON COLUMN leaver.sync_state.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.sync_state.linked_account_id IS 'Merge''s linked account. Empty for BambooHR, where a source is one company.';
COMMENT ON COLUMN leaver.sync_state.last_complete_started_at IS 'When the last complete sync started. The next incremental sync requests changes since then.';
COMMENT ON COLUMN leaver.sync_state.last_full_started_at IS 'When the last complete sync of all employees started.';
COMMENT ON COLUMN leaver.sync_state.last_started_at IS 'When the last sync started, complete or not.';
COMMENT ON COLUMN leaver.sync_state.last_completed_at IS 'When the last complete sync ended.';
COMMENT ON COLUMN leaver.sync_state.state IS 'complete or incomplete. A record missing from an incomplete sync has no meaning.';
COMMENT ON COLUMN leaver.sync_state.reason IS 'Why the last sync was incomplete.';
COMMENT ON COLUMN leaver.sync_state.employees IS 'Number of records in the last sync.';

CREATE TABLE leaver.provider_webhooks (
    source       text        NOT NULL,
    webhook_id   text        NOT NULL,
    name         text        NOT NULL,
    last_sent_at timestamptz,
    last_status  text,
    problem      text,
    observed_at  timestamptz NOT NULL,
    checked_at   timestamptz NOT NULL,
    CONSTRAINT provider_webhooks_pkey PRIMARY KEY (source, webhook_id)
);

COMMENT ON TABLE leaver.provider_webhooks IS 'Webhooks at BambooHR that post to this service, as its API last listed them.';
COMMENT ON COLUMN leaver.provider_webhooks.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.provider_webhooks.webhook_id IS 'Id of the webhook at the provider.';
COMMENT ON COLUMN leaver.provider_webhooks.name IS 'Name of the webhook at the provider.';
COMMENT ON COLUMN leaver.provider_webhooks.last_sent_at IS 'When the provider last sent a delivery, by its own log. Empty if it never has.';
COMMENT ON COLUMN leaver.provider_webhooks.last_status IS 'Result of the last delivery in the provider''s log: our HTTP status, or the provider''s own word.';
COMMENT ON COLUMN leaver.provider_webhooks.problem IS 'What an operator must fix. Empty when there is no problem. Contains no key.';
COMMENT ON COLUMN leaver.provider_webhooks.observed_at IS 'When the API last listed it. A webhook that is no longer listed stays here as a problem until `leaver webhooks delete`.';
COMMENT ON COLUMN leaver.provider_webhooks.checked_at IS 'When it was last checked.';

CREATE TABLE leaver.account_status (
    account_id text        NOT NULL CONSTRAINT account_status_pkey PRIMARY KEY,
    previous   text        NOT NULL,
    at         timestamptz NOT NULL
);

COMMENT ON TABLE leaver.account_status IS 'The status of an account before its last deactivation, for `accounts.status_column`. A return restores it.';
COMMENT ON COLUMN leaver.account_status.account_id IS 'Row of the application''s users table.';
COMMENT ON COLUMN leaver.account_status.previous IS 'Value of the status column before the deactivation.';
COMMENT ON COLUMN leaver.account_status.at IS 'Time of the deactivation, by the clock of the database.';

CREATE TABLE leaver.source_status (
    source              text        NOT NULL CONSTRAINT source_status_pkey PRIMARY KEY,
    since               timestamptz NOT NULL,
    webhooks_checked_at timestamptz
);

COMMENT ON TABLE leaver.source_status IS 'Every source that was ever configured. Distinguishes a source that never sends from a new one.';
COMMENT ON COLUMN leaver.source_status.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.source_status.since IS 'When the service first ran with this source. Silence is counted from here until its first delivery.';
COMMENT ON COLUMN leaver.source_status.webhooks_checked_at IS 'When the provider''s webhooks were last checked. After a failed check, 23 hours before it, so that the next check is due in one hour.';

CREATE TABLE leaver.drift (
    only_row               boolean     NOT NULL DEFAULT true CONSTRAINT drift_pkey PRIMARY KEY
                                       CONSTRAINT drift_only_row_check CHECK (only_row),
    checked_at             timestamptz NOT NULL,
    terminated_with_access bigint      NOT NULL,
    fixed                  bigint      NOT NULL
);

COMMENT ON TABLE leaver.drift IS 'Result of the service''s last drift check, in one row.';
COMMENT ON COLUMN leaver.drift.only_row IS 'Limits the table to one row.';
COMMENT ON COLUMN leaver.drift.checked_at IS 'When the check started.';
COMMENT ON COLUMN leaver.drift.terminated_with_access IS 'Number of active accounts of terminated employees after the check.';
COMMENT ON COLUMN leaver.drift.fixed IS 'Number of accounts that the check deactivated (drift.mode).';
