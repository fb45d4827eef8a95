import { MAX_NAMED_VERSIONS, MAX_WRITE_KEYS, WRITE_KEY_MS } from '../log-part.ts'

/*
 * What coedit keeps in PostgreSQL, all of it in the schema `coedit`. Times are milliseconds of the epoch
 * with fractions, by the clock of the server that wrote; they are never compared. Checksums are the CRC-32 of zlib, as
 * the server computed it.
 *
 * MIGRATIONS only ever grows: a database has the version of how many of them it has seen.
 */

/*
 * `documents` is written by each append and must stay small: no index but those of its keys, so that updates are made in
 * place (HOT), and vacuumed by number of dead rows, since there may be millions of others.
 *
 * Names are compared by their bytes. Their index takes no more than 2,704 of them (a third of a page).
 */
const TABLES = `
CREATE TABLE coedit.documents (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  incarnation bigint NOT NULL,
  head bigint NOT NULL,
  created_at double precision NOT NULL,
  updated_at double precision NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE coedit.entries (
  document bigint NOT NULL,
  seq bigint NOT NULL,
  checksum integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (document, seq)
) WITH (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000
);
ALTER TABLE coedit.entries ALTER data SET STORAGE EXTERNAL;

CREATE TABLE coedit.snapshots (
  document bigint PRIMARY KEY,
  seq bigint NOT NULL,
  chunks integer NOT NULL,
  checksum integer NOT NULL,
  state_vector bytea,
  delete_set bytea
);

CREATE TABLE coedit.chunks (
  document bigint NOT NULL,
  place integer NOT NULL,
  checksum integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (document, place)
);

-- One row for each server that writes: the number of its last batch, and what it was answered.
CREATE TABLE coedit.nodes (
  id bigint PRIMARY KEY,
  batch bigint NOT NULL DEFAULT 0,
  answers bigint[] NOT NULL DEFAULT '{}',
  seen timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 30);

-- Targets may be longer than an index takes, so id is a hash of them.
CREATE TABLE coedit.revocations (
  id text PRIMARY KEY,
  target text,
  time double precision NOT NULL
);
`

/**
 * Which history of the database a statement is part of: the number that its cluster was given when it was made, and its
 * timeline, of which each promotion of a standby begins another one.
 */
export const EPOCH = `((SELECT system_identifier FROM pg_control_system())
  + ('x' || substr(pg_walfile_name('0/1000000'), 1, 8))::bit(32)::bigint)`

const INCARNATION = '1 + floor(random() * 281474976710655)::bigint'

/** Incarnations that are remembered of a document. */
const MAX_EARLIER = 8

/*
 * A promoted standby may lack what its primary had acknowledged, and gives those numbers again. So the first append of an
 * epoch makes of a document another incarnation: `epoch` is that of its last append, and `earlier` has pairs, of each
 * incarnation before and the last of its numbers, the latest first. Up to there nobody's numbers are others, as the log
 * of a standby is a beginning of that of its primary.
 */
const EPOCHS = `
ALTER TABLE coedit.documents
  ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
  ADD COLUMN earlier bigint[] NOT NULL DEFAULT '{}';

-- Whether a number of an incarnation stands for the same entry in a document that is this incarnation now.
CREATE FUNCTION coedit.stands(
  in_incarnation bigint, in_number bigint, in_present bigint, in_earlier bigint[]
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $function$
BEGIN
  IF in_incarnation IS NULL OR in_incarnation = in_present THEN
    RETURN true;
  END IF;
  FOR i IN 1 .. cardinality(in_earlier) BY 2 LOOP
    IF in_earlier[i] = in_incarnation THEN
      RETURN in_number <= in_earlier[i + 1];
    END IF;
  END LOOP;
  RETURN false;
END
$function$;
`

