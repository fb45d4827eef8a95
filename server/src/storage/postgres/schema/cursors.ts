/*
 * A cursor says up to which entry of a document somebody was told, and is there while something is to be told. Each
 * server that holds some has one row in `holders`, by which the others know that it is alive.
 */
export const CURSORS = `
CREATE TABLE coedit.cursors (
  cursor text NOT NULL,
  document bigint NOT NULL,
  seq bigint NOT NULL,
  holder bigint,
  PRIMARY KEY (document, cursor)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE coedit.holders (
  id bigint PRIMARY KEY,
  until timestamptz NOT NULL
) WITH (fillfactor = 30);
`

/*
 * Whom to tell of documents by HTTP. What is left to be told of deletions is in `farewells`, by the name of the
 * document: it is before what `cursors` has of one that was made anew. Of both it is noted why they could not be told
 * (`failures`: how often in a row), and when to try again: infinity where that is to be asked for.
 */
export const WEBHOOKS = `
CREATE TABLE coedit.webhooks (
  id text PRIMARY KEY,
  content text NOT NULL
);

ALTER TABLE coedit.cursors
  ADD COLUMN failures integer NOT NULL DEFAULT 0,
  ADD COLUMN failing_since double precision NOT NULL DEFAULT 0,
  ADD COLUMN retry_at double precision NOT NULL DEFAULT 0,
  ADD COLUMN reason text NOT NULL DEFAULT '';
CREATE INDEX cursors_by_time ON coedit.cursors (cursor, retry_at);

CREATE TABLE coedit.farewells (
  cursor text NOT NULL,
  name text COLLATE "C" NOT NULL,
  deleted_at double precision NOT NULL,
  holder bigint,
  failures integer NOT NULL DEFAULT 0,
  failing_since double precision NOT NULL DEFAULT 0,
  retry_at double precision NOT NULL DEFAULT 0,
  reason text NOT NULL DEFAULT '',
  PRIMARY KEY (name, cursor)
);
CREATE INDEX farewells_by_time ON coedit.farewells (cursor, retry_at);

CREATE FUNCTION coedit.delete(
  in_name text, in_incarnation bigint, in_head bigint, in_clients bytea,
  in_cursors text[], in_holder bigint, in_time double precision
) RETURNS boolean LANGUAGE plpgsql AS $function$
DECLARE
  held jsonb;
BEGIN
  -- Whoever tells of the entries at this moment is to tell of the deletion, too, so that it comes behind them.
  SELECT jsonb_object_agg(c.cursor, c.holder) INTO held
    FROM coedit.cursors c JOIN coedit.documents d ON d.id = c.document WHERE d.name = in_name;
  IF NOT coedit.delete(in_name, in_incarnation, in_head, in_clients) THEN
    RETURN false;
  END IF;
  INSERT INTO coedit.farewells (cursor, name, deleted_at, holder)
    SELECT c, in_name, in_time, coalesce((held ->> c)::bigint, in_holder) FROM unnest(in_cursors) c
    ON CONFLICT (name, cursor) DO UPDATE SET deleted_at = excluded.deleted_at;
  RETURN true;
END
$function$;
`

/* The document is locked, so that no entry is appended between the look at its head and the end of the cursor. */
export const ADVANCE = `
CREATE OR REPLACE FUNCTION coedit.advance(
  in_cursor text, in_name text, in_holder bigint, in_incarnation bigint, in_seq bigint
) RETURNS text LANGUAGE plpgsql AS $function$
DECLARE
  stored record;
BEGIN
  SELECT d.id, d.head, d.incarnation, d.earlier INTO stored
    FROM coedit.documents d WHERE d.name = in_name FOR NO KEY UPDATE;
  IF NOT FOUND OR in_seq > stored.head
    OR NOT coedit.stands(in_incarnation, in_seq, stored.incarnation, stored.earlier) THEN
    RETURN 'lost';
  ELSIF in_seq = stored.head THEN
    DELETE FROM coedit.cursors c
      WHERE c.document = stored.id AND c.cursor = in_cursor AND c.holder = in_holder;
    RETURN CASE WHEN FOUND THEN 'told' ELSE 'lost' END;
  END IF;
  UPDATE coedit.cursors c SET seq = in_seq, failures = 0, retry_at = 0, reason = ''
    WHERE c.document = stored.id AND c.cursor = in_cursor AND c.holder = in_holder AND c.seq <= in_seq;
  RETURN CASE WHEN FOUND THEN 'behind' ELSE 'lost' END;
END
$function$;
`
