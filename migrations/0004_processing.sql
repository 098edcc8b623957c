-- A delivery that ends the process each time it is processed must not do so for ever. What a worker has in hand is
-- written down before it begins, so that whoever starts after a crash knows what to take by itself.

ALTER TABLE leaver.deliveries ADD COLUMN alone boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN leaver.deliveries.alone IS 'The process ended while a batch with this in it was under way: it is taken by itself.';

CREATE TABLE leaver.under_way (
    worker       uuid        NOT NULL CONSTRAINT under_way_pkey PRIMARY KEY,
    delivery_ids uuid[]      NOT NULL,
    since        timestamptz NOT NULL
);

COMMENT ON TABLE leaver.under_way IS 'What each worker has in hand. Written before it begins, gone in the transaction that does it; a row whose deliveries nobody has locked is of a worker that died.';
COMMENT ON COLUMN leaver.under_way.worker IS 'One start of one process.';

-- Settled deliveries are forgotten oldest first (inbox.retention), a slice at a time.
CREATE INDEX deliveries_settled_idx ON leaver.deliveries (settled_at) WHERE state IN ('processed', 'ignored');

-- When an account is on again, whoever it was switched off for is found by it.
CREATE INDEX employees_deactivated_idx ON leaver.employees (account_id) WHERE deactivated_at IS NOT NULL;
