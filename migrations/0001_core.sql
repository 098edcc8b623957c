-- What Leaver keeps: deliveries as they arrived, what is known of each employee, decisions that wait for a
-- person, and the record of what was done. The schema itself is made by the migrator before this file runs.

CREATE TABLE leaver.deliveries (
    id              uuid        NOT NULL CONSTRAINT deliveries_pkey PRIMARY KEY,
    source          text        NOT NULL,
    digest          bytea       NOT NULL,
    content_type    text,
    signed_at       timestamptz,
    signed_again_at timestamptz,
    received_at     timestamptz NOT NULL,
    body            bytea,
    body_bytes      integer     NOT NULL,
    state           text        NOT NULL CONSTRAINT deliveries_state_check
                                CHECK (state IN ('waiting', 'processed', 'ignored', 'parked')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    settled_at      timestamptz,
    self_timed      boolean     NOT NULL DEFAULT true,
    repeats         integer     NOT NULL DEFAULT 0,
    cause           text,
    outcome         jsonb,
    CONSTRAINT deliveries_source_digest_key UNIQUE (source, digest),
    CONSTRAINT deliveries_waiting_body_check CHECK (state <> 'waiting' OR body IS NOT NULL)
);

COMMENT ON TABLE leaver.deliveries IS 'Webhook requests that were authentic, one row per source and body.';
COMMENT ON COLUMN leaver.deliveries.digest IS 'SHA-256 of the raw body: the same bytes again are the same delivery.';
COMMENT ON COLUMN leaver.deliveries.signed_at IS 'The time that the sender signed, where its scheme has one.';
COMMENT ON COLUMN leaver.deliveries.signed_again_at IS 'When the sender signed the same body again while it was still to be processed: a repetition that is due unless the body is self-timed.';
COMMENT ON COLUMN leaver.deliveries.body IS 'The raw bytes; gone as soon as the delivery is settled, kept for a while when it is parked.';
COMMENT ON COLUMN leaver.deliveries.state IS 'waiting: to be processed; processed, ignored: settled; parked: cannot be processed, see cause.';
COMMENT ON COLUMN leaver.deliveries.self_timed IS 'Each entry of the body bears its own time, so the same body again can say nothing new.';
COMMENT ON COLUMN leaver.deliveries.repeats IS 'How often the same body came again and was processed again, since it is not self-timed.';
COMMENT ON COLUMN leaver.deliveries.cause IS 'Why it is ignored or parked; never a part of the body.';
COMMENT ON COLUMN leaver.deliveries.outcome IS 'How many employees ended how, as {"deactivated": 2, "kept": 3}.';

-- The worker's only way in: small, whatever has been settled before.
CREATE INDEX deliveries_waiting_idx ON leaver.deliveries (next_attempt_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_parked_idx ON leaver.deliveries (settled_at) WHERE state = 'parked';
CREATE INDEX deliveries_source_received_idx ON leaver.deliveries (source, received_at DESC);

CREATE TABLE leaver.employees (
    source         text        NOT NULL,
    tenant         text        NOT NULL,
    employee_id    text        NOT NULL,
    facts          jsonb       NOT NULL,
    status         text        GENERATED ALWAYS AS (facts -> 'status' ->> 'value') STORED,
    work_email     text        GENERATED ALWAYS AS (facts -> 'work_email' ->> 'value') STORED,
    account_id     text,
    linked_at      timestamptz,
    access_ends_at timestamptz,
    deactivated_at timestamptz,
    delivery_id    uuid,
    first_seen_at  timestamptz NOT NULL,
    modified_at    timestamptz NOT NULL,
    CONSTRAINT employees_pkey PRIMARY KEY (source, tenant, employee_id)
);

COMMENT ON TABLE leaver.employees IS 'The roster: what is known of each employee, merged from every change; newer facts win.';
COMMENT ON COLUMN leaver.employees.facts IS 'Each fact with the moment it was true (as_of) and the moment we learned it (seen_at).';
COMMENT ON COLUMN leaver.employees.account_id IS 'The link to a row of the application''s users table; made once, kept when an e-mail changes.';
COMMENT ON COLUMN leaver.employees.access_ends_at IS 'When the timer will look at this employee: the resolved end of access.';
COMMENT ON COLUMN leaver.employees.deactivated_at IS 'When we switched the account off; empty when somebody else did, or when it is on again.';
COMMENT ON COLUMN leaver.employees.delivery_id IS 'The delivery that brought the newest facts.';
COMMENT ON COLUMN leaver.employees.modified_at IS 'When a fact last changed, by our clock.';

CREATE INDEX employees_account_idx ON leaver.employees (source, account_id) WHERE account_id IS NOT NULL;
CREATE INDEX employees_due_idx ON leaver.employees (access_ends_at) WHERE access_ends_at IS NOT NULL;
CREATE INDEX employees_work_email_idx ON leaver.employees (work_email);

CREATE TABLE leaver.holds (
    id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT holds_pkey PRIMARY KEY,
    opened_at   timestamptz NOT NULL,
    source      text        NOT NULL,
    tenant      text        NOT NULL,
    employee_id text        NOT NULL,
    account_id  text,
    wants       text        NOT NULL CONSTRAINT holds_wants_check CHECK (wants IN ('deactivate', 'reactivate')),
    reason      text        NOT NULL,
    basis       text        NOT NULL,
    delivery_id uuid,
    state       text        NOT NULL DEFAULT 'open' CONSTRAINT holds_state_check
                            CHECK (state IN ('open', 'approved', 'rejected', 'withdrawn')),
    closed_at   timestamptz,
    closed_by   text
);

COMMENT ON TABLE leaver.holds IS 'Decisions that wait for a person.';
COMMENT ON COLUMN leaver.holds.basis IS 'The facts the hold rests on: what was rejected is asked again only when they change.';
COMMENT ON COLUMN leaver.holds.state IS 'open; approved, rejected: by a person; withdrawn: newer facts made it pointless.';

-- One open question per employee, however many deliveries raise it.
CREATE UNIQUE INDEX holds_open_key ON leaver.holds (source, tenant, employee_id) WHERE state = 'open';
CREATE INDEX holds_employee_idx ON leaver.holds (source, tenant, employee_id, id);

CREATE TABLE leaver.audit (
    id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pkey PRIMARY KEY,
    at          timestamptz NOT NULL,
    action      text        NOT NULL CONSTRAINT audit_action_check CHECK (action IN (
                    'deactivated', 'reactivated', 'scheduled', 'unscheduled', 'held', 'approved', 'rejected')),
    reason      text        NOT NULL,
    source      text        NOT NULL,
    tenant      text        NOT NULL,
    employee_id text        NOT NULL,
    account_id  text,
    delivery_id uuid,
    actor       text        NOT NULL
);

COMMENT ON TABLE leaver.audit IS 'What was done, why and by whom. Rows are written in the transaction that did it and never change.';
COMMENT ON COLUMN leaver.audit.actor IS 'leaver for the service itself, leaver:timer for its timer, or the person at the command line.';

CREATE INDEX audit_employee_idx ON leaver.audit (source, tenant, employee_id, id);

-- Nobody rewrites the record: not the service's role, and not by mistake a superuser either.
CREATE FUNCTION leaver.refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'leaver.audit is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leaver.audit
    FOR EACH STATEMENT EXECUTE FUNCTION leaver.refuse_to_change_audit();

REVOKE ALL ON leaver.audit FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON leaver.audit FROM CURRENT_USER;