/*
 * Appends one batch of a node: for each document \`counts\` entries, whose bytes follow each other in \`content\`. The caller
 * has the documents in the order of their names' bytes, so that no two batches wait for each other in a circle.
 *
 * A row with \`data\` null tells the first number of a document's entries; the others are what was written since its base,
 * at most 64 KiB in all, for while a slow caller reads the answer the documents stay locked.
 *
 * The same batch may come again, as often as its caller is not sure of the answer: the row of the node has it wait for
 * the earlier attempt, and repeats that one's answer. It is written even then, so that the commit waits for the standby
 * for which an earlier one may not have waited.
 */
const APPEND = `
CREATE OR REPLACE FUNCTION coedit.append(
  in_node bigint, in_batch bigint, in_time double precision,
  in_names text[], in_incarnations bigint[], in_bases bigint[], in_firsts boolean[], in_counts integer[],
  in_sizes integer[], in_checksums integer[], in_content bytea, in_cursors text[], in_holder bigint,
  in_anews boolean[], in_keys bytea[], in_authors bytea[]
) RETURNS TABLE (
  item integer, incarnation double precision, seq double precision, checksum integer, data bytea
) LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
  node record; stored record; other record;
  before bigint; awaited bigint; made boolean;
  room integer := 65536; part integer := 0; start integer := 1;
  told bigint[] := '{}'; present bigint := ${EPOCH};
BEGIN
  SELECT n.batch, n.answers INTO node FROM coedit.nodes n WHERE n.id = in_node FOR NO KEY UPDATE;
  IF node.batch = in_batch THEN
    UPDATE coedit.nodes n SET seen = now() WHERE n.id = in_node;
    RETURN QUERY
      SELECT i, node.answers[2 * i - 1]::double precision, node.answers[2 * i]::double precision, 0, NULL::bytea
      FROM generate_subscripts(in_names, 1) i;
    RETURN;
  ELSIF node.batch IS DISTINCT FROM in_batch - 1 THEN
    RAISE EXCEPTION 'node % sends batch %, but its last one is %', in_node, in_batch, node.batch
      USING ERRCODE = 'CE001';
  END IF;

  FOR i IN 1 .. cardinality(in_names) LOOP
    LOOP
      UPDATE coedit.documents d SET
        head = d.head + in_counts[i], updated_at = in_time, epoch = present,
        incarnation = CASE d.epoch WHEN present THEN d.incarnation ELSE ${INCARNATION} END,
        earlier = CASE d.epoch WHEN present THEN d.earlier
          ELSE (ARRAY[d.incarnation, d.head] || d.earlier)[1:${2 * MAX_EARLIER}] END
        WHERE d.name = in_names[i] RETURNING d.id, d.incarnation, d.head, d.earlier INTO stored;
      EXIT WHEN FOUND;
      made := false;
      IF in_bases[i] = 0 THEN
        INSERT INTO coedit.documents (name, incarnation, head, created_at, updated_at, epoch)
          VALUES (in_names[i], ${INCARNATION}, in_counts[i], in_time, in_time, present)
          ON CONFLICT DO NOTHING RETURNING id, incarnation, head, earlier INTO stored;
        made := FOUND;
        CONTINUE WHEN NOT made;
      END IF;
      -- It may have been made and deleted since the first look, so this one comes last.
      IF in_anews[i] IS NOT TRUE AND EXISTS (SELECT FROM coedit.deletions x WHERE x.name = in_names[i]) THEN
        -- Servers that delete nothing do not know the one, and would try for ever.
        RAISE EXCEPTION '%', in_names[i] USING ERRCODE = CASE cardinality(in_anews) WHEN 0 THEN 'CE002' ELSE 'CE003' END;
      END IF;
      EXIT WHEN made;
      RAISE EXCEPTION '%', in_names[i] USING ERRCODE = 'CE002';
    END LOOP;
    before := stored.head - in_counts[i];
    IF in_bases[i] > before
      OR in_bases[i] > 0 AND NOT coedit.stands(in_incarnations[i], in_bases[i], stored.incarnation, stored.earlier)
      OR in_firsts[i] AND before > 0 THEN
      RAISE EXCEPTION '%', in_names[i] USING ERRCODE = 'CE002';
    END IF;

    FOR k IN 1 .. in_counts[i] LOOP
      part := part + 1;
      INSERT INTO coedit.entries (document, seq, checksum, data, time, authors) VALUES (
        stored.id, before + k, in_checksums[part], substr(in_content, start, in_sizes[part]), in_time, in_authors[part]
      );
      start := start + in_sizes[part];
    END LOOP;
    told := told || stored.incarnation || (before + 1);
    IF octet_length(in_keys[i]) > 0 THEN
      PERFORM coedit.note_keys(in_names[i], stored.id, stored.head, in_time, in_keys[i]);
    END IF;
    IF in_cursors[i] <> '' THEN
      INSERT INTO coedit.cursors
        SELECT c, stored.id, before, in_holder FROM unnest(string_to_array(in_cursors[i], ',')) c ON CONFLICT DO NOTHING;
    END IF;

    item := i; incarnation := stored.incarnation; seq := before + 1; checksum := 0; data := NULL;
    RETURN NEXT;
    IF before > in_bases[i] THEN
      awaited := in_bases[i];
      FOR other IN
        SELECT e.seq, e.checksum, e.data FROM coedit.entries e
        WHERE e.document = stored.id AND e.seq > in_bases[i] AND e.seq <= before ORDER BY e.seq LIMIT 1000
      LOOP
        awaited := awaited + 1;
        room := room - octet_length(other.data);
        EXIT WHEN other.seq <> awaited OR room < 0;
        seq := other.seq; checksum := other.checksum; data := other.data;
        RETURN NEXT;
      END LOOP;
    END IF;
  END LOOP;

  UPDATE coedit.nodes n SET batch = in_batch, answers = told, seen = now() WHERE n.id = in_node;
END
$function$;
`

