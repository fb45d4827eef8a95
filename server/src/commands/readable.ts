import * as Y from 'yjs'
import { CoeditError } from '../common/errors.ts'

/** What tells of which type a root is. */
type Root = Pick<Y.AbstractType<never>, '_start' | '_map'>

/**
 * A shared text at the root of a document.
 * @throws CoeditError OPTION_INVALID where the document has none of this name
 */
export function textOf(update: Uint8Array, root: string): string {
  const doc = docOf(update)
  if (doc.share.has(root)) return doc.getText(root).toString()
  const names = [...doc.share.keys()].map((name) => `'${name}'`).join(', ')
  throw new CoeditError('OPTION_INVALID', `--root is '${root}': expected a shared type of the document: ${names}`)
}

/** All shared types at the root of a document, by name, as plain values; null for one without content. */
export function jsonOf(update: Uint8Array): Record<string, unknown> {
  const doc = docOf(update)
  return Object.fromEntries([...doc.share].map(([name, root]) => [name, plainValue(doc, name, root)]))
}

function docOf(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

/** An update does not say of which type a root is: that shows in what is in it. */
function plainValue(doc: Y.Doc, name: string, root: Root): unknown {
  const contents = contentsOf(root)
  if (contents.some(isText)) return doc.getText(name).toJSON()
  if (contents.some(isXml)) return doc.getXmlFragment(name).toJSON()
  if (contents.length > 0) return doc.getArray(name).toJSON()
  return root._map.size > 0 ? doc.getMap(name).toJSON() : null
}

/** What stands in the list of a type and is not deleted. */
function contentsOf(root: Root): Y.Item['content'][] {
  const contents: Y.Item['content'][] = []
  for (let item = root._start; item !== null; item = item.right) {
    if (!item.deleted) contents.push(item.content)
  }
  return contents
}

function isText(content: Y.Item['content']): boolean {
  return content instanceof Y.ContentString || content instanceof Y.ContentFormat || content instanceof Y.ContentEmbed
}

function isXml(content: Y.Item['content']): boolean {
  return content instanceof Y.ContentType && isXmlType(content.type)
}

function isXmlType(type: unknown): boolean {
  return type instanceof Y.XmlElement || type instanceof Y.XmlText || type instanceof Y.XmlHook
}
