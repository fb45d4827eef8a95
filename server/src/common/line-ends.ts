import type * as Y from 'yjs'

/**
 * Makes each `\r\n` and each `\r` one `\n`, in the texts into which such were written since these clocks, by client id.
 * Editors such as CodeMirror and Monaco count `\r\n` as one character, where Yjs has two. Returns how many there were.
 */
export function normalizeLineEnds(yjs: typeof Y, doc: Y.Doc, since: ReadonlyMap<number, number>): number {
  const texts = new Set<Y.Text>()
  for (const [client, structs] of doc.store.clients) {
    const before = since.get(client) ?? 0
    for (const struct of structs) {
      if (struct.id.clock + struct.length <= before || !(struct instanceof yjs.Item)) continue
      const { content, parent } = struct
      if (!(content instanceof yjs.ContentString) || !content.str.includes('\r')) continue
      const text = textOf(yjs, doc, parent)
      if (text) texts.add(text)
    }
  }
  let changed = 0
  for (const text of texts) changed += normalize(text)
  return changed
}

/**
 * A root that came in an update has no kind until somebody asks for it by its name. Undefined where a vandal has put a
 * string into what is no text.
 */
function textOf(yjs: typeof Y, doc: Y.Doc, parent: Y.Item['parent']): Y.Text | undefined {
  if (parent instanceof yjs.Text) return parent
  for (const [name, type] of doc.share) {
    if (type === parent && type.constructor === yjs.AbstractType) return doc.getText(name)
  }
  return undefined
}

/** What stands in a text in a row, formatted alike. */
interface Run {
  readonly insert: unknown
  readonly attributes?: object
}

/** All in one pass: each `delete` of Yjs looks for its place from the beginning of the text. */
function normalize(text: Y.Text): number {
  const runs: readonly Run[] = text.toDelta()
  const changes: object[] = []
  let changed = 0
  let kept = 0
  for (const [number, { insert, attributes = {} }] of runs.entries()) {
    const run = charactersOf(insert)
    let done = 0
    for (const { index } of run.matchAll(/\r/g)) {
      const next = run[index + 1] ?? charactersOf(runs[number + 1]?.insert ?? '')[0]
      changes.push({ retain: kept + index - done }, ...(next === '\n' ? [] : [{ insert: '\n', attributes }]), {
        delete: 1,
      })
      changed++
      kept = 0
      done = index + 1
    }
    kept += run.length - done
  }
  if (changed > 0) text.applyDelta(changes)
  return changed
}

/** What is embedded counts as one. */
function charactersOf(insert: unknown): string {
  return typeof insert === 'string' ? insert : '\uFFFC'
}
