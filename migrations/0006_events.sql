-- Events for other systems: an outbox that is written in the transaction of each change.

CREATE TABLE leaver.outbox (
    id          uuid        NOT NULL CONSTRAINT outbox_pkey PRIMARY KEY,
    type        text        NOT NULL,
    source      text,
    tenant      text,
    employee_id text,
    sequence    bigint,
    occurred_at timestamptz NOT NULL,
    shadow      boolean     NOT NULL DEFAULT false,
    data        jsonb       NOT NULL,
    details     jsonb,
    CONSTRAINT outbox_sequence_check CHECK ((employee_id IS NULL) = (sequence IS NULL))
);

COMMENT ON TABLE leaver.outbox IS 'Events that a destination wants, each written in the transaction of its change.';
COMMENT ON COLUMN leaver.outbox.id IS 'Identifier (UUID version 7). It stays the same over all attempts.';
COMMENT ON COLUMN leaver.outbox.type IS 'Type of the event, such as account.deactivated.';
COMMENT ON COLUMN leaver.outbox.source IS 'Source of the employee, or the source that the event is about.';
COMMENT ON COLUMN leaver.outbox.tenant IS 'Customer company.';
COMMENT ON COLUMN leaver.outbox.employee_id IS 'Id of the employee at the provider. Empty if the event is about none.';
COMMENT ON COLUMN leaver.outbox.sequence IS 'Number of the event among those of the employee.';
COMMENT ON COLUMN leaver.outbox.occurred_at IS 'When it happened, by the clock of the service.';
COMMENT ON COLUMN leaver.outbox.shadow IS 'True if the source was in shadow mode.';
COMMENT ON COLUMN leaver.outbox.data IS 'The content, without names, e-mails and values of the HR system.';
COMMENT ON COLUMN leaver.outbox.details IS 'Personal values, for destinations that receive them. Removed once no attempt needs them.';

CREATE INDEX outbox_person_idx ON leaver.outbox (source, tenant, employee_id, sequence) WHERE employee_id IS NOT NULL;
CREATE INDEX outbox_occurred_idx ON leaver.outbox (occurred_at);
CREATE INDEX outbox_details_idx ON leaver.outbox (id) WHERE details IS NOT NULL;

