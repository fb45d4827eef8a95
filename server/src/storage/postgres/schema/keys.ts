import { MAX_WRITE_KEYS, WRITE_KEY_MS } from '../../limits.ts'

/*
 * Writes that were done with a key, for those who ask for one again: of a document the last thousand, for a day by the
 * clocks of the servers that write. Each key comes as 32 bytes, and what was asked for as 32 more.
 */
export const KEYS = `
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
