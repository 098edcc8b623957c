-- Ways of reading employees, and confirmations: a read of everybody repeats known values, and stores one bit per employee instead of a new row for each.

ALTER TABLE leaver.sync_state
    ADD COLUMN read_way     text CONSTRAINT sync_state_read_way_check
                            CHECK (read_way IN ('report', 'dataset', 'single')),
    ADD COLUMN read_because text;

COMMENT ON COLUMN leaver.sync_state.read_way IS 'report, dataset or single: how the last sync that met a changed employee read them. NULL for Merge, which has one way.';
COMMENT ON COLUMN leaver.sync_state.read_because IS 'Why no better way was used. Contains no personal data.';

-- A read of everybody repeats known values, and stores one bit per employee instead of a new row for each.

CREATE SEQUENCE leaver.revisions;
COMMENT ON SEQUENCE leaver.revisions IS 'Orders writes of facts and confirmations.';

ALTER TABLE leaver.employees
    ADD COLUMN number   bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT employees_number_key UNIQUE,
    ADD COLUMN revision bigint NOT NULL DEFAULT 0;

COMMENT ON COLUMN leaver.employees.number IS 'Number of the row, in the order of insertion. Position of its bit in leaver.confirmations.';
COMMENT ON COLUMN leaver.employees.revision IS 'Value of leaver.revisions when the facts were written last. Only later confirmations count.';

-- A trigger, so that facts written by a replica of the version before, or by hand, end the confirmations, too.
-- Waits for a confirmation that is being made, since such a writer did not. Runs as the owner, so that a role of the version
-- before needs no new right.
CREATE FUNCTION leaver.set_revision() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended('leaver.confirmations', 0));
    NEW.revision = pg_catalog.nextval('leaver.revisions');
    RETURN NEW;
END
$$;
CREATE TRIGGER employees_revision BEFORE UPDATE OF facts ON leaver.employees
    FOR EACH ROW WHEN (OLD.facts IS DISTINCT FROM NEW.facts) EXECUTE FUNCTION leaver.set_revision();

CREATE TABLE leaver.confirmations (
    source            text        NOT NULL,
    page              bigint      NOT NULL,
    revision          bigint      NOT NULL DEFAULT nextval('leaver.revisions'),
    linked_account_id text        NOT NULL,
    as_of             timestamptz NOT NULL,
    observed_at       timestamptz NOT NULL,
    made_at           timestamptz NOT NULL,
    members           bytea       NOT NULL CONSTRAINT confirmations_members_check CHECK (octet_length(members) = 256),
    CONSTRAINT confirmations_pkey PRIMARY KEY (source, page, revision)
);

COMMENT ON TABLE leaver.confirmations IS 'Employees of whom a read repeated all known facts. Their rows are not written again.';
COMMENT ON COLUMN leaver.confirmations.source IS 'Name of the configured source.';
COMMENT ON COLUMN leaver.confirmations.page IS 'Number of the employee divided by 2048.';
COMMENT ON COLUMN leaver.confirmations.revision IS 'Value of leaver.revisions. The row confirms facts that were written before it.';
COMMENT ON COLUMN leaver.confirmations.linked_account_id IS 'Merge''s linked account that was read. Empty for BambooHR.';
COMMENT ON COLUMN leaver.confirmations.as_of IS 'When the values were true. It takes the place of an earlier as_of of each fact.';
COMMENT ON COLUMN leaver.confirmations.observed_at IS 'When they were received.';
COMMENT ON COLUMN leaver.confirmations.made_at IS 'When the row was inserted. A complete read of everybody deletes earlier rows.';
COMMENT ON COLUMN leaver.confirmations.members IS 'One bit for each of the 2048 employees of the page, the lowest bit of a byte first.';

-- The planner puts the body in place of the call.
CREATE FUNCTION leaver.confirmation_of(text, bigint, bigint)
    RETURNS TABLE (revision bigint, as_of timestamptz, observed_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT c.revision, c.as_of, c.observed_at
    FROM leaver.confirmations AS c
    WHERE c.source = $1 AND c.page = $2 >> 11 AND c.revision > $3
      AND pg_catalog.get_bit(c.members, ($2 & 2047)::integer) = 1
    ORDER BY c.revision DESC
    LIMIT 1
$$;

-- `leaver leavers` finds the ends of access of each employee.
CREATE INDEX changes_employee_idx ON leaver.changes (source, tenant, employee_id);