CREATE TABLE leaver.outbox_attempts (
    event_id     uuid        NOT NULL CONSTRAINT outbox_attempts_event_id_fkey REFERENCES leaver.outbox ON DELETE CASCADE,
    destination  text        NOT NULL,
    state        text        NOT NULL DEFAULT 'due' CONSTRAINT outbox_attempts_state_check
                             CHECK (state IN ('due', 'leased', 'done', 'dead')),
    attempts     integer     NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL,
    since        timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    finished_at  timestamptz,
    last_status  integer,
    last_error   text,
    CONSTRAINT outbox_attempts_pkey PRIMARY KEY (event_id, destination),
    CONSTRAINT outbox_attempts_lease_check CHECK ((state = 'leased') = (leased_until IS NOT NULL)),
    CONSTRAINT outbox_attempts_finished_check CHECK ((state IN ('done', 'dead')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 70);

COMMENT ON TABLE leaver.outbox_attempts IS 'Each event at each destination that wants it.';
COMMENT ON COLUMN leaver.outbox_attempts.event_id IS 'The event.';
COMMENT ON COLUMN leaver.outbox_attempts.destination IS 'Name of the configured destination.';
COMMENT ON COLUMN leaver.outbox_attempts.state IS 'due: to be sent. leased: a process sends it now. done: the destination has it. dead: given up; `leaver events retry` sends it again.';
COMMENT ON COLUMN leaver.outbox_attempts.attempts IS 'Number of failed attempts.';
COMMENT ON COLUMN leaver.outbox_attempts.next_at IS 'Earliest time of the next attempt.';
COMMENT ON COLUMN leaver.outbox_attempts.since IS 'Since when it waits: when the event was recorded, or a person had it sent again.';
COMMENT ON COLUMN leaver.outbox_attempts.leased_until IS 'When another process may send it, if the first one ended.';
COMMENT ON COLUMN leaver.outbox_attempts.finished_at IS 'When it was done or dead.';
COMMENT ON COLUMN leaver.outbox_attempts.last_status IS 'Status of the last response.';
COMMENT ON COLUMN leaver.outbox_attempts.last_error IS 'Why the last attempt failed. Contains no secret and no part of a response.';

CREATE INDEX outbox_attempts_open_idx ON leaver.outbox_attempts (destination, next_at, event_id) WHERE state IN ('due', 'leased');
CREATE INDEX outbox_attempts_since_idx ON leaver.outbox_attempts (destination, since) WHERE state IN ('due', 'leased');
CREATE INDEX outbox_attempts_dead_idx ON leaver.outbox_attempts (destination, finished_at) WHERE state = 'dead';

CREATE TABLE leaver.outbox_people (
    source      text    NOT NULL,
    tenant      text    NOT NULL,
    employee_id text    NOT NULL,
    sequence    bigint  NOT NULL,
    employment  text    CONSTRAINT outbox_people_employment_check
                        CHECK (employment IN ('unknown', 'employed', 'leaving', 'left')),
    ends_at     timestamptz,
    deleted     boolean NOT NULL DEFAULT false,
    CONSTRAINT outbox_people_pkey PRIMARY KEY (source, tenant, employee_id)
) WITH (fillfactor = 70);

COMMENT ON TABLE leaver.outbox_people IS 'Employees of whom an event was recorded, and what was reported last.';
COMMENT ON COLUMN leaver.outbox_people.source IS 'Source of the employee.';
COMMENT ON COLUMN leaver.outbox_people.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.outbox_people.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.outbox_people.sequence IS 'Number of the last event.';
COMMENT ON COLUMN leaver.outbox_people.employment IS 'Employment that was reported last. Empty if none was: that of the roster counts then.';
COMMENT ON COLUMN leaver.outbox_people.ends_at IS 'Scheduled end that was reported last.';
COMMENT ON COLUMN leaver.outbox_people.deleted IS 'True if the deletion of the record was reported.';

CREATE TABLE leaver.destinations (
    name              text        NOT NULL CONSTRAINT destinations_pkey PRIMARY KEY,
    failures          integer     NOT NULL DEFAULT 0,
    paused_at         timestamptz,
    paused_because    text,
    probe_at          timestamptz,
    probed_event      uuid,
    wait_until        timestamptz,
    last_delivered_at timestamptz,
    last_failed_at    timestamptz,
    last_status       integer,
    last_error        text,
    last_digest_at    timestamptz
);

COMMENT ON TABLE leaver.destinations IS 'State of each destination of events that an event was recorded for.';
COMMENT ON COLUMN leaver.destinations.name IS 'Name of the configured destination.';
COMMENT ON COLUMN leaver.destinations.failures IS 'Failed attempts in a row, over all events.';
COMMENT ON COLUMN leaver.destinations.paused_at IS 'Since when it is paused. Events wait meanwhile. Empty if it is not.';
COMMENT ON COLUMN leaver.destinations.paused_because IS 'Why it is paused.';
COMMENT ON COLUMN leaver.destinations.probe_at IS 'When a paused destination is tried again.';
COMMENT ON COLUMN leaver.destinations.probed_event IS 'The event that was last tried while it is paused. The next one is tried then.';
COMMENT ON COLUMN leaver.destinations.wait_until IS 'Nothing is sent before: it asked for this wait (Retry-After).';
COMMENT ON COLUMN leaver.destinations.last_delivered_at IS 'When it last received an event.';
COMMENT ON COLUMN leaver.destinations.last_failed_at IS 'When an attempt last failed.';
COMMENT ON COLUMN leaver.destinations.last_status IS 'Status of the last response.';
COMMENT ON COLUMN leaver.destinations.last_error IS 'Why the last attempt failed. Contains no secret and no part of a response.';
COMMENT ON COLUMN leaver.destinations.last_digest_at IS 'When a digest of holds was last sent, by e-mail or to Slack.';

CREATE TABLE leaver.outbox_problems (
    source text        NOT NULL,
    code   text        NOT NULL,
    part   text        NOT NULL,
    since  timestamptz NOT NULL,
    CONSTRAINT outbox_problems_pkey PRIMARY KEY (source, code, part)
);

COMMENT ON TABLE leaver.outbox_problems IS 'Problems of sources that were found by the last check. An event is recorded when a row is new.';
COMMENT ON COLUMN leaver.outbox_problems.source IS 'The source.';
COMMENT ON COLUMN leaver.outbox_problems.code IS 'source_silent, sync_incomplete, credentials_refused or provider_webhook_problem.';
COMMENT ON COLUMN leaver.outbox_problems.part IS 'The linked account or the webhook that has it. Empty if it is the source''s.';
COMMENT ON COLUMN leaver.outbox_problems.since IS 'When it began, as far as is known.';

ALTER TABLE leaver.drift ADD COLUMN known bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE leaver.drift ADD COLUMN reported_at timestamptz;

COMMENT ON COLUMN leaver.drift.known IS 'Hashes of the employees with access that the check found, at most 500. Others are new to the next check.';
COMMENT ON COLUMN leaver.drift.reported_at IS 'When an event was last recorded.';
