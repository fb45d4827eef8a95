import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { afterTests } from '../support/after-tests.ts'
import { docOf } from '../support/editing.ts'
import { edit } from '../support/edits.ts'
import { blockIn, filledIn, paper, pathOf } from '../support/papers.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { blob, executeSqlite, hasSqlite, NO_SQLITE } from '../support/sqlite.ts'
import { allRead, syncedClient, textOf } from '../support/stock-clients.ts'
import { startPersistentStockServer, startStockServer } from '../support/stock-server.ts'
import { withStored } from '../support/stored-document.ts'

const release = onTestFinished
const GUIDE = 'server/MIGRATION.md'
const GOING_BACK = '# Moving to coedit'

/** The blocks of commands under a heading, before the next one. */
async function commandsUnder(heading: string): Promise<readonly string[]> {
  const text = await paper(GUIDE)
  const [section = ''] = text.slice(text.indexOf(`${heading}\n`)).split('\n## ')
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
}

/** Where a reader of the guide would stand: inside of the repository, where packages are found. */
async function directory(): Promise<string> {
  const parent = pathOf('node_modules/.cache')
  await mkdir(parent, { recursive: true })
  const made = await mkdtemp(join(parent, 'migration-'))
  release(() => rm(made, { recursive: true }))
  return made
}

/** Runs commands as a shell does. What the test has installed is not installed again. */
async function run(cwd: string, commands: string, variables: NodeJS.ProcessEnv = {}): Promise<string> {
  const bin = await mkdtemp(join(cwd, 'bin-'))
  const programs = {
    npm: '#!/bin/sh\n[ "$*" = "install node-sqlite3-wasm" ]\n',
    npx: `#!/bin/sh\n[ "$1" = coedit ] && shift && exec '${process.execPath}' '${pathOf('server/bin/coedit.js')}' "$@"\n`,
  }
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), script)
    await chmod(join(bin, name), 0o755)
  }
  const env = { PATH: bin + delimiter + process.env.PATH, COEDIT_LOG_LEVEL: 'silent', ...variables }
  const { stdout } = await promisify(execFile)('sh', ['-ec', commands], { cwd, env })
  return stdout
}

/** What stands in the text `text` of each document. */
function textsIn(data: string): Promise<Record<string, string>> {
  return withStored(data, async (storage) => {
    const texts: Record<string, string> = {}
    for (const name of await storage.list('', undefined, 1_000)) {
      const doc = docOf(...(await storage.load(name)).tail.map(({ update }) => update))
      texts[name] = doc.getText('text').toString()
    }
    return texts
  })
}

async function write(cwd: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true })
    await writeFile(join(cwd, path), bytes)
  }
}

