-- Adds the safeguard: changes of accounts by batch, trips, grants, the plan of shadow mode, and recorded observations.
-- All of it is additive, so a replica of the version before can run beside the new one.

CREATE TABLE leaver.batches (
    id        uuid        NOT NULL CONSTRAINT batches_pkey PRIMARY KEY,
    cause     text        NOT NULL CONSTRAINT batches_cause_check CHECK (cause IN (
                  'webhook', 'timer', 'sync', 'drift', 'api', 'cli', 'release', 'undo')),
    actor     text        NOT NULL,
    opened_at timestamptz NOT NULL
);

COMMENT ON TABLE leaver.batches IS 'What changed accounts: one delivery, sync, timer round, drift fix or command. Only batches that changed an account have a row.';
COMMENT ON COLUMN leaver.batches.id IS 'Identifier (UUID version 7). For a delivery, the id of the delivery.';
COMMENT ON COLUMN leaver.batches.cause IS 'webhook, timer, sync, drift, api (the read of one employee), cli (a command or an approved hold), release (of a trip) or undo.';
COMMENT ON COLUMN leaver.batches.actor IS 'Who caused it, as in leaver.audit.';
COMMENT ON COLUMN leaver.batches.opened_at IS 'When the first account was changed.';

CREATE TABLE leaver.changes (
    id           bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT changes_pkey PRIMARY KEY,
    batch_id     uuid        NOT NULL,
    account_id   text        NOT NULL,
    source       text        NOT NULL,
    tenant       text        NOT NULL,
    employee_id  text        NOT NULL,
    direction    text        NOT NULL CONSTRAINT changes_direction_check
                             CHECK (direction IN ('deactivated', 'reactivated')),
    cause        text        NOT NULL CONSTRAINT changes_cause_check CHECK (cause IN (
                     'webhook', 'timer', 'sync', 'drift', 'api', 'cli', 'release', 'undo')),
    at           timestamptz NOT NULL,
    xid          xid8,
    counted      boolean     NOT NULL,
    undone_by    uuid,
    effective_at timestamptz,
    provider_at  timestamptz,
    received_at  timestamptz
);

COMMENT ON TABLE leaver.changes IS 'One row per account that Leaver deactivated or reactivated, written in the transaction of the change.';
COMMENT ON COLUMN leaver.changes.id IS 'Sequence number.';
COMMENT ON COLUMN leaver.changes.batch_id IS 'Batch of the change.';
COMMENT ON COLUMN leaver.changes.account_id IS 'Row of the application''s users table.';
COMMENT ON COLUMN leaver.changes.source IS 'Source of the employee. `-` if `leaver end` ended an account of no known employee; employee_id is `-` then, too.';
COMMENT ON COLUMN leaver.changes.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.changes.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.changes.direction IS 'deactivated or reactivated.';
COMMENT ON COLUMN leaver.changes.cause IS 'Cause of the batch.';
COMMENT ON COLUMN leaver.changes.at IS 'When the account was changed, by the clock of the service.';
COMMENT ON COLUMN leaver.changes.xid IS 'Transaction that wrote the row of the account. The row has been touched by nobody while its xmin equals the low 32 bits. Empty for views and foreign tables.';
COMMENT ON COLUMN leaver.changes.counted IS 'True if the change counts in the windows of the safeguard. False for what a person decided: approvals, `leaver end`, releases, undo, and changes under a grant.';
COMMENT ON COLUMN leaver.changes.undone_by IS 'Batch that undid the change.';
COMMENT ON COLUMN leaver.changes.effective_at IS 'End of access by the HR system, if it reports one.';
COMMENT ON COLUMN leaver.changes.provider_at IS 'Time that the provider gave the deciding fact.';
COMMENT ON COLUMN leaver.changes.received_at IS 'When the service received the deciding fact.';

CREATE INDEX changes_window_idx ON leaver.changes (tenant, direction, at);
CREATE INDEX changes_batch_idx ON leaver.changes (batch_id);
CREATE INDEX changes_at_idx ON leaver.changes (at);
CREATE INDEX changes_account_idx ON leaver.changes (account_id, id);

CREATE TABLE leaver.trips (
    id           bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT trips_pkey PRIMARY KEY,
    tenant       text        NOT NULL,
    direction    text        NOT NULL CONSTRAINT trips_direction_check
                             CHECK (direction IN ('deactivated', 'reactivated')),
    opened_at    timestamptz NOT NULL,
    limited_by   text        NOT NULL CONSTRAINT trips_limited_by_check
                             CHECK (limited_by IN ('hour', 'day', 'grant')),
    window_count bigint      NOT NULL,
    limit_count  bigint      NOT NULL,
    population   bigint      NOT NULL,
    state        text        NOT NULL DEFAULT 'open' CONSTRAINT trips_state_check
                             CHECK (state IN ('open', 'released', 'rejected')),
    closed_at    timestamptz,
    closed_by    text
);

