-- The trigger of the audit log runs in sessions of other roles. The e-mail functions need no search path: the body of a RETURN
-- function is bound to its functions and operators when it is created.
ALTER FUNCTION leaver.refuse_to_change_audit() SET search_path = pg_catalog, pg_temp;