/** For servers that do not say who writes. */
const APPEND_BEFORE_HISTORY = `
CREATE OR REPLACE FUNCTION coedit.append(
  in_node bigint, in_batch bigint, in_time double precision,
  in_names text[], in_incarnations bigint[], in_bases bigint[], in_firsts boolean[], in_counts integer[],
  in_sizes integer[], in_checksums integer[], in_content bytea, in_cursors text[], in_holder bigint,
  in_anews boolean[], in_keys bytea[]
) RETURNS TABLE (
  item integer, incarnation double precision, seq double precision, checksum integer, data bytea
) LANGUAGE sql AS $function$
  SELECT * FROM coedit.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '{}')
$function$;
`

/** For servers that delete nothing. */
const APPEND_BEFORE_DELETIONS = `
CREATE OR REPLACE FUNCTION coedit.append(
  bigint, bigint, double precision, text[], bigint[], bigint[], boolean[], integer[], integer[], integer[], bytea,
  text[], bigint
) RETURNS TABLE (
  item integer, incarnation double precision, seq double precision, checksum integer, data bytea
) LANGUAGE sql AS $function$
  SELECT * FROM coedit.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '{}', '{}')
$function$;
`

/** For servers that know of no cursors. */
const APPEND_BEFORE_CURSORS = `
CREATE OR REPLACE FUNCTION coedit.append(
  bigint, bigint, double precision, text[], bigint[], bigint[], boolean[], integer[], integer[], integer[], bytea
) RETURNS TABLE (
  item integer, incarnation double precision, seq double precision, checksum integer, data bytea
) LANGUAGE sql AS $function$
  SELECT * FROM coedit.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '{}', NULL, '{}', '{}')
$function$;
`

/*
 * A cursor says up to which entry of a document somebody was told, and is there while something is to be told. Each server
 * that holds some has one row in `holders`, by which the others know that it is alive.
 */
const CURSORS = `
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
 * Puts a snapshot in the place of number \`replaces\` (0: none) and of the entries that it covers. The document's row is
 * locked only against its removal: appends go on.
 */
const COMPACT = `
CREATE OR REPLACE FUNCTION coedit.compact(
  in_name text, in_incarnation bigint, in_replaces bigint, in_seq bigint,
  in_checksum integer, in_state_vector bytea, in_delete_set bytea,
  in_sizes integer[], in_checksums integer[], in_content bytea
) RETURNS boolean LANGUAGE plpgsql AS $function$
DECLARE
  stored record; present bigint; start integer := 1;
