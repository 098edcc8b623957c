-- The way in which a provider's employees are read.

ALTER TABLE leaver.sync_state
    ADD COLUMN read_way     text CONSTRAINT sync_state_read_way_check
                            CHECK (read_way IN ('report', 'dataset', 'single')),
    ADD COLUMN read_because text;

COMMENT ON COLUMN leaver.sync_state.read_way IS 'report, dataset or single: how the last sync that met a changed employee read them. NULL for Merge, which has one way.';
COMMENT ON COLUMN leaver.sync_state.read_because IS 'Why no better way was used. Contains no personal data.';
