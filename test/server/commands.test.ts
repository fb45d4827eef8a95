import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { commands } from '../../server/src/commands/index.ts'
import { databaseOf } from '../support/database.ts'
import { contentOf, docOf } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
const run = (...args: string[]) => runCoedit(release, args)

/** A text, an array, a map, XML and a text without content, with an edit for each. */
function everything(): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('content').insert(0, 'zwei Wörter 😀', { bold: true })
  doc.getArray('list').insert(0, [1, 'two', { three: [null] }])
  doc.getMap('map').set('key', new Y.Text('inner'))
  doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p')])
  doc.getText('emptied').insert(0, 'gone')
  doc.getText('emptied').delete(0, 4)
  return Y.encodeStateAsUpdate(doc)
}

describe('every command', () => {
  test.each(commands)('$name: --help says what it takes', async ({ name, operands, options }) => {
    const { code, stdout, stderr } = await run(name, '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n')[0]).toBe(`Usage: coedit ${[name, ...operands].join(' ')} [options]`)
    for (const { flag } of options) expect(stdout).toMatch(new RegExp(`^  ${flag}( <|$)`, 'm'))
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  test.each(commands)(
    '$name: refuses an option that it does not have, with exit code 2',
    async ({ name, operands }) => {
      const { code, stderr, stdout } = await run(name, ...operands, '--port', '80')
      expect({ code, stderr, stdout }).toEqual({
        code: 2,
        stderr: 'coedit: unknown option --port (OPTION_INVALID)\n',
        stdout: '',
      })
    },
  )

  test.each(commands)('$name: takes its arguments, no fewer and no more', async ({ name, operands }) => {
    const more = await run(name, ...operands, 'more')
    expect(more).toMatchObject({ code: 2, stderr: "coedit: unexpected argument 'more' (OPTION_INVALID)\n" })
    if (operands.length === 0) return
    const fewer = await run(name, ...operands.slice(1))
    expect(fewer).toMatchObject({ code: 2, stderr: `coedit: ${operands.at(-1)} is missing (OPTION_INVALID)\n` })
  })

  const ofDirectories = commands.filter(({ options }) => options.some(({ name }) => name === 'data'))
  test.each(ofDirectories)('$name: makes no database where there is none', async ({ name, operands }) => {
    const nowhere = join(await temporaryDirectory(release), 'nowhere')
    const { code, stderr } = await run(name, ...operands.map(() => nowhere), '--data', nowhere)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^coedit: .*nowhere.* \(STORAGE_MISSING\)\n$/)
    await expect(mkdtemp(join(nowhere, 'x'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('--help names all of them', async () => {
    const { stdout } = await run('--help')
    for (const { name, operands, summary } of commands) {
      expect(stdout).toContain(`\n  ${[name, ...operands].join(' ')}\n      ${summary}\n`)
    }
  })
})

describe.each([['list'], ['export', 'notes']])('coedit %s', (...command) => {
  test('leaves a database alone that a server has open', async () => {
    const server = await startServer({ release })
    const { code, stderr } = await run(...command, '--data', server.data)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^coedit: .* \(STORAGE_LOCKED\)\n$/)
    expect((await fetch(`${server.url}health`)).status).toBe(200)
  })
})

describe('coedit list', () => {
  test('prints name, size and time of each document, and reads the directory from the environment', async () => {
    const before = Date.now()
    const { update } = edit('some text')
    const data = await databaseOf(release, { 'b/ü 1': [update], a: [update, edit('more').update] })
    const { code, stdout } = await runCoedit(release, ['list'], { COEDIT_DATA: data, COEDIT_HOST: '0.0.0.0' })
    expect(code).toBe(0)
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'))
    expect(lines.map(([name]) => name)).toEqual(['a', 'b/ü 1'])
    expect(Number(lines[1][1])).toBe(update.length)
    expect(Number(lines[0][1])).toBeGreaterThan(update.length)
    const time = Date.parse(lines[0][2])
    expect(time).toBeGreaterThanOrEqual(before - 1)
    expect(time).toBeLessThanOrEqual(Date.now())
  })

  test('prints all of more documents than are read at a time', async () => {
    const names = Array.from({ length: 2_001 }, (_, index) => `${index}`)
    const { update } = edit('x')
    const data = await databaseOf(release, Object.fromEntries(names.map((name) => [name, [update]])))
    const { stdout } = await run('list', '--data', data)
    expect(stdout.match(/^\d+(?=\t)/gm)?.sort()).toEqual(names.sort())
  })
})

describe('coedit export', () => {
  test('prints the text "content" as it is', async () => {
    const data = await databaseOf(release, { notes: [everything()] })
    expect(await run('export', 'notes', '--data', data)).toMatchObject({
      code: 0,
      stdout: 'zwei Wörter 😀',
      stderr: '',
    })
  })

  test('prints another text, and says which there are where it does not exist', async () => {
    const writer = new Writer()
    const data = await databaseOf(release, { notes: [writer.insert('one ').update, writer.insert('two').update] })
    const given = await run('export', 'notes', '--data', data, '--root', 'text')
    expect(given).toMatchObject({ code: 0, stdout: 'one two' })
    expect(await run('export', 'notes', '--data', data)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: "coedit: --root is 'content': expected a shared type of the document: 'text' (OPTION_INVALID)\n",
    })
  })

  test('prints all shared types as JSON', async () => {
    const data = await databaseOf(release, { notes: [everything()] })
    const { stdout } = await run('export', 'notes', '--data', data, '--format', 'json')
    expect(JSON.parse(stdout)).toEqual({
      content: 'zwei Wörter 😀',
      list: [1, 'two', { three: [null] }],
      map: { key: 'inner' },
      xml: '<p></p>',
      emptied: null,
    })
  })

  test('prints everything as one update', async () => {
    const updates: Uint8Array[] = []
    const doc = docOf()
    doc.on('update', (update: Uint8Array) => updates.push(update))
    Y.applyUpdate(doc, everything())
    doc.getText('text').insert(0, 'later')
    const data = await databaseOf(release, { notes: updates })
    const { stdoutBytes } = await run('export', 'notes', '--data', data, '--format', 'update')
    expect(contentOf(docOf(stdoutBytes))).toEqual(contentOf(doc))
    expect(docOf(stdoutBytes).getText('content').toDelta()).toEqual([
      { insert: 'zwei Wörter 😀', attributes: { bold: true } },
    ])
  })

  test('a name that begins with a dash comes after --', async () => {
    const data = await databaseOf(release, { '--help-me': [everything()] })
    expect(await run('export', '--data', data, '--', '--help-me')).toMatchObject({ code: 0, stdout: 'zwei Wörter 😀' })
  })

  test('a document that does not exist: DOCUMENT_MISSING', async () => {
    const data = await databaseOf(release, { notes: [everything()] })
    const { code, stdout, stderr } = await run('export', 'nots', '--data', data)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^coedit: .*'nots'.* \(DOCUMENT_MISSING\)\n$/)
  })
})
