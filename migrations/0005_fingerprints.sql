-- Whether a body is known already is asked of every delivery, and the answer lies at a random place of an index. Over
-- source and digest of everything ever kept, that index outgrew the memory. Now it is over 128 bits made of both, and
-- only of those that are remembered for their body's sake.

ALTER TABLE leaver.deliveries ADD COLUMN fingerprint uuid;

UPDATE leaver.deliveries
SET fingerprint = encode(substring(sha256(convert_to(source || ':', 'UTF8') || digest) FOR 16), 'hex')::uuid;

CREATE UNIQUE INDEX deliveries_fingerprint_key ON leaver.deliveries (fingerprint) WHERE fingerprint IS NOT NULL;
ALTER TABLE leaver.deliveries DROP CONSTRAINT deliveries_source_digest_key;

COMMENT ON COLUMN leaver.deliveries.fingerprint IS 'What makes two deliveries the same: 128 bits of SHA-256 over source and digest; empty when the same body may be read again without harm. The type uuid is only their cheapest container.';

-- What is settled loses its fingerprint first, where it may, and is forgotten later; each step has its index.
DROP INDEX leaver.deliveries_settled_idx;
CREATE INDEX deliveries_known_idx ON leaver.deliveries (settled_at)
    WHERE state IN ('processed', 'ignored') AND self_timed AND fingerprint IS NOT NULL;
CREATE INDEX deliveries_settled_idx ON leaver.deliveries (settled_at)
    WHERE state IN ('processed', 'ignored') AND NOT (self_timed AND fingerprint IS NOT NULL);
