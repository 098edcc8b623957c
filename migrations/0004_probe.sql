-- One row per process, written while nothing else shows that rows can be stored.

CREATE TABLE leaver.write_probes (
    process    uuid        NOT NULL CONSTRAINT write_probes_pkey PRIMARY KEY,
    written_at timestamptz NOT NULL
);
COMMENT ON TABLE leaver.write_probes IS 'One row per process, rewritten by its health to show that rows can be stored. Rows of ended processes are deleted after a day.';
