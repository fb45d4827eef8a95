import * as Y from 'yjs'
import { pointerOf } from './pointer.ts'
import type { Json, Operation } from './requests.ts'
import { fates, type RootWatch } from './root-watch.ts'
import type { Root, Roots } from './roots.ts'
import { jsonOf } from './values.ts'

/** A step with more operations is told as one that replaces everything. */
const MAX_OPERATIONS = 1_000

type Path = readonly (string | number)[]
type DeepEvent = Y.YEvent<Y.AbstractType<unknown>>

/** Notes the changes of a root as operations on what it is as JSON. Of a text inside, all is told anew. */
export class JsonWatch implements RootWatch {
  readonly isUnfit = false
  readonly #roots: Roots
  readonly #name: string
  #root: Root | undefined
  #operations: Operation[] = []
  #isReplaced = false

  constructor(roots: Roots, name: string) {
    this.#roots = roots
    this.#name = name
    this.#find()
  }

  take(): readonly Operation[] {
    if (this.#find()) this.#isReplaced = true
    const operations = this.#isReplaced ? [this.#replacement()] : this.#operations
    this.#operations = []
    this.#isReplaced = false
    return operations
  }

  end(): void {
    this.#root?.unobserveDeep(this.#note)
  }

  /** Tells whether it was found out just now what the root is. */
  #find(): boolean {
    if (this.#root) return false
    this.#root = this.#roots.find(this.#name)
    this.#root?.observeDeep(this.#note)
    return this.#root !== undefined
  }

  #replacement(): Operation {
    return { op: 'replace', path: '', value: this.#roots.json(this.#name) }
  }

  /** Events come in the order of their depth: what is above a place is final before the place is told. */
  readonly #note = (events: readonly DeepEvent[]): void => {
    const told = new Set<unknown>()
    for (const event of events) {
      if (this.#isReplaced) return
      const { path, value } = placeOf(event)
      if (path.length === 0 && !isContainer(value)) this.#isReplaced = true
      else if (isContainer(value)) this.#operations.push(...operationsOf(event, path))
      else if (!told.has(value)) this.#operations.push({ op: 'replace', path: pointerOf(path), value: jsonOf(value) })
      told.add(value)
      if (this.#operations.length > MAX_OPERATIONS) this.#isReplaced = true
    }
  }
}

/** What an event is about: its target, or the text or XML around it, of which JSON has no parts. */
function placeOf({ target, currentTarget, path }: DeepEvent): { readonly path: Path; readonly value: unknown } {
  const line: unknown[] = []
  for (let type: unknown = target; type instanceof Y.AbstractType; type = type._item?.parent) {
    line.unshift(type)
    if (type === currentTarget) break
  }
  const depth = line.findIndex((type) => !isContainer(type))
  return depth < 0 ? { path, value: target } : { path: path.slice(0, depth), value: line[depth] }
}

function isContainer(type: unknown): boolean {
  return type instanceof Y.Map || type instanceof Y.Array
}

function operationsOf(event: DeepEvent, path: Path): Operation[] {
  const { target } = event
  return target instanceof Y.Map ? ofMap(target, event, path) : ofArray(event, path)
}

function ofMap(map: Y.Map<unknown>, { keys }: DeepEvent, path: Path): Operation[] {
  return [...keys].map(([key, { action }]) => {
    const place = pointerOf([...path, key])
    if (action === 'delete') return { op: 'remove', path: place }
    return { op: action === 'add' ? 'add' : 'replace', path: place, value: jsonOf(map.get(key)) }
  })
}

function ofArray(event: DeepEvent, path: Path): Operation[] {
  const operations: Operation[] = []
  let index = 0
  for (const [item, fate] of fates(event.target, event)) {
    if (!item.countable) continue
    if (fate === 'kept') index += item.length
    else if (fate === 'gone') {
      for (let left = item.length; left > 0; left--)
        operations.push({ op: 'remove', path: pointerOf([...path, index]) })
    } else {
      for (const value of valuesOf(item)) {
        operations.push({ op: 'add', path: pointerOf([...path, index++]), value })
      }
    }
  }
  return operations
}

function valuesOf({ content }: Y.Item): readonly Json[] {
  return content.getContent().map(jsonOf)
}