BEGIN
  SELECT d.id, d.incarnation, d.earlier, d.head INTO stored
    FROM coedit.documents d WHERE d.name = in_name FOR KEY SHARE;
  IF NOT FOUND OR in_seq > stored.head OR in_seq < in_replaces
    OR NOT coedit.stands(in_incarnation, in_seq, stored.incarnation, stored.earlier) THEN
    RETURN false;
  END IF;
  IF in_replaces = 0 THEN
    INSERT INTO coedit.snapshots VALUES (stored.id, 0, 0, 0, NULL, NULL) ON CONFLICT DO NOTHING;
  END IF;
  SELECT s.seq INTO present FROM coedit.snapshots s WHERE s.document = stored.id FOR NO KEY UPDATE;
  IF present IS DISTINCT FROM in_replaces THEN
    RETURN false;
  END IF;
  UPDATE coedit.snapshots s
    SET seq = in_seq, chunks = cardinality(in_sizes), checksum = in_checksum,
      state_vector = in_state_vector, delete_set = in_delete_set
    WHERE s.document = stored.id;
  DELETE FROM coedit.chunks c WHERE c.document = stored.id;
  FOR i IN 1 .. cardinality(in_sizes) LOOP
    INSERT INTO coedit.chunks VALUES (stored.id, i, in_checksums[i], substr(in_content, start, in_sizes[i]));
    start := start + in_sizes[i];
  END LOOP;
  DELETE FROM coedit.entries e WHERE e.document = stored.id AND e.seq <= in_seq;
  RETURN true;
END
$function$;
`

const REMOVE = `
CREATE OR REPLACE FUNCTION coedit.remove(in_name text) RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
  gone bigint;
BEGIN
  DELETE FROM coedit.documents d WHERE d.name = in_name RETURNING d.id INTO gone;
  DELETE FROM coedit.entries e WHERE e.document = gone;
  DELETE FROM coedit.chunks c WHERE c.document = gone;
  DELETE FROM coedit.snapshots s WHERE s.document = gone;
  DELETE FROM coedit.cursors c WHERE c.document = gone;
  DELETE FROM coedit.keys k WHERE k.document = gone;
  DELETE FROM coedit.segments s WHERE s.document = gone;
  DELETE FROM coedit.starts s WHERE s.document = gone;
  DELETE FROM coedit.versions v WHERE v.document = gone;
  DELETE FROM coedit.deletions x WHERE x.name = in_name;
END
$function$;
`

/*
 * Who wrote a document that was deleted. It is deleted now where it is not in \`documents\`.
 */
const DELETIONS = `
CREATE TABLE coedit.deletions (
  name text COLLATE "C" PRIMARY KEY,
  clients bytea NOT NULL
);

-- Whether a document was deleted: not where it is another incarnation than the one given, or has gone on.
CREATE FUNCTION coedit.delete(in_name text, in_incarnation bigint, in_head bigint, in_clients bytea) RETURNS boolean
LANGUAGE plpgsql AS $function$
DECLARE
  stored record;
BEGIN
  SELECT d.incarnation, d.earlier, d.head INTO stored FROM coedit.documents d WHERE d.name = in_name FOR UPDATE;
  IF FOUND AND (in_head <> stored.head OR NOT coedit.stands(in_incarnation, 0, stored.incarnation, stored.earlier)) THEN
    RETURN false;
  END IF;
  PERFORM coedit.remove(in_name);
  INSERT INTO coedit.deletions VALUES (in_name, in_clients)
    ON CONFLICT (name) DO UPDATE SET clients = excluded.clients;
  RETURN true;
END
$function$;
`

/*
 * Writes that were done with a key, for those who ask for one again: of a document the last thousand, for a day by the clocks of
 * the servers that write. Each key comes as 32 bytes, and what was asked for as 32 more.
 */
const KEYS = `
CREATE TABLE coedit.keys (
  document bigint NOT NULL,
  id bytea NOT NULL,
  request bytea NOT NULL,
  seq bigint NOT NULL,
  time double precision NOT NULL,
  PRIMARY KEY (document, id)
);
CREATE INDEX keys_by_seq ON coedit.keys (document, seq);

