/*
 * `documents` is written by each append and must stay small: no index but those of its keys, so that updates are made
 * in place (HOT), and vacuumed by number of dead rows, since there may be millions of others.
 *
 * Names are compared by their bytes. Their index takes no more than 2,704 of them (a third of a page).
 */
export const TABLES = `
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

export const INCARNATION = '1 + floor(random() * 281474976710655)::bigint'

/*
 * A promoted standby may lack what its primary had acknowledged, and gives those numbers again. So the first append of
 * an epoch makes of a document another incarnation: `epoch` is that of its last append, and `earlier` has pairs, of
 * each incarnation before and the last of its numbers, the latest first. Up to there nobody's numbers are others, as
 * the log of a standby is a beginning of that of its primary.
 */
export const EPOCHS = `
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

export const REMOVE = `
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
 * Who wrote a document that was deleted. It is deleted now where it is not in `documents`.
 */
export const DELETIONS = `
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
