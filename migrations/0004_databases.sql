-- The service in its database: shown to store rows, and found to have gone back in time.

CREATE TABLE leaver.write_probes (
    process    uuid        NOT NULL CONSTRAINT write_probes_pkey PRIMARY KEY,
    written_at timestamptz NOT NULL
);
COMMENT ON TABLE leaver.write_probes IS 'One row per process, rewritten by its health to show that rows can be stored. Rows of ended processes are deleted after a day.';

CREATE TABLE leaver.lineage (
    only_row    boolean NOT NULL DEFAULT true CONSTRAINT lineage_pkey PRIMARY KEY
                        CONSTRAINT lineage_only_row_check CHECK (only_row),
    database_id uuid    NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO leaver.lineage DEFAULT VALUES;

COMMENT ON TABLE leaver.lineage IS 'One row: the identity of this database. A new database has another one.';
COMMENT ON COLUMN leaver.lineage.only_row IS 'Always true, so there is one row.';
COMMENT ON COLUMN leaver.lineage.database_id IS 'Random id, made with the table. A copy of the database keeps it.';

CREATE TABLE leaver.lineage_marks (
    process   uuid        NOT NULL CONSTRAINT lineage_marks_pkey PRIMARY KEY,
    mark      bigint      NOT NULL,
    marked_at timestamptz NOT NULL,
    timeline  integer
);

COMMENT ON TABLE leaver.lineage_marks IS 'A counter of each process, which also remembers it. A smaller one here means that the database went back in time.';
COMMENT ON COLUMN leaver.lineage_marks.process IS 'Random id of a process.';
COMMENT ON COLUMN leaver.lineage_marks.mark IS 'Raised by one at each check.';
COMMENT ON COLUMN leaver.lineage_marks.marked_at IS 'When it was raised. Rows are deleted 30 days later.';
COMMENT ON COLUMN leaver.lineage_marks.timeline IS 'Timeline of the server then; NULL if it could not be read.';

CREATE TABLE leaver.restores (
    id              bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT restores_pkey PRIMARY KEY,
    found_at        timestamptz NOT NULL,
    known_until     timestamptz NOT NULL,
    cause           text        NOT NULL CONSTRAINT restores_cause_check
                                CHECK (cause IN ('rows_missing', 'another_database', 'timeline')),
    acknowledged_at timestamptz,
    acknowledged_by text
);
CREATE UNIQUE INDEX restores_open_key ON leaver.restores ((acknowledged_at IS NULL)) WHERE acknowledged_at IS NULL;

COMMENT ON TABLE leaver.restores IS 'Each time the database was found to have gone back in time. At most one row is not acknowledged.';
COMMENT ON COLUMN leaver.restores.found_at IS 'When a process found it.';
COMMENT ON COLUMN leaver.restores.known_until IS 'Time of the newest thing that was stored and is missing.';
COMMENT ON COLUMN leaver.restores.cause IS 'rows_missing: a mark or an acknowledged delivery is gone. another_database: the id differs. timeline: the server was promoted while no process ran, and there was no state file.';
COMMENT ON COLUMN leaver.restores.acknowledged_at IS 'When a person acknowledged it; /health is degraded until then.';
COMMENT ON COLUMN leaver.restores.acknowledged_by IS 'Who did.';

-- The trigger of the audit log fires in every session, whatever `session_replication_role` is. A role that may set this
-- parameter, or a subscription of logical replication, could change entries otherwise.
ALTER TABLE leaver.audit ENABLE ALWAYS TRIGGER audit_is_append_only;
