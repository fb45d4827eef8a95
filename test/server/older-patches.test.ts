import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { z } from 'zod'
import { Mirror } from '../../server/src/content/mirror.ts'
import type { Operation } from '../../server/src/content/requests.ts'
import { documentsApi } from '../support/documents-api.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const release = onTestFinished
const NAME = 'shop'

interface Change {
  /** What is there when it is read. */
  readonly before: object
  /** What somebody else does then. */
  readonly meanwhile: (doc: Y.Doc) => void
  /** What is asked for with the ETag of what was read. */
  readonly patch: unknown
}

/** Resolves with the code that a change is refused with, or with what is there then. */
async function outcome({ before, meanwhile, patch }: Change): Promise<unknown> {
  const { server, url } = await startInProcess({ release })
  const api = documentsApi(url)
  await api.call('PUT', `api/documents/${NAME}`, { type: 'application/json', body: { root: before } })
  const { etag } = await api.read(NAME, '?root=root')
  await server.edit(NAME, meanwhile)
  const headers = { 'if-match': `"${etag}"` }
  const { status, code } = await api.patch(NAME, patch, '?root=root', { headers })
  if (status !== 204) return code
  return (await api.read(NAME, '?root=root')).body
}

const item = (name: string) => new Y.Map([['name', name]])
const list = (doc: Y.Doc) => doc.getArray<Y.Map<unknown>>('root')
const map = (doc: Y.Doc) => doc.getMap<unknown>('root')
const THREE = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]
const OUTDATED = 'EDIT_OUTDATED'

describe('a patch for what was read earlier', () => {
  test.each<[string, Change, unknown]>([
    [
      'finds an element where it is now, and so do its later operations',
      {
        before: THREE,
        meanwhile: (doc) => list(doc).insert(0, [item('new')]),
        patch: [
          { op: 'test', path: '/1/name', value: 'b' },
          { op: 'replace', path: '/1/name', value: 'B' },
          { op: 'remove', path: '/0' },
          { op: 'add', path: '/1', value: 'between' },
          { op: 'remove', path: '/2' },
        ],
      },
      [{ name: 'new' }, { name: 'B' }, 'between'],
    ],
    [
      'adds behind what is there now where it adds at the end, and where that was',
      {
        before: THREE,
        meanwhile: (doc) => list(doc).push([item('d')]),
        patch: [
          { op: 'add', path: '/-', value: 'end' },
          { op: 'replace', path: '/3', value: 'END' },
        ],
      },
      [...THREE, { name: 'd' }, 'END'],
    ],
    [
      'leaves alone what others wrote beside it',
      {
        before: { price: 1, stock: { left: 3 } },
        meanwhile: (doc) => map(doc).set('other', 1),
        patch: { price: 2, stock: { left: 2 } },
      },
      { price: 2, stock: { left: 2 }, other: 1 },
    ],
    [
      'takes away what is gone already',
      { before: { a: 1, b: 2 }, meanwhile: (doc) => map(doc).delete('a'), patch: { a: null, b: null } },
      {},
    ],
    [
      'is compared with what is there now',
      {
        before: [1, 2],
        meanwhile: (doc) => doc.getArray<number>('root').insert(0, [9]),
        patch: [{ op: 'test', path: '/0', value: 9 }],
      },
      'EDIT_CONFLICT',
    ],
    [
      'has no meaning where the element is gone',
      {
        before: THREE,
        meanwhile: (doc) => list(doc).delete(1),
        patch: [{ op: 'replace', path: '/1/name', value: 'B' }],
      },
      OUTDATED,
    ],
    [
      'does not overwrite what somebody else has put there',
      { before: { price: 1 }, meanwhile: (doc) => map(doc).set('price', 5), patch: { price: 2 } },
      OUTDATED,
    ],
    [
      'does not go on in something else that is there under the same key',
      {
        before: { item: { name: 'a' } },
        meanwhile: (doc) => map(doc).set('item', item('other')),
        patch: [{ op: 'add', path: '/item/price', value: 1 }],
      },
      OUTDATED,
    ],
    [
      'does not replace a root that somebody else has written to',
      {
        before: { a: { b: 1 } },
        meanwhile: (doc) => map(doc).set('c', 1),
        patch: [{ op: 'replace', path: '', value: {} }],
      },
      OUTDATED,
    ],
  ])('%s', async (_, change, expected) => {
    expect(await outcome(change)).toEqual(expected)
  })

  test('is carried over what the log still has, also where nobody had the document open since', async () => {
    const { server, url } = await startInProcess({ release })
    const api = documentsApi(url)
    const { etag } = await api.call('PUT', `api/documents/${NAME}`, {
      type: 'application/json',
      body: { root: ['a', 'b'] },
    })
    for (let round = 0; round < 3; round++) await server.edit(NAME, (doc) => doc.getArray('root').insert(0, [round]))
    const headers = { 'if-match': `"${etag}"` }
    const remove = [{ op: 'remove', path: '/0' }]
    expect(await api.patch(NAME, remove, '?root=root', { headers })).toMatchObject({ status: 204 })
    expect(await api.patch(NAME, remove, '?root=root', { headers })).toMatchObject({ status: 412, code: OUTDATED })
    expect(await api.read(NAME, '?root=root')).toMatchObject({ body: [2, 1, 0, 'b'] })
  })

  test('is known by the ETag that a change was answered with, whoever writes at the same time', async () => {
    const { server, url } = await startInProcess({ release })
    const api = documentsApi(url)
    let { etag } = await api.call('PUT', `api/documents/${NAME}`, {
      type: 'application/json',
      body: { root: ['mine'] },
    })
    for (let round = 0; round < 20; round++) {
      const others = server.edit(NAME, (doc) => doc.getArray('root').insert(0, [round]))
      const headers = { 'if-match': `"${etag}"` }
      const answer = await api.patch(NAME, [{ op: 'add', path: '/-', value: 'x' }], '?root=root', { headers })
      expect([round, answer.status]).toEqual([round, 204])
      etag = answer.etag
      await others
    }
    const { body } = await api.read(NAME, '?root=root')
    expect(body).toHaveLength(41)
  })
})

