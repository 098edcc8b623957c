-- Functions, operators, types and views with the names that our statements use, for exactly the types of their arguments. Each
-- records its call in a sequence, whose value survives a rollback, and fails.
CREATE SCHEMA planted;
CREATE SEQUENCE planted.calls;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
GRANT USAGE ON SEQUENCE planted.calls TO PUBLIC;
CREATE FUNCTION planted.trap() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.nextval('planted.calls');
    RAISE EXCEPTION 'a planted object was used';
END $$;

-- Runs a statement. The extension `citext` may have such an object already.
CREATE FUNCTION planted.try(statement text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF statement NOT LIKE '%citext%' THEN
        EXECUTE statement;
        RETURN;
    END IF;
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN duplicate_function THEN
    END;
END $$;

CREATE FUNCTION planted.plant(target text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $plant$
DECLARE
    types text[] := ARRAY['text', 'varchar', 'bpchar', 'name', 'int2', 'int4', 'int8', 'bool', 'uuid', 'timestamptz', 'timestamp',
                          'date', 'jsonb', 'bytea', 'oid', '"char"', 'text[]', 'int8[]', 'uuid[]', 'regclass', 'xid8'];
    own text[] := ARRAY(SELECT pg_catalog.format('%I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                        WHERE (n.nspname = 'app' AND t.typtype IN ('d', 'e')) OR t.typname = 'citext');
    casts text[] := ARRAY['text', 'varchar', 'name', 'int4', 'int8', 'bool', 'uuid', 'timestamptz', 'jsonb', 'text[]'];
    many text[] := ARRAY['text', 'int8', 'bool', 'timestamptz', 'jsonb', 'text[]', 'uuid', 'int4', 'interval'];
    functions text[] := ARRAY['unnest', 'count', 'max', 'min', 'now', 'set_config', 'current_setting', 'format_type', 'bool_and',
        'has_column_privilege', 'has_schema_privilege', 'has_table_privilege', 'has_database_privilege', 'to_regclass', 'to_regnamespace', 'lower',
        'jsonb_build_array', 'jsonb_build_object', 'jsonb_object_agg', 'jsonb_agg', 'array_agg', 'string_agg', 'concat_ws', 'btrim',
        'replace', 'strpos', 'octet_length', 'length', 'hashtextextended', 'pg_advisory_xact_lock', 'pg_try_advisory_lock', 'pg_notify',
        'pg_relation_is_updatable', 'pg_column_is_updatable', 'pg_get_indexdef', 'row_security_active', 'date_trunc', 'timezone',
        'current_database', 'pg_current_xact_id', 'to_jsonb', 'jsonb_each', 'jsonb_array_elements', 'cardinality', 'array_length',
        'pg_advisory_unlock_all', 'normalize', 'translate', 'regexp_replace', 'substring', 'generate_series', 'coalesce', 'greatest', 'email_key'];
    operators text[] := ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '->', '->>', '#>', '#>>', '@>', '?', '&', '&&', '+', '-', '%', '*', '~'];
    body text := 'LANGUAGE plpgsql AS $$ BEGIN PERFORM planted.trap(); RETURN NULL; END $$';
    name text; a text; b text;
BEGIN
    types := types || own;
    FOREACH a IN ARRAY types LOOP
        FOREACH b IN ARRAY types LOOP
            EXECUTE format('CREATE FUNCTION %I.planted_operand(%s, %s) RETURNS bool %s', target, a, b, body);
            FOREACH name IN ARRAY operators LOOP
                PERFORM planted.try(format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I.planted_operand)',
                    target, name, a, b, target));
            END LOOP;
        END LOOP;
        FOREACH name IN ARRAY functions LOOP
            PERFORM planted.try(format('CREATE FUNCTION %I.%I(%s) RETURNS text %s', target, name, a, body));
        END LOOP;
    END LOOP;
    -- Casts have no schema: the owner of one of the two types creates them for every session. They run before an operator of
    -- another type, or in its place.
    EXECUTE format('CREATE TYPE %I.planted_type AS ENUM (''x'')', target);
    b := format('%I.planted_type', target);
    FOREACH a IN ARRAY casts || own LOOP
        EXECUTE format('CREATE FUNCTION %I.planted_cast(%s) RETURNS %s %s', target, a, b, body);
        PERFORM planted.try(format('CREATE CAST (%s AS %s) WITH FUNCTION %I.planted_cast(%s) AS IMPLICIT', a, b, target, a));
        EXECUTE format('CREATE FUNCTION %I.planted_operand(%s, %s) RETURNS bool %s', target, a, b, body);
        EXECUTE format('CREATE FUNCTION %I.planted_operand(%s, %s) RETURNS bool %s', target, b, a, body);
        FOREACH name IN ARRAY operators LOOP
            EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I.planted_operand)', target, name, a, b, target);
            EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I.planted_operand)', target, name, b, a, target);
        END LOOP;
    END LOOP;
    FOREACH name IN ARRAY functions LOOP
        EXECUTE format('CREATE FUNCTION %I.%I() RETURNS text %s', target, name, body);
        FOREACH a IN ARRAY many LOOP
            FOREACH b IN ARRAY many LOOP
                EXECUTE format('CREATE FUNCTION %I.%I(%s, %s) RETURNS text %s', target, name, a, b, body);
            END LOOP;
        END LOOP;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['text', 'jsonb', 'uuid', 'bytea', 'timestamptz', 'date', 'int8', 'bool', 'name', 'regclass', 'oid'] LOOP
        EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%I CHECK (planted.trap())', target, name, name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['deliveries', 'employees', 'holds', 'audit', 'batches', 'changes', 'trips', 'grants', 'plan',
        'previews', 'observations', 'account_status', 'source_status', 'sync_state', 'pending_reads', 'linked_accounts', 'drift',
        'in_flight_batches', '_sqlx_migrations', 'pg_class', 'pg_namespace', 'pg_attribute', 'pg_type', 'pg_index', 'pg_trigger',
        'pg_rewrite', 'pg_enum', 'pg_proc', 'pg_roles', 'pg_settings', 'pg_locks', 'pg_stat_activity'] LOOP
        EXECUTE format('CREATE VIEW %I.%I AS SELECT planted.trap() AS trap', target, name);
    END LOOP;
END $plant$;
