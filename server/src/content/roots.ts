import * as Y from 'yjs'
import { conflict } from './refused.ts'
import type { Json, NewRoots } from './requests.ts'
import { isArray, jsonOf, sharedOf } from './values.ts'

/** The kinds of root types. What is stored does not name them: they are found out by what is inside. */
export type RootKind = 'text' | 'map' | 'array' | 'xml'

export type Root = Y.Text | Y.Map<unknown> | Y.Array<unknown> | Y.XmlFragment

/** The root types of a document. */
export class Roots {
  readonly #doc: Y.Doc
  /** Of those whose content has told it. */
  readonly #kinds = new Map<string, RootKind>()

  constructor(doc: Y.Doc) {
    this.#doc = doc
  }

  get names(): readonly string[] {
    return [...this.#doc.share.keys()]
  }

  /** Undefined where nothing was ever written, or all of it is gone so that nothing tells. */
  kindOf(name: string): RootKind | undefined {
    const known = this.#kinds.get(name)
    if (known) return known
    const type = this.#doc.share.get(name)
    const kind = type && kindByContent(type)
    if (kind) this.#kinds.set(name, kind)
    return kind
  }

  /** Whether there is, or was, something in it in an order. */
  hadElements(name: string): boolean {
    return Boolean(this.#doc.share.get(name)?._start)
  }

  find(name: string): Root | undefined {
    const kind = this.kindOf(name)
    return kind && this.#get(name, kind)
  }

  map(name: string): Y.Map<unknown> {
    this.#expect(name, 'map')
    return this.#doc.getMap(name)
  }

  array(name: string): Y.Array<unknown> {
    this.#expect(name, 'array')
    return this.#doc.getArray(name)
  }

  text(name: string): Y.Text {
    this.#expect(name, 'text')
    return this.#doc.getText(name)
  }

  /** Puts a value into a root type that is empty. */
  fill(name: string, value: NewRoots[string]): void {
    if (typeof value === 'string') this.text(name).insert(0, value)
    else if (isArray(value)) this.array(name).push(value.map(sharedOf))
    else for (const [key, inner] of Object.entries(value)) this.map(name).set(key, sharedOf(inner))
  }

  json(name: string): Json {
    const root = this.find(name)
    return root ? jsonOf(root) : null
  }

  #expect(name: string, expected: RootKind): void {
    const kind = this.kindOf(name)
    if (kind !== undefined && kind !== expected)
      throw conflict(`'${name}' is of the kind ${kind}, expected ${expected}`)
  }

  #get(name: string, kind: RootKind): Root {
    if (kind === 'text') return this.#doc.getText(name)
    if (kind === 'map') return this.#doc.getMap(name)
    return kind === 'array' ? this.#doc.getArray(name) : this.#doc.getXmlFragment(name)
  }
}

/** What Yjs has for a root type of which it does not know the kind. */
type Untyped = Pick<Y.Text, '_start' | '_map'>

function kindByContent(type: Untyped): RootKind | undefined {
  for (let item = type._start; item; item = item.right) {
    const kind = kindByItem(item)
    if (kind) return kind
  }
  return type._map.size > 0 ? 'map' : undefined
}

function kindByItem({ content }: Y.Item): RootKind | undefined {
  if (content instanceof Y.ContentDeleted) return undefined
  if (content instanceof Y.ContentString || content instanceof Y.ContentEmbed || content instanceof Y.ContentFormat) {
    return 'text'
  }
  return content instanceof Y.ContentType && isXml(content.type) ? 'xml' : 'array'
}

function isXml(type: unknown): boolean {
  return type instanceof Y.XmlFragment || type instanceof Y.XmlText || type instanceof Y.XmlHook
}