COMMENT ON TABLE leaver.trips IS 'When the safeguard stopped changes of a tenant in one direction. It holds them until a person releases or rejects the trip.';
COMMENT ON COLUMN leaver.trips.id IS 'Trip ID, for `leaver safeguard release` and `reject`.';
COMMENT ON COLUMN leaver.trips.tenant IS 'Customer company.';
COMMENT ON COLUMN leaver.trips.direction IS 'deactivated or reactivated: the changes that are held.';
COMMENT ON COLUMN leaver.trips.opened_at IS 'When it tripped.';
COMMENT ON COLUMN leaver.trips.limited_by IS 'The limit that was exceeded: hour, day or grant.';
COMMENT ON COLUMN leaver.trips.window_count IS 'Changes within the window, with those that would have come.';
COMMENT ON COLUMN leaver.trips.limit_count IS 'The limit at that time.';
COMMENT ON COLUMN leaver.trips.population IS 'Accounts of which the limit is a percentage. 0 if it was not needed: under a grant.';
COMMENT ON COLUMN leaver.trips.state IS 'open: holds changes. released, rejected: decided by a person.';
COMMENT ON COLUMN leaver.trips.closed_at IS 'When a person decided. The windows of the tenant and direction start again then.';
COMMENT ON COLUMN leaver.trips.closed_by IS 'Person who decided.';

-- At most one open trip per tenant and direction.
CREATE UNIQUE INDEX trips_open_key ON leaver.trips (tenant, direction) WHERE state = 'open';
CREATE INDEX trips_closed_idx ON leaver.trips (tenant, direction, closed_at);

ALTER TABLE leaver.holds ADD COLUMN trip_id bigint;
COMMENT ON COLUMN leaver.holds.trip_id IS 'Trip that holds the change. Empty if a rule holds it.';
ALTER TABLE leaver.holds ADD COLUMN cause text;
COMMENT ON COLUMN leaver.holds.cause IS 'Cause of the change that is held, as in leaver.changes. Empty if a replica of the version before opened the hold.';
CREATE INDEX holds_trip_idx ON leaver.holds (trip_id) WHERE trip_id IS NOT NULL;

CREATE TABLE leaver.grants (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT grants_pkey PRIMARY KEY,
    tenant     text        NOT NULL,
    direction  text        NOT NULL CONSTRAINT grants_direction_check
                           CHECK (direction IN ('deactivated', 'reactivated')),
    allowed    bigint      NOT NULL,
    used       bigint      NOT NULL DEFAULT 0,
    reason     text        NOT NULL,
    granted_by text        NOT NULL,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT grants_used_check CHECK (used BETWEEN 0 AND allowed)
);

COMMENT ON TABLE leaver.grants IS 'Permission, given ahead, for a number of changes. It takes the place of the limits until it expires.';
COMMENT ON COLUMN leaver.grants.id IS 'Grant ID.';
COMMENT ON COLUMN leaver.grants.tenant IS 'Customer company.';
COMMENT ON COLUMN leaver.grants.direction IS 'deactivated or reactivated.';
COMMENT ON COLUMN leaver.grants.allowed IS 'Accounts that may be changed.';
COMMENT ON COLUMN leaver.grants.used IS 'Accounts that were changed under it.';
COMMENT ON COLUMN leaver.grants.reason IS 'Why, as the person wrote it.';
COMMENT ON COLUMN leaver.grants.granted_by IS 'Person who gave it.';
COMMENT ON COLUMN leaver.grants.granted_at IS 'When it was given.';
COMMENT ON COLUMN leaver.grants.expires_at IS 'When the limits apply again. A later grant for the same tenant and direction ends an earlier one.';

CREATE INDEX grants_scope_idx ON leaver.grants (tenant, direction, expires_at);

CREATE TABLE leaver.plan (
    source      text        NOT NULL,
    tenant      text        NOT NULL,
    employee_id text        NOT NULL,
    account_id  text        NOT NULL,
    direction   text        NOT NULL CONSTRAINT plan_direction_check
                            CHECK (direction IN ('deactivated', 'reactivated')),
    cause       text        NOT NULL,
    reason      text        NOT NULL,
    planned_at  timestamptz NOT NULL,
    CONSTRAINT plan_pkey PRIMARY KEY (source, tenant, employee_id)
);

