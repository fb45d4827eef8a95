import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { Bystanders } from '../support/bystanders.ts'
import { documentsApi } from '../support/documents-api.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { speak } from '../support/raw-http.ts'

const NAME = 'notes'
const DOCUMENT = `/api/documents/${NAME}`
const JSON_PATCH = 'application/json-patch+json'
const TEXT_EDITS = 'application/json'
const release = afterTests()
let url: string
let bystanders: Bystanders

beforeAll(async () => {
  const options = { maxBodyBytes: 64 * 1024 }
  const server = await startInProcess({ release, options })
  url = server.url
  bystanders = await Bystanders.join({ release, url, others: [url], document: 'elsewhere' })
  const api = documentsApi(url)
  await api.patch(NAME, { map: { a: 1 } }, '?root=map')
  await api.patch(NAME, [{ index: 0, insert: '😀' }], '?root=text')
})
afterAll(() => bystanders.areUnharmed())

/** A request with a body that is told by its length, as far as the headers do not tell otherwise. */
function request(method: string, target: string, headers: Readonly<Record<string, string>>, body = ''): string {
  const all = {
    Host: new URL(url).host,
    Connection: 'close',
    'Content-Length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

function patching(type: string, body: string, root = 'map', headers: Readonly<Record<string, string>> = {}): string {
  return request('PATCH', `${DOCUMENT}/content?root=${root}`, { 'Content-Type': type, ...headers }, body)
}

const value = (json: string) => `[{"op":"add","path":"/x","value":${json}}]`

describe('is refused with a code, and costs nobody else anything:', () => {
  test.each<[string, () => string, number, string]>([
    ['an operation of numbers', () => patching(JSON_PATCH, '[{"op":1,"path":2}]'), 400, 'BODY_INVALID'],
    ['an operation that is null', () => patching(JSON_PATCH, '[null]'), 400, 'BODY_INVALID'],
    ['a value that is missing', () => patching(JSON_PATCH, '[{"op":"add","path":"/x"}]'), 400, 'BODY_INVALID'],
    ['an object for a list', () => patching(JSON_PATCH, '{"0":{"op":"remove","path":"/a"}}'), 400, 'BODY_INVALID'],
    ['a root of no name', () => patching(JSON_PATCH, value('1'), ''), 400, 'REQUEST_INVALID'],
    [
      'a path through a prototype',
      () => patching(JSON_PATCH, '[{"op":"add","path":"/constructor/prototype/x","value":1}]'),
      409,
      'EDIT_CONFLICT',
    ],
    [
      'a path through a text',
      () => patching(JSON_PATCH, '[{"op":"add","path":"/0","value":1}]', 'text'),
      409,
      'EDIT_CONFLICT',
    ],
    ['half of a surrogate pair as a value', () => patching(JSON_PATCH, value('"\\ud83d"')), 400, 'BODY_INVALID'],
    ['half of one as a key', () => patching('application/merge-patch+json', '{"\\uDE00":1}'), 400, 'BODY_INVALID'],
    [
      'half of one in a text',
      () => patching(TEXT_EDITS, '[{"index":0,"insert":"\\ud83d"}]', 'text'),
      400,
      'BODY_INVALID',
    ],
    ['a position within a pair', () => patching(TEXT_EDITS, '[{"index":1,"insert":"x"}]', 'text'), 400, 'BODY_INVALID'],
    ['a deletion of half a pair', () => patching(TEXT_EDITS, '[{"index":0,"delete":1}]', 'text'), 400, 'BODY_INVALID'],
    [
      'a position that is no whole number',
      () => patching(TEXT_EDITS, '[{"index":0.5,"insert":"x"}]', 'text'),
      400,
      'BODY_INVALID',
    ],
    [
      'a position beyond all numbers',
      () => patching(TEXT_EDITS, '[{"index":1e400,"insert":"x"}]', 'text'),
      400,
      'BODY_INVALID',
    ],
    [
      'a position that is text',
      () => patching(TEXT_EDITS, '[{"index":"0","insert":"x"}]', 'text'),
      400,
      'BODY_INVALID',
    ],
    [
      'a deletion of less than nothing',
      () => patching(TEXT_EDITS, '[{"index":0,"delete":-1}]', 'text'),
      400,
      'BODY_INVALID',
    ],
    [
      'deep JSON for a new document',
      () =>
        request(
          'PUT',
          '/api/documents/new',
          { 'Content-Type': 'application/json' },
          `{"a":[${'['.repeat(9_000)}${']'.repeat(9_000)}]}`,
        ),
      400,
      'BODY_INVALID',
    ],
    [
      'a number for a root',
      () => request('PUT', '/api/documents/new', { 'Content-Type': 'application/json' }, '{"a":1}'),
      400,
      'BODY_INVALID',
    ],
    [
      'a type that nobody knows',
      () => request('PUT', '/api/documents/new', { 'Content-Type': 'text/csv' }, 'a,b'),
      400,
      'BODY_INVALID',
    ],
    [
      'an entity tag of ours for another document',
      () => patching(JSON_PATCH, value('1'), 'map', { 'If-Match': '"zz-1"' }),
      412,
      'EDIT_OUTDATED',
    ],
    [
      'what looks like an entity tag',
      () => patching(JSON_PATCH, value('1'), 'map', { 'If-Match': '"1-99999999999999999999"' }),
      412,
      'EDIT_OUTDATED',
    ],
    [
      'a key that is too long',
      () => patching(JSON_PATCH, value('1'), 'map', { 'Idempotency-Key': 'k'.repeat(256) }),
      400,
      'REQUEST_INVALID',
    ],
    [
      'a body with two lengths',
      () => patching(JSON_PATCH, value('1'), 'map', { 'Content-Length': '1', 'content-length': '2' }),
      400,
      'REQUEST_INVALID',
    ],
    [
      'a body with a length and in pieces',
      () => patching(JSON_PATCH, value('1'), 'map', { 'Transfer-Encoding': 'chunked' }),
      400,
      'REQUEST_INVALID',
    ],
    [
      'pieces whose length is none',
      () => `PATCH ${DOCUMENT}/content HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      'REQUEST_INVALID',
    ],
    [
      'headers that are too large',
      () => patching(JSON_PATCH, value('1'), 'map', { 'X-Large': 'x'.repeat(20_000) }),
      431,
      'REQUEST_INVALID',
    ],
    [
      'a header that is none',
      () => patching(JSON_PATCH, value('1'), 'map', { 'Bad Name': 'x' }),
      400,
      'REQUEST_INVALID',
    ],
    ['a body that is too large', () => patching(JSON_PATCH, value(`"${'x'.repeat(70_000)}"`)), 413, 'BODY_TOO_LARGE'],
    [
      'a body that becomes too large, piece by piece',
      () =>
        `PATCH ${DOCUMENT}/content HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${JSON_PATCH}\r\nTransfer-Encoding: chunked\r\n\r\n` +
        `4000\r\n${'x'.repeat(0x4000)}\r\n`.repeat(5),
      413,
      'BODY_TOO_LARGE',
    ],
    ['a body where none is taken', () => request('DELETE', DOCUMENT, {}, '{}'), 413, 'BODY_UNEXPECTED'],
    ['a host that is none', () => request('GET', DOCUMENT, { Host: 'a b' }), 400, 'REQUEST_INVALID'],
    ['a name with a backslash', () => request('GET', '/api/documents/a\\b', {}), 400, 'REQUEST_INVALID'],
    ['a name that is no UTF-8', () => request('GET', '/api/documents/%ff', {}), 404, 'DOCUMENT_MISSING'],
    ['a method that nothing takes', () => request('PURGE', DOCUMENT, {}), 404, 'NOT_FOUND'],
    ['a state vector that is none', () => request('GET', `${DOCUMENT}/update?since=____`, {}), 400, 'REQUEST_INVALID'],
    [
      'half a state vector',
      () => request('GET', `${DOCUMENT}/update?since=${'A'.repeat(3)}`, {}),
      400,
      'REQUEST_INVALID',
    ],
  ])('%s', async (_, said, status, code) => {
    const answer = await speak(release, url, said())
    const told = /"code":"([A-Z_]+)"/.exec(answer)?.[1]
    expect([answer.slice('HTTP/1.1 '.length, 'HTTP/1.1 '.length + 3), told]).toEqual([String(status), code])
  })
})

test('what is only odd is kept as it is', async () => {
  const api = documentsApi(url)
  const odd = '{"__proto__":{"x":1},"constructor":"c","":"empty","😀":"\\ud83d\\ude00"}'
  expect(await api.patch('odd', odd, '', { type: 'application/merge-patch+json' })).toMatchObject({ status: 204 })
  expect(JSON.stringify((await api.read('odd', '?root=content')).body)).toBe(JSON.stringify(JSON.parse(odd)))
  expect({}).not.toHaveProperty('x')
})
