import type * as Y from 'yjs'

/**
 * Makes each `\r\n` and each `\r` one `\n`, in the texts into which such were written since these clocks, by client id.
 * Editors such as CodeMirror and Monaco count `\r\n` as one character, where Yjs has two.
 */
export function normalizeLineEnds(yjs: typeof Y, doc: Y.Doc, since: ReadonlyMap<number, number>): void {
  const texts = new Set<Y.Text>()
  for (const [client, structs] of doc.store.clients) {
    const before = since.get(client) ?? 0
    for (const struct of structs) {
      if (struct.id.clock + struct.length <= before || !(struct instanceof yjs.Item)) continue
      const { content, parent } = struct
      if (content instanceof yjs.ContentString && content.str.includes('\r')) texts.add(textOf(yjs, doc, parent))
    }
  }
  for (const text of texts) normalize(text)
}

/** A root that came in an update has no kind until somebody asks for it by its name. */
function textOf(yjs: typeof Y, doc: Y.Doc, parent: Y.Item['parent']): Y.Text {
  if (parent instanceof yjs.Text) return parent
  for (const [name, type] of doc.share) if (type === parent) return doc.getText(name)
  throw new TypeError('a string is in no text')
}

function normalize(text: Y.Text): void {
  const written = text
    .toDelta()
    .map(({ insert }: { insert: unknown }) => (typeof insert === 'string' ? insert : '\uFFFC'))
  const ends: RegExpExecArray[] = [...written.join('').matchAll(/\r\n?/g)]
  // From the end, so that what is still to be changed keeps its place.
  for (const { index, 0: end } of ends.reverse()) {
    if (end === '\r') text.insert(index + 1, '\n')
    text.delete(index, 1)
  }
}