test('of random patches each does to what is left of what was seen what it would have done then', () => {
  for (let seed = 0; seed < runs(300); seed++) {
    const random = new Random(seed)
    const other = new Y.Doc()
    const array = other.getArray<number>('root')
    const start = Array.from({ length: random.below(8) }, (_, id) => id)
    array.push(start)
    const mirror = new Mirror(1)
    mirror.apply([{ update: Y.encodeStateAsUpdate(other), position: 1 }], true, true)
    const [added, gone] = [new Set<number>(), new Set<number>()]
    for (let position = 2; position < 2 + random.below(8); position++) {
      const before = Y.encodeStateVector(other)
      const at = random.below(array.length + 1)
      if (random.chance(0.6)) {
        array.insert(at, [100 + position])
        added.add(100 + position)
      } else if (at < array.length) {
        gone.add(array.get(at))
        array.delete(at)
      }
      mirror.apply([{ update: Y.encodeStateAsUpdate(other, before), position }], false, false)
    }
    const seen = [...start]
    let isOutdated = false
    const operations = Array.from({ length: 1 + random.below(6) }, (_, step): Operation => {
      const index = random.below(seen.length + 1)
      const value = 200 + step
      const op = index < seen.length ? random.pick(['add', 'remove', 'replace'] as const) : 'add'
      if (op !== 'add' && gone.has(seen[index])) isOutdated = true
      const path = `/${index === seen.length && random.chance(0.5) ? '-' : index}`
      if (op === 'add') seen.splice(index, 0, value)
      else if (op === 'remove') seen.splice(index, 1)
      else seen[index] = value
      return op === 'remove' ? { op, path } : { op, path, value }
    })
    const edit = () => mirror.edit({ kind: 'edit', root: 'root', seen: 1, changes: { as: 'json-patch', operations } })
    if (isOutdated) {
      expect(edit, `seed ${seed}`).toThrow(/gone/)
      continue
    }
    edit()
    const { body } = z.object({ body: z.string() }).parse(mirror.read({ kind: 'read', root: 'root', as: 'json' }))
    const present: number[] = JSON.parse(body) ?? []
    expect(
      present.filter((id) => !added.has(id)),
      `seed ${seed}`,
    ).toEqual(seen.filter((id) => !gone.has(id)))
    expect(new Set(present.filter((id) => added.has(id)))).toEqual(new Set([...added].filter((id) => !gone.has(id))))
  }
})
