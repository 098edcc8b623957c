-- One row per process, written while nothing else shows that rows can be stored.

CREATE TABLE leaver.write_probes (
    process    uuid        NOT NULL CONSTRAINT write_probes_pkey PRIMARY KEY,
    written_at timestamptz NOT NULL
);
