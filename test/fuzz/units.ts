import * as Y from 'yjs'

/**
 * What updates say of each id, whatever structs they say it in: what it was inserted between and into, and its content.
 * A struct of several ids is to Yjs as many structs, of which each has the one before it as its origin.
 */
export function unitsIn(updates: readonly Uint8Array[]): Map<string, string> {
  const units = new Map<string, string>()
  for (const update of updates) {
    for (const struct of Y.decodeUpdate(update).structs) {
      const { client, clock } = struct.id
      // A run without content may be 2^32 ids long, and nothing cuts it.
      const count = hasContent(struct) ? struct.length : 1
      for (let offset = 0; offset < count; offset++) {
        units.set(`${client}:${clock + offset}`, unitOf(struct, offset))
      }
    }
  }
  return units
}

type Struct = Y.Item | Y.GC | Y.Skip

function hasContent(struct: Struct): boolean {
  return struct instanceof Y.Item && !(struct.content instanceof Y.ContentDeleted)
}

function unitOf(struct: Struct, offset: number): string {
  if (!(struct instanceof Y.Item)) return `${struct.constructor.name} of ${struct.length}`
  const { client, clock } = struct.id
  const origin = offset === 0 ? struct.origin : { client, clock: clock + offset - 1 }
  // A neighbour stands for the parent, too.
  const place = origin === null && struct.rightOrigin === null ? [struct.parent, struct.parentSub] : []
  return JSON.stringify([origin, struct.rightOrigin, ...place, ...contentOf(struct.content, offset)], writeBigInts)
}

function contentOf(content: Y.Item['content'], offset: number): unknown[] {
  if (content instanceof Y.ContentString) return ['string', content.str.charAt(offset)]
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
    return [content.constructor.name, typeof content.arr[offset], content.arr[offset]]
  }
  if (content instanceof Y.ContentType)
    return [content.type.constructor.name, 'nodeName' in content.type && content.type.nodeName]
  if (content instanceof Y.ContentDoc) return ['document', content.doc.guid, content.opts]
  if (content instanceof Y.ContentFormat) return ['format', content.key, content.value]
  if (content instanceof Y.ContentEmbed) return ['embed', content.embed]
  if (content instanceof Y.ContentBinary) return ['binary', ...content.content]
  return [content.constructor.name, content.getLength()]
}

function writeBigInts(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}