CREATE FUNCTION coedit.note_keys(
  in_name text, in_document bigint, in_seq bigint, in_time double precision, in_keys bytea
) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  DELETE FROM coedit.keys k WHERE k.document = in_document AND k.time <= in_time - ${WRITE_KEY_MS};
  FOR i IN 0 .. octet_length(in_keys) / 64 - 1 LOOP
    INSERT INTO coedit.keys VALUES
      (in_document, substr(in_keys, 64 * i + 1, 32), substr(in_keys, 64 * i + 33, 32), in_seq, in_time)
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      RAISE EXCEPTION '%', in_name USING ERRCODE = 'CE002';
    END IF;
  END LOOP;
  DELETE FROM coedit.keys k WHERE k.document = in_document AND k.seq < (
    SELECT o.seq FROM coedit.keys o WHERE o.document = in_document ORDER BY o.seq DESC OFFSET ${MAX_WRITE_KEYS - 1} LIMIT 1
  );
END
$function$;
`

/*
 * What compactions took out of logs: compressed segments of entries, and at those that are a start, chunks of what the document was
 * before it. `run_since` and `run_bytes` are about all segments from a start up to this one.
 */
const HISTORY = `
ALTER TABLE coedit.entries
  ADD COLUMN time double precision,
  ADD COLUMN authors bytea;

CREATE TABLE coedit.segments (
  document bigint NOT NULL,
  place bigint NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  since double precision NOT NULL,
  until double precision NOT NULL,
  is_start boolean NOT NULL,
  start_chunks integer NOT NULL,
  run_since double precision NOT NULL,
  run_bytes bigint NOT NULL,
  checksum integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (document, place)
);
ALTER TABLE coedit.segments ALTER data SET STORAGE EXTERNAL;

CREATE TABLE coedit.starts (
  document bigint NOT NULL,
  place bigint NOT NULL,
  chunk integer NOT NULL,
  checksum integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (document, place, chunk)
);
ALTER TABLE coedit.starts ALTER data SET STORAGE EXTERNAL;

