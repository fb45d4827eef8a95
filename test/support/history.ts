import { expect, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import type { ServerOptions } from '../../server/src/index.ts'
import { documentsApi } from './documents-api.ts'
import { contentOf, docOf, Editor } from './editing.ts'
import { startInProcess } from './in-process-server.ts'
import type { ManualClock } from './manual-clock.ts'
import { Random } from './random.ts'

/** The document that these tests are about. */
export const NAME = 'team/notes'
export const MINUTE = 60_000
/** Ten entries are compacted at once. */
export const EAGER = { compactMaxEntries: 10, compactIntervalMs: 0 } satisfies ServerOptions

/** Starts a server, whose test ends it. */
export async function start(options: ServerOptions = {}, clock?: ManualClock) {
  const { server, url, data, logged, lines } = await startInProcess({
    release: onTestFinished,
    options,
    ...(clock && { clock }),
  })
  return { server, url, data, logged, lines, clock, api: documentsApi(url) }
}

export type Started = Awaited<ReturnType<typeof start>>

/** A group of the timeline, as the API tells it. */
export interface TimelineGroup {
  readonly author: { readonly name: string; readonly claimed: boolean } | null
  readonly first: number
  readonly last: number
  readonly since: string
  readonly until: string
  readonly entries: number
}

/** A page of it. */
export interface Timeline {
  readonly groups: readonly TimelineGroup[]
  readonly next?: number
}

/** What the API tells of the past of a document. */
export function past({ api }: Pick<Started, 'api'>, name = NAME) {
  const at = (rest: string) => `api/documents/${encodeURIComponent(name)}/history${rest}`
  return {
    timeline: async (query = ''): Promise<Timeline> => {
      const { status, body } = await api.call('GET', at(query))
      expect(status).toBe(200)
      return body as Timeline
    },
    content: (moment: number | string, query = '') =>
      api.call('GET', at(`/content?at=${encodeURIComponent(moment)}${query}`)),
    update: (moment: number | string) => api.call('GET', at(`/update?at=${encodeURIComponent(moment)}`)),
    changes: (from: number, to: number, query: string) => api.call('GET', at(`/changes?from=${from}&to=${to}${query}`)),
    restore: (body: object, headers = {}) =>
      api.call('POST', at('/restore'), { type: 'application/json', body, headers }),
  }
}

/** Edits with everything that Yjs has, each of which is an entry, and what the document was after each. */
export async function edited(started: Started, seed: number, count: number) {
  const doc = docOf()
  const editor = new Editor(doc, new Random(seed))
  const versions = [contentOf(doc)]
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  while (versions.length <= count) {
    editor.edit()
    if (updates.length === 0) continue
    const update = Y.mergeUpdates(updates.splice(0))
    const { status, etag = '' } = await started.api.postUpdate(NAME, update)
    expect(status).toBe(204)
    // An undo may change nothing.
    if (Number(etag.split('-')[1]) !== versions.length) continue
    versions.push(contentOf(doc))
    if (versions.length % 12 === 0) await started.logged('compacted a document', versions.length / 12)
  }
  return versions
}

/** Resolves when a root is this text. */
export async function textIs(api: Started['api'], expected: string, root = 'text'): Promise<void> {
  let body: unknown
  while (body !== expected) ({ body } = await api.read(NAME, `?root=${root}&as=text`))
}