COMMENT ON TABLE leaver.plan IS 'What a source in shadow mode would have changed, one row per employee. Deleted when newer facts no longer imply it.';
COMMENT ON COLUMN leaver.plan.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.plan.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.plan.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.plan.account_id IS 'Account that would have been changed.';
COMMENT ON COLUMN leaver.plan.direction IS 'deactivated or reactivated.';
COMMENT ON COLUMN leaver.plan.cause IS 'Cause, as in leaver.changes.';
COMMENT ON COLUMN leaver.plan.reason IS 'Why. Contains no name and no e-mail.';
COMMENT ON COLUMN leaver.plan.planned_at IS 'When it would have been changed.';

CREATE TABLE leaver.observations (
    id          bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT observations_pkey PRIMARY KEY,
    at          timestamptz NOT NULL,
    via         text        NOT NULL,
    source      text        NOT NULL,
    tenant      text        NOT NULL,
    employee_id text        NOT NULL,
    facts       jsonb       NOT NULL,
    delivery_id uuid
);

COMMENT ON TABLE leaver.observations IS 'Observations that changed what is known of an employee, for `leaver backtest`. Rows are only added, and deleted after observations.retention.';
COMMENT ON COLUMN leaver.observations.id IS 'Sequence number.';
COMMENT ON COLUMN leaver.observations.at IS 'When it was observed.';
COMMENT ON COLUMN leaver.observations.via IS 'webhook, sync or api.';
COMMENT ON COLUMN leaver.observations.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.observations.tenant IS 'Customer company of the employee.';
COMMENT ON COLUMN leaver.observations.employee_id IS 'Id of the employee at the provider.';
COMMENT ON COLUMN leaver.observations.facts IS 'The facts that changed, as in leaver.employees. A member that was cleared is null.';
COMMENT ON COLUMN leaver.observations.delivery_id IS 'Delivery, if one was the reason.';

-- No further index: each would slow down every delivery, and the table is only read whole, in the order of ids.

CREATE TABLE leaver.previews (
    kind    text        NOT NULL CONSTRAINT previews_kind_check
                        CHECK (kind IN ('release', 'undo', 'approve')),
    subject text        NOT NULL,
    digest  text        NOT NULL,
    members jsonb       NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text        NOT NULL,
    used_at timestamptz,
    CONSTRAINT previews_pkey PRIMARY KEY (kind, subject, digest)
);

COMMENT ON TABLE leaver.previews IS 'Lists that were shown to a person. `--confirm DIGEST` carries out exactly such a list, once.';
COMMENT ON COLUMN leaver.previews.kind IS 'release, undo or approve.';
COMMENT ON COLUMN leaver.previews.subject IS 'What was listed: a trip, a batch or a filter.';
COMMENT ON COLUMN leaver.previews.digest IS 'Digest of the members.';
COMMENT ON COLUMN leaver.previews.members IS 'Ids of the listed holds or changes.';
COMMENT ON COLUMN leaver.previews.made_at IS 'When it was shown first.';
COMMENT ON COLUMN leaver.previews.made_by IS 'Person to whom it was shown.';
COMMENT ON COLUMN leaver.previews.used_at IS 'When it was carried out.';

ALTER TABLE leaver.source_status
    ADD COLUMN mode       text CONSTRAINT source_status_mode_check CHECK (mode IN ('enforce', 'shadow')),
    ADD COLUMN mode_since timestamptz,
    ADD COLUMN mode_by    text;
COMMENT ON COLUMN leaver.source_status.mode IS 'enforce: accounts are changed. shadow: changes are only planned. Empty until the source is first seen; it then starts in the mode of the configuration.';
COMMENT ON COLUMN leaver.source_status.mode_since IS 'Since when it is in this mode.';
COMMENT ON COLUMN leaver.source_status.mode_by IS 'Person who changed the mode. Empty for the configuration.';

-- A wider list holds for all rows that are there, so they are not read again.
ALTER TABLE leaver.audit DROP CONSTRAINT audit_action_check;
ALTER TABLE leaver.audit ADD CONSTRAINT audit_action_check CHECK (action IN (
    'deactivated', 'reactivated', 'scheduled', 'unscheduled', 'hold_opened', 'approved', 'rejected', 'blocked',
    'sessions_ended', 'tripped', 'released', 'granted', 'undone', 'accepted', 'mode_changed')) NOT VALID;
