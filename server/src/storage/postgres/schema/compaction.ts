/*
 * Puts a snapshot in the place of number `replaces` (0: none) and of the entries that it covers. The document's row is
 * locked only against its removal: appends go on.
 */
export const COMPACT = `
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
