import { MAX_NAMED_VERSIONS } from '../../limits.ts'

/*
 * What compactions took out of logs: compressed segments of entries, and at those that are a start, chunks of what the
 * document was before it. `run_since` and `run_bytes` are about all segments from a start up to this one.
 */
export const HISTORY = `
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
