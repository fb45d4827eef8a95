import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as Y14 from '@y/y'
import * as buffer from 'lib0/buffer'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { fileOfName, nameOfFile } from '../../server/src/sources/file-names.ts'
import { afterTests } from '../support/after-tests.ts'
import { damageEntry, settle } from '../support/damaged-table.ts'
import { databaseOf } from '../support/database.ts'
import { contentOf, docOf, Editor } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { type Exit, runCoedit } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { blob, executeSqlite, hasSqlite, holdSqlite, NO_SQLITE } from '../support/sqlite.ts'
import { storedDocument, withStored } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
/** The table of Hocuspocus' extension-sqlite 1 to 4. */
const HOCUSPOCUS = 'CREATE TABLE documents (name varchar(255) NOT NULL, data blob NOT NULL, UNIQUE(name));'

function runImport(source: string, data: string, ...flags: string[]): Promise<Exit> {
  return runCoedit(release, ['import', source, '--data', data, '--log-level', 'silent', ...flags])
}

/** A document that uses all that Yjs has. */
function everything(seed: number): Y.Doc {
  const doc = new Y.Doc()
  const editor = new Editor(doc, new Random(seed))
  for (let edits = 0; edits < 100; edits++) editor.edit()
  return doc
}

async function docIn(data: string, name: string): Promise<Y.Doc> {
  return docOf(...(await storedDocument(data, name)).tail.map(({ update }) => update))
}

async function textIn(data: string, name: string): Promise<string> {
  return (await docIn(data, name)).getText('text').toString()
}

function namesIn(data: string): Promise<readonly string[]> {
  return withStored(data, (storage) => storage.list('', undefined, 1_000))
}

async function filesOf(files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const directory = await temporaryDirectory(release)
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), bytes)
  }
  return directory
}

