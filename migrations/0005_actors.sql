-- Records where a command ran, beside the name that its user claims. Additive: a replica of the version before can run beside
-- the new one.

ALTER TABLE leaver.audit
    ADD COLUMN os_user       text,
    ADD COLUMN host          text,
    ADD COLUMN database_role text;
-- In a statement of its own: the rows that are there keep an empty role.
ALTER TABLE leaver.audit ALTER COLUMN database_role SET DEFAULT session_user::text;

COMMENT ON COLUMN leaver.audit.actor IS 'Kind and name. system:worker: a delivery or the read of one employee. system:timer: a scheduled end of access. system:sync: a sync of a source. system:drift: the drift check. cli:NAME: a person at the command line, by the name that the person claims. user:ISSUER/SUBJECT: a person who signed in. token:ID: a program with a token. Entries from before this column had kinds have none.';
COMMENT ON COLUMN leaver.audit.os_user IS 'For cli: user of the operating system, from the user id of the process.';
COMMENT ON COLUMN leaver.audit.host IS 'For cli: name of the machine on which the command ran.';
COMMENT ON COLUMN leaver.audit.database_role IS 'Role that the session of the database was opened with. Set by the database, not by the program.';
