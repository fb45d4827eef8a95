import { EPOCH, INCARNATION } from './documents.ts'

/** Incarnations that are remembered of a document. */
const MAX_EARLIER = 8

/** A batch of a node, as parameters. */
const BATCH = `in_node bigint, in_batch bigint, in_time double precision,
  in_names text[], in_incarnations bigint[], in_bases bigint[], in_firsts boolean[], in_counts integer[],
  in_sizes integer[], in_checksums integer[], in_content bytea, in_cursors text[], in_holder bigint,
  in_anews boolean[], in_keys bytea[], in_authors bytea[]`

/*
 * Appends one batch of a node: for each document `counts` entries, whose bytes follow each other in `content`. The
 * caller has the documents in the order of their names' bytes, so that no two batches wait for each other in a circle.
 *
 * A row with `data` null tells the first number of a document's entries; the others are what was written since its
 * base, at most 64 KiB in all, for while a slow caller reads the answer the documents stay locked.
 *
 * The same batch may come again, as often as its caller is not sure of the answer: the row of the node has it wait for
 * the earlier attempt, and repeats that one's answer. It is written even then, so that the commit waits for the standby
 * for which an earlier one may not have waited.
 */
export const APPEND = `
CREATE OR REPLACE FUNCTION coedit.append(
  ${BATCH}
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

/** PostgreSQL takes 7,999 bytes of a notification, of which the name of the sender needs some. */
const PAYLOAD_BYTES = 7_900
/** What is larger takes more than that in base64. */
const MAX_TOLD_BYTES = 5_900

/*
 * The same, and then tells the other nodes of it, as hints.ts reads it: in a transaction of its own, since commits that
 * notify wait for each other across all documents (8 writers: 7,481 commits a second become 3,364), but without another
 * statement, which was a third of what a commit costs the node. Nobody is told without a sender, nor where there are
 * synchronous standbys: whether the commit has waited for them, only its caller learns.
 *
 * Where the second transaction fails nobody knows from the answer that the first has not: the batch has to come again.
 */
export const APPEND_AND_TELL = `
CREATE OR REPLACE PROCEDURE coedit.append_and_tell(
  ${BATCH}, in_sender text,
  OUT items integer[], OUT incarnations double precision[], OUT seqs double precision[], OUT checksums integer[],
  OUT data bytea[], OUT told boolean
) LANGUAGE plpgsql AS $procedure$
DECLARE
  sender text := to_json(in_sender); room integer := ${PAYLOAD_BYTES} - octet_length(sender);
  payload text := ''; hint text; name text; content text; part integer := 0; start integer := 1;
BEGIN
  SELECT array_agg(a.item), array_agg(a.incarnation), array_agg(a.seq), array_agg(a.checksum), array_agg(a.data)
    INTO items, incarnations, seqs, checksums, data
    FROM coedit.append(
      in_node, in_batch, in_time, in_names, in_incarnations, in_bases, in_firsts, in_counts, in_sizes, in_checksums,
      in_content, in_cursors, in_holder, in_anews, in_keys, in_authors
    ) a;
  told := in_sender IS NOT NULL AND current_setting('synchronous_standby_names') = '';
  IF NOT told THEN
    RETURN;
  END IF;
  COMMIT;
  FOR r IN 1 .. cardinality(items) LOOP
    CONTINUE WHEN data[r] IS NOT NULL;
    name := to_json(in_names[items[r]]);
    FOR k IN 0 .. in_counts[items[r]] - 1 LOOP
      part := part + 1;
      content := NULL;
      IF in_sizes[part] <= ${MAX_TOLD_BYTES} THEN
        content := '"' || translate(encode(substr(in_content, start, in_sizes[part]), 'base64'), E'\n', '') || '"';
      END IF;
      start := start + in_sizes[part];
      hint := format('[%s,%s,%s,%s]', name, incarnations[r]::bigint, seqs[r]::bigint + k, coalesce(content, 'null'));
      IF octet_length(hint) > room THEN
        hint := format('[%s,%s,%s,null]', name, incarnations[r]::bigint, seqs[r]::bigint + k);
        -- The others find it when they compare heads.
        CONTINUE WHEN octet_length(hint) > room;
      END IF;
      IF payload = '' THEN
        payload := hint;
      ELSIF octet_length(payload) + octet_length(hint) < room THEN
        payload := payload || ',' || hint;
      ELSE
        PERFORM pg_notify('coedit', format('[%s,[%s]]', sender, payload));
        payload := hint;
      END IF;
    END LOOP;
  END LOOP;
  IF payload <> '' THEN
    PERFORM pg_notify('coedit', format('[%s,[%s]]', sender, payload));
  END IF;
END
$procedure$;
`

/** For servers that do not say who writes. */
export const APPEND_BEFORE_HISTORY = `
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
export const APPEND_BEFORE_DELETIONS = `
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
export const APPEND_BEFORE_CURSORS = `
CREATE OR REPLACE FUNCTION coedit.append(
  bigint, bigint, double precision, text[], bigint[], bigint[], boolean[], integer[], integer[], integer[], bytea
) RETURNS TABLE (
  item integer, incarnation double precision, seq double precision, checksum integer, data bytea
) LANGUAGE sql AS $function$
  SELECT * FROM coedit.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '{}', NULL, '{}', '{}')
$function$;
`