-- The same as the other one, and keeps what goes out of the log: seven facts of each segment, made to follow the one at
-- the place \`in_after\`. The row of the snapshot is locked from the first step on.
CREATE FUNCTION coedit.compact(
  in_name text, in_incarnation bigint, in_replaces bigint, in_seq bigint,
  in_checksum integer, in_state_vector bytea, in_delete_set bytea,
  in_sizes integer[], in_checksums integer[], in_content bytea,
  in_after bigint, in_facts double precision[], in_segment_sizes integer[], in_segment_checksums integer[],
  in_segments bytea, in_start_sizes integer[], in_start_checksums integer[], in_start bytea
) RETURNS boolean LANGUAGE plpgsql AS $function$
DECLARE
  compacted bigint; chunks integer := cardinality(in_start_sizes); start integer := 1;
BEGIN
  IF NOT coedit.compact(
    in_name, in_incarnation, in_replaces, in_seq, in_checksum, in_state_vector, in_delete_set, in_sizes, in_checksums,
    in_content
  ) THEN
    RETURN false;
  END IF;
  SELECT d.id INTO compacted FROM coedit.documents d WHERE d.name = in_name;
  IF in_after <> (SELECT coalesce(max(s.place), 0) FROM coedit.segments s WHERE s.document = compacted) THEN
    RAISE EXCEPTION '%', in_name USING ERRCODE = 'CE004';
  END IF;
  FOR i IN 1 .. chunks LOOP
    INSERT INTO coedit.starts
      VALUES (compacted, in_after + 1, i, in_start_checksums[i], substr(in_start, start, in_start_sizes[i]));
    start := start + in_start_sizes[i];
  END LOOP;
  start := 1;
  FOR i IN 1 .. cardinality(in_segment_sizes) LOOP
    INSERT INTO coedit.segments VALUES (
      compacted, in_after + i, in_facts[7 * i - 6], in_facts[7 * i - 5], in_facts[7 * i - 4], in_facts[7 * i - 3],
      in_facts[7 * i - 2] = 1, CASE i WHEN 1 THEN chunks ELSE 0 END, in_facts[7 * i - 1], in_facts[7 * i],
      in_segment_checksums[i], substr(in_segments, start, in_segment_sizes[i])
    );
    start := start + in_segment_sizes[i];
  END LOOP;
  RETURN true;
END
$function$;

CREATE TABLE coedit.versions (
  document bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  named_at double precision NOT NULL,
  authors bytea NOT NULL,
  checksum integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (document, name)
);

-- The document is locked against its removal. Whoever asks again for want of an answer is answered as at first.
CREATE FUNCTION coedit.name_version(
  in_document text, in_incarnation bigint, in_name text, in_seq bigint, in_named_at double precision,
  in_authors bytea, in_checksum integer, in_data bytea
) RETURNS text LANGUAGE plpgsql AS $function$
DECLARE
  stored record; present record;
BEGIN
  SELECT d.id, d.incarnation, d.earlier INTO stored
    FROM coedit.documents d WHERE d.name = in_document FOR KEY SHARE;
  IF NOT FOUND OR NOT coedit.stands(in_incarnation, in_seq, stored.incarnation, stored.earlier) THEN
    RETURN 'missing';
  END IF;
  SELECT v.named_at, v.seq, v.checksum INTO present
    FROM coedit.versions v WHERE v.document = stored.id AND v.name = in_name;
  IF FOUND THEN
    RETURN CASE WHEN (present.named_at, present.seq, present.checksum) = (in_named_at, in_seq, in_checksum)
      THEN 'named' ELSE 'taken' END;
  ELSIF (SELECT count(*) FROM coedit.versions v WHERE v.document = stored.id) >= ${MAX_NAMED_VERSIONS} THEN
    RETURN 'full';
  END IF;
  INSERT INTO coedit.versions
    VALUES (stored.id, in_name, in_seq, in_named_at, in_authors, in_checksum, in_data) ON CONFLICT DO NOTHING;
  RETURN CASE WHEN FOUND THEN 'named' ELSE 'taken' END;
END
$function$;

-- Removes the segments of a document of which nothing is needed that was written at a time or later.
CREATE FUNCTION coedit.expire_history(in_document bigint, in_time double precision) RETURNS void
LANGUAGE plpgsql AS $function$
DECLARE
  living bigint; kept bigint := 9223372036854775807;
BEGIN
  PERFORM FROM coedit.snapshots s WHERE s.document = in_document FOR NO KEY UPDATE;
  SELECT min(s.place) INTO living FROM coedit.segments s WHERE s.document = in_document AND s.until >= in_time;
  IF living IS NOT NULL THEN
    SELECT max(s.place) INTO kept FROM coedit.segments s
      WHERE s.document = in_document AND s.is_start AND s.place <= living;
  END IF;
  DELETE FROM coedit.segments s WHERE s.document = in_document AND s.place < kept;
  DELETE FROM coedit.starts s WHERE s.document = in_document AND s.place < kept;
END
$function$;
`

/*
 * Whom to tell of documents by HTTP. What is left to be told of deletions is in `farewells`, by the name of the document:
 * it is before what `cursors` has of one that was made anew. Of both it is noted why they could not be told (`failures`: how often
 * in a row), and when to try again: infinity where that is to be asked for.
 */
const WEBHOOKS = `
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
const ADVANCE = `
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

/** What makes each version of the one before it. A function is made by the last step that changes it. */
export const MIGRATIONS: readonly string[] = [
  TABLES,
  EPOCHS + COMPACT,
  CURSORS,
  KEYS + DELETIONS,
  HISTORY + REMOVE + APPEND + APPEND_BEFORE_HISTORY + APPEND_BEFORE_DELETIONS + APPEND_BEFORE_CURSORS,
  WEBHOOKS + ADVANCE,
]