describe.skipIf(process.platform === 'win32')('the commands of server/MIGRATION.md', () => {
  test.skipIf(!hasSqlite())(`from Hocuspocus' SQLite and back${hasSqlite() ? '' : `: ${NO_SQLITE}`}`, async () => {
    const cwd = await directory()
    const [forth = '', , , back = ''] = await commandsUnder('## From Hocuspocus')
    const file = join(cwd, 'db.sqlite')
    executeSqlite(
      file,
      'CREATE TABLE documents (name varchar(255) NOT NULL, data blob NOT NULL, UNIQUE(name));',
      `INSERT INTO documents VALUES ('team/notes', ${blob(edit('the notes').update)}), ('b', ${blob(edit('b').update)});`,
    )
    await run(cwd, forth)
    expect(await textsIn(join(cwd, 'data'))).toEqual({ 'team/notes': 'the notes', b: 'b' })

    executeSqlite(file, `DELETE FROM documents WHERE name = 'team/notes'; UPDATE documents SET data = X'00';`)
    await run(cwd, back)
    const again = await run(cwd, 'npx coedit import ./db.sqlite --data ./again; npx coedit list --data ./again')
    expect(again).toMatch(/^'team\/notes': 1 update, imported$/m)
    expect(await textsIn(join(cwd, 'again'))).toEqual({ 'team/notes': 'the notes', b: 'b' })
  })

  test('from a directory, and back into one', async () => {
    const cwd = await directory()
    await write(cwd, { 'bucket/team/notes.bin': edit('the notes').update })
    const [, , forth = ''] = await commandsUnder('## From Hocuspocus')
    expect(await commandsUnder('## From Tiptap Cloud and Liveblocks')).toEqual([forth])
    await run(cwd, forth)
    const [back = ''] = await commandsUnder(GOING_BACK)
    await run(cwd, back)
    expect(await run(cwd, 'npx coedit import ./exported --data ./again')).toMatch(
      /^'team\/notes': 1 update, imported$/m,
    )
  })

  test('from y-websocket', async () => {
    const cwd = await directory()
    const stock = await startPersistentStockServer(release, join(cwd, 'yjs-data'))
    const writer = await syncedClient({ release, url: stock.url, document: 'my notes' })
    const reader = await syncedClient({ release, url: stock.url, document: 'my notes' })
    textOf(writer).insert(0, 'the notes')
    await allRead([reader], 'the notes')
    await stock.stop()
    const [commands = ''] = await commandsUnder('## From y-websocket')
    await run(cwd, commands)
    expect(await textsIn(join(cwd, 'data'))).toEqual({ 'my notes': 'the notes' })
  })

  test('and back to y-websocket', async () => {
    const cwd = await directory()
    const url = await startStockServer(release)
    await write(cwd, { 'exported/my notes.bin': edit('the notes').update, 'exported/b.bin': edit('b').update })
    const program = filledIn(await blockIn(GUIDE, '## From y-websocket', 'js'), { 'ws://localhost:1234': url })
    await writeFile(join(cwd, 'back.mjs'), program)
    await promisify(execFile)(process.execPath, ['back.mjs'], { cwd })
    await allRead([await syncedClient({ release, url, document: 'my notes' })], 'the notes')
    await allRead([await syncedClient({ release, url, document: 'b' })], 'b')
  })

  test('from y-sweet', async () => {
    const cwd = await directory()
    const { update } = edit('the notes')
    const length = (count: number) => Buffer.from(BigUint64Array.of(BigInt(count)).buffer)
    const key = Buffer.of(0, 1, 0, 0, 0, 1, 0)
    const file = Buffer.concat([length(1), length(key.length), key, length(update.length), update])
    await write(cwd, { 'y-sweet-data/notes/data.ysweet': file })
    const [commands = ''] = await commandsUnder('## From y-sweet')
    await run(cwd, commands)
    expect(await textsIn(join(cwd, 'data'))).toEqual({ notes: 'the notes' })
  })

  if (findPostgres() === undefined) test('from PostgreSQL', ({ skip }) => skip(NO_POSTGRES))
  else withPostgres(startPostgres(afterTests()))
})

function withPostgres(started: Promise<PostgresServer>): void {
  const bytea = (bytes: Uint8Array) => `'\\x${Buffer.from(bytes).toString('hex')}'`

  async function moved(commands: string, ...statements: readonly string[]): Promise<Record<string, string>> {
    const postgres = await started
    const url = await postgres.newDatabase()
    await postgres.execute(url, statements.join(';'))
    const cwd = await directory()
    await run(cwd, commands, { SOURCE_URL: url })
    return textsIn(join(cwd, 'data'))
  }

  test("from a table of Hocuspocus' extension-database", async () => {
    const [, commands = ''] = await commandsUnder('## From Hocuspocus')
    const made = 'CREATE TABLE articles (title text, content bytea)'
    const filled = `INSERT INTO articles VALUES ('one', ${bytea(edit('first').update)})`
    expect(await moved(commands, made, filled)).toEqual({ 'article.one': 'first' })
  })

  test('from y-redis and y/hub', async () => {
    const [redis = '', hub = ''] = await commandsUnder('## From y-redis and y/hub')
    const update = bytea(Y.convertUpdateFormatV1ToV2(edit('in a room').update))
    expect(
      await moved(
        redis,
        'CREATE TABLE yredis_docs_v1 (room text, doc text, r SERIAL, update bytea, sv bytea)',
        `INSERT INTO yredis_docs_v1 (room, doc, update) VALUES ('room', 'index', ${update})`,
      ),
    ).toEqual({ room: 'in a room' })
    expect(
      await moved(
        hub,
        'CREATE TABLE yhub_ydoc_v1 (org text, docid text, branch text, gcDoc bytea)',
        'CREATE TABLE yhub_ydoc_tombstones_v1 (org text, docid text, branch text)',
      ),
    ).toEqual({})
  })

  test('from Docmost and Outline', async () => {
    const [commands = ''] = await commandsUnder('## From Docmost and Outline')
    const texts = await moved(
      commands,
      'CREATE TABLE pages (id int, ydoc bytea)',
      'CREATE TABLE documents (id int, state bytea)',
      `INSERT INTO pages VALUES (1, ${bytea(edit('of Docmost').update)})`,
      `INSERT INTO documents VALUES (2, ${bytea(edit('of Outline').update)})`,
    )
    expect(texts).toEqual({ 'page.1': 'of Docmost', 'document.2': 'of Outline' })
  })
}
