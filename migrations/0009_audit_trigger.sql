-- The trigger of the audit log fires in every session, whatever `session_replication_role` is. A role that may set this
-- parameter, or a subscription of logical replication, could change entries otherwise.
ALTER TABLE leaver.audit ENABLE ALWAYS TRIGGER audit_is_append_only;