describe.skipIf(!hasSqlite())(`coedit import of an SQLite file${hasSqlite() ? '' : `: ${NO_SQLITE}`}`, () => {
  const insert = (name: string, bytes: Uint8Array) => `INSERT INTO documents VALUES ('${name}', ${blob(bytes)});`

  async function sqliteOf(...lines: readonly string[]): Promise<string> {
    const file = join(await temporaryDirectory(release), 'db.sqlite')
    executeSqlite(file, ...lines)
    return file
  }

  test('takes over what Hocuspocus stored, later only what is new, and changes nothing there', async () => {
    const doc = everything(1)
    const source = await sqliteOf(
      HOCUSPOCUS,
      insert('team/été 100%', Y.encodeStateAsUpdate(doc)),
      insert('b', edit('b').update),
    )
    const data = await temporaryDirectory(release)
    const before = await readFile(source)
    const first = await runImport(source, data)
    expect(first).toMatchObject({
      code: 0,
      stderr: '',
      stdout:
        "'b': 1 update, imported\n'team/été 100%': 1 update, imported, holds deleted content\n" +
        '2 documents with 2 updates found, 2 documents changed\n',
    })
    expect(contentOf(await docIn(data, 'team/été 100%'))).toEqual(contentOf(doc))
    expect(await readFile(source)).toEqual(before)
    expect(await readdir(dirname(source))).toEqual(['db.sqlite'])

    doc.getText('text').insert(0, 'later ')
    executeSqlite(source, `UPDATE documents SET data = ${blob(Y.encodeStateAsUpdate(doc))} WHERE name LIKE 'team/%';`)
    expect((await runImport(source, data)).stdout).toMatch(/, 1 document changed\n$/)
    expect(contentOf(await docIn(data, 'team/été 100%'))).toEqual(contentOf(doc))
    const third = await runImport(source, data)
    expect(third.stdout).toMatch(/, 0 documents changed\n$/)
    expect((await storedDocument(data, 'team/été 100%')).tail).toHaveLength(2)
  })

  test('reads what is in a write-ahead log alone', async () => {
    const source = await sqliteOf(
      '.dbconfig no_ckpt_on_close on',
      'PRAGMA journal_mode = wal;',
      HOCUSPOCUS,
      insert('notes', edit('in the log').update),
    )
    expect(await readdir(dirname(source))).toContain('db.sqlite-wal')
    const data = await temporaryDirectory(release)
    expect(await runImport(source, data)).toMatchObject({ code: 0, stderr: '' })
    expect(await textIn(data, 'notes')).toBe('in the log')
  })

  test('takes nothing of a transaction without an end, and all of it once it has one', async () => {
    const committed = edit('x'.repeat(100_000)).update
    const source = await sqliteOf(HOCUSPOCUS, insert('notes', committed))
    const overwrite = `UPDATE documents SET data = zeroblob(${committed.length});`
    const kill = await holdSqlite(release, source, 'PRAGMA cache_size = 1;', 'BEGIN;', overwrite)
    const data = await temporaryDirectory(release)
    const amid = await runImport(source, data)
    expect(amid).toMatchObject({ code: 1, stdout: '' })
    expect(amid.stderr).toMatch(/db\.sqlite-journal holds a transaction .*\(SOURCE_UNREADABLE\)\n$/)
    expect(await namesIn(data)).toEqual([])

    await kill()
    executeSqlite(source, 'PRAGMA journal_mode = persist;', insert('other', edit('other').update))
    expect(await readdir(dirname(source))).toContain('db.sqlite-journal')
    expect(await runImport(source, data)).toMatchObject({ code: 0, stderr: '' })
    expect(await textIn(data, 'notes')).toHaveLength(100_000)
    expect(await textIn(data, 'other')).toBe('other')
  })

  test('takes any query and a pattern for names: numbers, several rows of a document, either encoding', async () => {
    const writer = new Writer()
    const [one, two, three] = ['one ', 'two ', 'three'].map((text) => writer.insert(text).update)
    const source = await sqliteOf(
      'CREATE TABLE changes (at integer, page integer, bytes blob);',
      `INSERT INTO changes VALUES (3, 7, ${blob(three)}), (0, 8, ${blob(edit('other').update)});`,
      `INSERT INTO changes VALUES (2, 7, ${blob(Y.convertUpdateFormatV1ToV2(two))}), (1, 7, ${blob(one)});`,
    )
    const data = await temporaryDirectory(release)
    const query = 'SELECT page, bytes FROM changes ORDER BY at; '
    const exit = await runImport(source, data, '--query', query, '--name', 'page.{name}')
    expect(exit.stdout).toMatch(/^'page.7': 3 updates, imported\n'page.8': 1 update, imported\n/)
    expect(await textIn(data, 'page.7')).toBe('one two three')
  })

  test('names what it leaves out: holes, rows without an update, bytes that are none', async () => {
    const writer = new Writer()
    writer.insert('first ')
    const pending = new Y.Doc()
    Y.applyUpdate(pending, writer.insert('second').update)
    const source = await sqliteOf(
      'CREATE TABLE documents (name text, data blob);',
      insert('broken', Uint8Array.of(1, 2, 3)),
      insert('empty', Y.encodeStateAsUpdate(new Y.Doc())),
      insert('empty in v2', Y.encodeStateAsUpdateV2(new Y.Doc())),
      insert('pending', Y.encodeStateAsUpdate(pending)),
      insert('zeros', new Uint8Array(20)),
      `INSERT INTO documents VALUES ('null', NULL), ('text', 'AAE='), (NULL, ${blob(writer.everything)});`,
      insert('whole', writer.everything),
    )
    const { code, stderr, stdout } = await runImport(source, await temporaryDirectory(release))
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'coedit: 6 documents could not be imported whole. (IMPORT_INCOMPLETE)\n',
    })
    expect(stdout.split('\n')).toEqual([
      "'': 1 update, left out: the document name is empty",
      "'broken': 1 update, nothing new, 1 malformed",
      "'empty': 1 update, nothing new",
      "'empty in v2': 1 update, nothing new",
      "'null': 0 updates, nothing new, no update stored",
      "'pending': 1 update, nothing new, 1 left out behind a hole",
      "'text': 0 updates, nothing new, string instead of bytes stored",
      "'whole': 1 update, imported",
      "'zeros': 1 update, nothing new, 1 malformed",
      '9 documents with 7 updates found, 1 document changed',
      '',
    ])
  })

  test('says what is wrong with the source: SOURCE_UNREADABLE', async () => {
    const data = await temporaryDirectory(release)
    const empty = await sqliteOf('CREATE TABLE others (a);')
    const otherwise = await runImport(empty, data)
    expect(otherwise).toMatchObject({ code: 1, stdout: '' })
    expect(otherwise.stderr).toMatch(
      /^coedit: SQLite cannot read .*: no such table: documents \(SOURCE_UNREADABLE\)\n$/,
    )
    expect((await runImport(empty, data, '--query', 'SELECT a FROM others')).stderr).toMatch(/\(SOURCE_UNREADABLE\)\n$/)

    const noSqlite = join(await filesOf({ 'db.sqlite': Buffer.from('no database'.repeat(100)) }), 'db.sqlite')
    expect((await runImport(noSqlite, data)).stderr).toMatch(/: file is not a database \(SOURCE_UNREADABLE\)\n$/)

    const damaged = await sqliteOf(HOCUSPOCUS, insert('notes', edit('x'.repeat(50_000)).update))
    await writeFile(damaged, (await readFile(damaged)).fill(0xff, 5 * 4096, 6 * 4096))
    expect((await runImport(damaged, data)).stderr).toMatch(/damaged: .* \(SOURCE_UNREADABLE\)\n$/)
    expect(await namesIn(data)).toEqual([])
  })

  test('tells which package is missing', async () => {
    const source = await sqliteOf(HOCUSPOCUS)
    const hook = `export const resolve = (name, context, next) => next(name === 'node-sqlite3-wasm' ? 'not-there' : name, context)`
    const register = `import { register } from 'node:module'; register("data:text/javascript,${encodeURIComponent(hook)}")`
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(register)}` }
    const { code, stderr } = await runCoedit(
      release,
      ['import', source, '--data', await temporaryDirectory(release)],
      env,
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/^coedit: .*npm install node-sqlite3-wasm \(SOURCE_UNREADABLE\)$/m)
  })
})

describe('coedit import of a directory', () => {
  /** As bincode writes a map, with the keys of yrs-kvstore. */
  function ySweetOf(state: Uint8Array, updates: readonly Uint8Array[]): Buffer {
    const oid = [0, 0, 0, 1]
    const pairs: [number[], Uint8Array][] = [
      [[0, 0, ...Buffer.from('doc'), 0], Uint8Array.from(oid)],
      [[0, 1, ...oid, 0], state],
      [[0, 1, ...oid, 1], Y.encodeStateVectorFromUpdate(state)],
      ...updates.map((update, clock): [number[], Uint8Array] => [[0, 1, ...oid, 2, 0, 0, 0, clock + 1, 0], update]),
      [[0, 1, ...oid, 3, ...Buffer.from('owner'), 0], Buffer.from('somebody')],
    ]
    const length = (count: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(count))
      return bytes
    }
    const runs = pairs.flat().flatMap((run) => [length(run.length), Buffer.from(run)])
    return Buffer.concat([length(pairs.length), ...runs])
  }

  test('takes the files of Hocuspocus in S3 and of y-sweet, and no others', async () => {
    const writer = new Writer()
    const state = writer.insert('one ').update
    const updates = ['two ', 'three'].map((text) => writer.insert(text).update)
    const source = await filesOf({
      'notes.bin': edit('the notes').update,
      'team/été 100%25.bin': Y.convertUpdateFormatV1ToV2(edit('of the team').update),
      'sweet/data.ysweet': ySweetOf(state, updates),
      'team/README.md': Buffer.from('no document'),
    })
    const data = await temporaryDirectory(release)
    const exit = await runImport(source, data)
    expect(exit).toMatchObject({ code: 0, stderr: '' })
    expect(await namesIn(data)).toEqual(['notes', 'sweet', 'team/été 100%25'])
    expect(await textIn(data, 'sweet')).toBe('one two three')
    expect(await textIn(data, 'team/été 100%25')).toBe('of the team')
    expect((await runImport(source, data)).stdout).toMatch(/, 0 documents changed\n$/)
  })

  test.each([
    ['cut off', (whole: Buffer) => whole.subarray(0, -1)],
    ['longer than it says', (whole: Buffer) => Buffer.concat([whole, Buffer.of(0)])],
    ['of an absurd length', (whole: Buffer) => Buffer.from(whole).fill(0xff, 8, 16)],
    ['empty', () => Buffer.alloc(0)],
  ])('a file of y-sweet that is %s is left out, and the others are not', async (_, change) => {
    const source = await filesOf({
      'a/data.ysweet': change(ySweetOf(edit('a').update, [])),
      'b.bin': edit('b').update,
    })
    const data = await temporaryDirectory(release)
    const exit = await runImport(source, data)
    expect(exit.code).toBe(1)
    expect(exit.stdout).toMatch(/^'a': 0 updates, nothing new, no file of y-sweet: .*\n'b': 1 update, imported\n/)
    expect(await textIn(data, 'b')).toBe('b')
  })

  test('makes line ends alike where it is told to, and brings nothing back that was deleted', async () => {
    const source = await filesOf({ 'lines.bin': edit('one\r\ntwo').update, 'gone.bin': edit('gone').update })
    const data = await temporaryDirectory(release)
    expect((await runImport(source, data)).code).toBe(0)
    expect((await runCoedit(release, ['delete', 'gone', '--data', data])).code).toBe(0)
    const exit = await runImport(source, data, '--normalize-line-ends')
    expect(exit.stdout).toMatch(/^'gone': 1 update, left out: .*deleted.*\n'lines': .*, 1 line end normalized\n/)
    expect(exit.code).toBe(1)
    expect(await textIn(data, 'lines')).toBe('one\ntwo')
    expect(await namesIn(data)).toEqual(['lines'])
  })

  test('leaves a directory of LevelDB to the command that reads it', async () => {
    const source = await databaseOf(release, {})
    const { code, stderr } = await runImport(source, await temporaryDirectory(release))
    expect(code).toBe(2)
    expect(stderr).toMatch(/coedit import-yleveldb .*\(OPTION_INVALID\)\n$/)
  })

  test('refuses a pattern without a name', async () => {
    const { code, stderr } = await runImport(await filesOf({}), await temporaryDirectory(release), '--name', 'a')
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "coedit: --name is 'a': expected text with {name} in it (OPTION_INVALID)\n",
    })
  })
})

describe('coedit export --all', () => {
  const NAMES = ['a', 'a.bin/b', 'a/b', 'a//b', '/a', 'a/', '%hex/61', 'x'.repeat(300), 'été/😀 100%', 'Notes', 'notes']

  test('writes what coedit import takes back, whatever the names', async () => {
    const docs = new Map(NAMES.map((name, seed) => [name, everything(seed)]))
    const updates = [...docs].map(([name, doc]) => [name, [Y.encodeStateAsUpdate(doc)]] as const)
    const data = await databaseOf(release, Object.fromEntries(updates))
    const to = join(await temporaryDirectory(release), 'exported')
    const exit = await runCoedit(release, ['export', '--all', to, '--data', data])
    expect(exit).toMatchObject({ code: 0, stderr: '', stdout: `11 documents exported to ${to}\n` })
    expect(await readdir(dirname(to))).toEqual(['exported'])
    const file = new Uint8Array(await readFile(join(to, 'a', 'b.bin')))
    expect(contentOf(docOf(file))).toEqual(contentOf(docs.get('a/b') ?? new Y.Doc()))

    const back = await temporaryDirectory(release)
    const imported = await runImport(to, back, '--max-name-bytes', '512')
    expect(imported.stdout).toMatch(/^(?:'.*': 1 update, imported(?:, holds deleted content)?\n){11}11 documents/)
    expect(imported).toMatchObject({ code: 0, stderr: '' })
    expect(await namesIn(back)).toEqual(await namesIn(data))
    for (const [name, doc] of docs) expect(contentOf(await docIn(back, name))).toEqual(contentOf(doc))
    expect((await runImport(to, data, '--max-name-bytes', '512')).stdout).toMatch(/, 0 documents changed\n$/)
  })

  test('writes where nothing is', async () => {
    const data = await databaseOf(release, { notes: [edit('text').update] })
    const to = await temporaryDirectory(release)
    const exit = await runCoedit(release, ['export', '--all', to, '--data', data])
    expect(exit.code).toBe(1)
    expect(exit.stderr).toMatch(/\(DESTINATION_EXISTS\)\n$/)
    expect(await readdir(to)).toEqual([])
  })

  test('names what it cannot write whole, and writes the rest', async () => {
    const lines = () => {
      const writer = new Writer()
      return Array.from({ length: 4 }, () => writer.insert('x'.repeat(5_000)).update)
    }
    const data = await databaseOf(release, { first: lines(), broken: lines() })
    await settle(data)
    await damageEntry(data, 2, 2)
    const to = join(await temporaryDirectory(release), 'exported')
    const exit = await runCoedit(release, ['export', '--all', to, '--data', data, '--log-level', 'silent'])
    expect(exit.code).toBe(1)
    expect(exit.stderr).toBe('coedit: 1 document could not be exported whole. (STORAGE_DAMAGED)\n')
    expect(exit.stdout).toMatch(/^'broken': .*left out\n2 documents exported to .*\n$/)
    expect(await readdir(to)).toContain('first.bin')
  })

  test.each(['linux', 'darwin', 'win32'] as const)('on %s each name has a file of its own', (platform) => {
    const odd = ['CON', 'con.txt', 'a:b', 'a\\b', 'a.', 'a ', 'Été', 'E\u0301te\u0301', 'A.BIN/b', '..bin']
    const files = [...NAMES, ...odd].map((name) => fileOfName(name, platform))
    expect(files.map(nameOfFile)).toEqual([...NAMES, ...odd])
    const paths = files.map((parts) => (platform === 'linux' ? parts.join('/') : parts.join('/').toLowerCase()))
    expect(new Set(paths).size).toBe(paths.length)
    const folders = new Set(paths.flatMap((path) => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index))))
    expect(paths.filter((path) => folders.has(path))).toEqual([])
    for (const part of files.flat()) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255)
    if (platform === 'win32') for (const part of files.flat()) expect(part).toMatch(/^[a-z0-9 %_.-]*[a-z0-9%_-]$/)
  })
})

if (findPostgres() === undefined) test('coedit import of PostgreSQL', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  describe('coedit import of PostgreSQL', () => {
    const bytea = (bytes: Uint8Array) => `'\\x${Buffer.from(bytes).toString('hex')}'`

    async function sourceOf(...statements: readonly string[]): Promise<string> {
      const url = await postgres.newDatabase()
      await postgres.execute(url, statements.join(';'))
      return url
    }

    test('takes a table as Hocuspocus documents it, of more rows than are read at a time', async () => {
      const names = Array.from({ length: 50 }, (_, index) => `doc ${index}`)
      const rows = names.map((name) => `('${name}', ${bytea(edit(name).update)})`)
      const url = await sourceOf(
        'CREATE TABLE documents (name text PRIMARY KEY, data bytea)',
        `INSERT INTO documents VALUES ${rows}`,
      )
      const data = await temporaryDirectory(release)
      const exit = await runImport(url, data)
      expect(exit).toMatchObject({ code: 0, stderr: '' })
      expect([...(await namesIn(data))].sort()).toEqual(names.sort())
      for (const name of names) expect(await textIn(data, name)).toBe(name)
      expect((await runImport(url, data)).stdout).toMatch(/^50 documents with 50 updates found, 0 documents changed$/m)
    })

    test('docmost: pages by their ids, those without Yjs content named', async () => {
      const [one, two] = ['01890a5d-ac96-774b-bcce-b302099a8057', '01890a5d-ac96-774b-bcce-b302099a8058']
      const url = await sourceOf(
        'CREATE TABLE pages (id uuid PRIMARY KEY, title text, content jsonb, ydoc bytea)',
        `INSERT INTO pages VALUES ('${one}', 'One', NULL, ${bytea(edit('of Docmost').update)}), ('${two}', 'Two', '{}', NULL)`,
      )
      const data = await temporaryDirectory(release)
      const exit = await runImport(url, data, '--layout', 'docmost')
      expect(exit.stdout).toMatch(
        `'page.${one}': 1 update, imported\n'page.${two}': 0 updates, nothing new, no update stored\n`,
      )
      expect(exit.code).toBe(1)
      expect(await textIn(data, `page.${one}`)).toBe('of Docmost')
    })

    test('outline: documents by their ids', async () => {
      const id = '01890a5d-ac96-774b-bcce-b302099a8057'
      const url = await sourceOf(
        'CREATE TABLE documents (id uuid PRIMARY KEY, title text, state bytea)',
        `INSERT INTO documents VALUES ('${id}', 'One', ${bytea(edit('of Outline').update)})`,
      )
      const data = await temporaryDirectory(release)
      expect((await runImport(url, data, '--layout', 'outline')).code).toBe(0)
      expect(await textIn(data, `document.${id}`)).toBe('of Outline')
    })

    /** The rows that y-redis has of a document until its worker merges them. */
    const rowsOf = (doc: Y.Doc): Uint8Array[] => {
      const half = Y.encodeStateAsUpdateV2(doc)
      const before = Y.encodeStateVector(doc)
      doc.getText('text').insert(0, 'later ')
      return [Y.encodeStateAsUpdateV2(doc, before), half]
    }

    test.each([
      ['y-redis', 'yredis_docs_v1', '', ''],
      ['y-redis-v2', 'yredis_docs_v2', `branch text DEFAULT 'main', gc boolean DEFAULT true,`, 'branch, gc,'],
    ])('%s: merges the rows of a room, which are of the encoding v2', async (layout, table, columns, key) => {
      const doc = everything(2)
      const rows = rowsOf(doc).map((update) => `('my room', 'index', ${bytea(update)})`)
      const url = await sourceOf(
        `CREATE TABLE ${table} (room text, doc text, ${columns} r SERIAL, update bytea, sv bytea, PRIMARY KEY (room, doc, ${key} r))`,
        `INSERT INTO ${table} (room, doc, update) VALUES ${rows}, ('my room', 'other', ${bytea(Y.convertUpdateFormatV1ToV2(edit('other').update))})`,
      )
      const data = await temporaryDirectory(release)
      const exit = await runImport(url, data, '--layout', layout)
      expect(exit).toMatchObject({ code: 0, stderr: '' })
      expect(exit.stdout).toMatch(/^'my room': 2 updates, imported, holds deleted content$/m)
      expect(contentOf(await docIn(data, 'my room'))).toEqual(contentOf(doc))
      expect(await textIn(data, 'my room/other')).toBe('other')
      expect((await runImport(url, data, '--layout', layout)).stdout).toMatch(/, 0 documents changed\n$/)
    })

    test('yhub: what Yjs 14 wrote, without branches and what was deleted; what S3 has is named', async () => {
      const doc = new Y14.Doc()
      doc.get('text').insert(0, 'of Yjs 14')
      const asset = bytea(buffer.encodeAny({ type: 'asset:ydoc:v1', update: Y14.encodeStateAsUpdate(doc) }))
      const pointer = bytea(buffer.encodeAny({ type: 'asset:retrievable:v1', plugin: 'S3Persistence:v1' }))
      const url = await sourceOf(
        'CREATE TABLE yhub_ydoc_v1 (org text, docid text, branch text, t text, created int8, gcDoc bytea, PRIMARY KEY (org, docid, branch, t))',
        'CREATE TABLE yhub_ydoc_tombstones_v1 (org text, docid text, branch text, deleted_at int8, PRIMARY KEY (org, docid, branch))',
        `INSERT INTO yhub_ydoc_v1 VALUES ('org', 'here', 'main', '1-0', 1, ${asset}), ('org', 'here', 'draft', '1-0', 1, ${asset}),
          ('org', 'gone', 'main', '1-0', 1, ${asset}), ('org', 's3', 'main', '1-0', 1, ${pointer}), ('org', 'odd', 'main', '1-0', 1, '\\x7701')`,
        `INSERT INTO yhub_ydoc_tombstones_v1 VALUES ('org', 'gone', 'main', 2)`,
      )
      const data = await temporaryDirectory(release)
      const exit = await runImport(url, data, '--layout', 'yhub')
      expect(exit.stdout.split('\n')).toEqual([
        "'org/here': 1 update, imported",
        "'org/odd': 0 updates, nothing new, no asset of y/hub stored",
        "'org/s3': 0 updates, nothing new, an update is in S3",
        '3 documents with 1 update found, 1 document changed',
        '',
      ])
      expect(exit.code).toBe(1)
      expect(await textIn(data, 'org/here')).toBe('of Yjs 14')
    })

    test('says what the database refuses, and changes nothing there whatever the query', async () => {
      const url = await sourceOf('CREATE TABLE documents (name text, data bytea)', 'CREATE SEQUENCE numbers')
      const data = await temporaryDirectory(release)
      const refusals = [
        ['SELECT a, b FROM nowhere', /relation "nowhere" does not exist/],
        [`SELECT nextval('numbers'), NULL`, /nextval\(\) in a read-only transaction/],
      ] as const
      for (const [query, reason] of refusals) {
        const { code, stderr } = await runImport(url, data, '--query', query)
        expect(code).toBe(1)
        expect(stderr).toMatch(reason)
        expect(stderr).toMatch(/\(SOURCE_UNREADABLE\)\n$/)
      }
      const noServer = await runImport('postgres://127.0.0.1:1/none', data)
      expect(noServer.stderr).toMatch(/\(STORAGE_UNREACHABLE\)\n$/)
    })
  })
}
