import * as Y from 'yjs'
import { bytes } from '../support/bytes.ts'
import type { Random } from '../support/random.ts'
import { CRITICAL_NUMBERS } from './hostile-bytes.ts'

type Struct = Y.Item | Y.GC | Y.Skip
type Content = Y.Item['content']

/** Ranges of ids: the client, the first clock and the length. */
type Deletion = readonly [client: number, clock: number, length: number]

/** An update as it can be spoilt: structs by client in the order in which they will stand, and deletions. */
interface Draft {
  sections: Section[]
  deletions: Deletion[]
}

interface Section {
  readonly client: number
  readonly clock: number
  readonly structs: Struct[]
}

const NAMES = ['text', 'map', 'array', 'xml', '', '__proto__', 'constructor', 'a', 'b', '😀'] as const
/** Large enough to be no client that was recorded, small enough to stay an integer. */
const FIRST_INVENTED_CLIENT = 2 ** 40
const INVENTED_CLIENTS = 2 ** 31
/** How often an update is made so large that the server takes it piece by piece. */
const RARELY = 0.0005
const MANY_DELETIONS = 20_000

/** Makes updates that are well-formed for the most part, and mean what no honest client means. */
export class UpdateSpoiler {
  readonly #clocks: ReadonlyMap<number, number>
  readonly #clients: readonly number[]

  /** @param clocks the ids of the document that is attacked: clients, and how many ids each has */
  constructor(clocks: ReadonlyMap<number, number>) {
    this.#clocks = clocks
    this.#clients = [...clocks.keys()]
  }

  /** The same edits, most of the time by a client that nobody knows, spoilt in up to three places. */
  spoil(update: Uint8Array, random: Random): Uint8Array {
    const draft = read(update)
    if (random.chance(0.8)) this.#disown(draft, random)
    for (let ways = random.below(4); ways > 0; ways--) this.#spoilOnce(draft, random)
    if (random.chance(RARELY)) for (let i = 0; i < MANY_DELETIONS; i++) draft.deletions.push(this.#deletion(random))
    return write(random.chance(0.95) ? inOrder(draft) : draft)
  }

  #spoilOnce(draft: Draft, random: Random): void {
    const filled = draft.sections.filter(({ structs }) => structs.length > 0)
    const section = filled.length > 0 ? random.pick(filled) : undefined
    const choice = random.below(section ? 10 : 2)
    if (choice === 0) draft.deletions.push(this.#deletion(random))
    else if (choice === 1) draft.sections.push(this.#inventedSection(random))
    else if (choice === 2) draft.sections.reverse()
    else if (section) this.#spoilSection(draft, section, choice, random)
  }

  #spoilSection(draft: Draft, section: Section, choice: number, random: Random): void {
    const { structs } = section
    const at = random.below(structs.length)
    const struct = structs[at]
    if (choice === 3) structs.splice(at, 0, struct)
    else if (choice === 4) structs.splice(at, 1)
    else if (choice === 5) structs[at] = this.#run(section.client, random)
    else if (choice === 6) draft.sections.push({ ...section, clock: random.pick(CRITICAL_NUMBERS) })
    else if (struct instanceof Y.Item) this.#spoilItem(struct, choice, random)
  }

  #spoilItem(item: Y.Item, choice: number, random: Random): void {
    if (choice === 7) item.content = inventedContent(random)
    else if (choice === 8) {
      item.parent = random.chance(0.5) ? rootNamed(random.pick(NAMES)) : this.#id(random, item)
      item.parentSub = random.chance(0.5) ? random.pick(NAMES) : null
      if (random.chance(0.5)) item.origin = item.rightOrigin = null
    } else {
      if (random.chance(0.7)) item.origin = random.chance(0.2) ? null : this.#id(random, item)
      if (random.chance(0.7)) item.rightOrigin = random.chance(0.2) ? null : this.#id(random, item)
    }
  }

  /** Gives each section to an invented client, whose ids begin at 0; what its structs say of each other stays so. */
  #disown(draft: Draft, random: Random): void {
    draft.sections = draft.sections.map(({ client, clock, structs }) => {
      const invented = inventedClient(random)
      const renamed = (id: Y.ID | null) =>
        id?.client === client && id.clock >= clock ? Y.createID(invented, id.clock - clock) : id
      for (const item of structs) {
        if (!(item instanceof Y.Item)) continue
        item.origin = renamed(item.origin)
        item.rightOrigin = renamed(item.rightOrigin)
        if (item.parent instanceof Y.ID) item.parent = renamed(item.parent)
      }
      return { client: invented, clock: 0, structs }
    })
  }

  #inventedSection(random: Random): Section {
    const client = random.chance(0.5) ? inventedClient(random) : random.pick(this.#clients)
    const clock = random.chance(0.5) ? 0 : (this.#clocks.get(client) ?? 0)
    const structs: Struct[] = []
    let end = clock
    for (let left = 1 + random.below(5); left > 0; left--) {
      const id = Y.createID(client, end)
      const item = new Y.Item(id, null, null, null, null, rootNamed(random.pick(NAMES)), null, inventedContent(random))
      this.#spoilItem(item, 8 + random.below(2), random)
      structs.push(item)
      end += item.length
    }
    return { client, clock, structs }
  }

  /** A run of collected or skipped ids. */
  #run(client: number, random: Random): Struct {
    const length = random.chance(0.9) ? 1 + random.below(4) : random.pick(CRITICAL_NUMBERS)
    const id = Y.createID(client, 0)
    return random.chance(0.7) ? new Y.GC(id, length) : new Y.Skip(id, length)
  }

  #deletion(random: Random): Deletion {
    const { client, clock } = this.#knownId(random)
    const length = random.chance(0.95) ? random.below(20) : random.pick(CRITICAL_NUMBERS)
    return [client, clock, length]
  }

  /** An id of the document, or one that makes no sense: of the struct itself, behind it, of nobody. */
  #id(random: Random, { id }: Struct): Y.ID {
    const choice = random.below(10)
    if (choice === 0 && random.chance(0.2)) return Y.createID(id.client, id.clock + random.below(3))
    if (choice < 2) return Y.createID(id.client, Math.max(0, id.clock - 1 - random.below(3)))
    if (choice === 2) return Y.createID(inventedClient(random), random.below(3))
    return this.#knownId(random)
  }

  #knownId(random: Random): Y.ID {
    const client = random.pick(this.#clients)
    return Y.createID(client, random.below((this.#clocks.get(client) ?? 0) + 1))
  }
}

function rootNamed(name: string): Y.AbstractType<unknown> {
  return ROOTS.get(name)
}

function inventedClient(random: Random): number {
  return FIRST_INVENTED_CLIENT + random.below(INVENTED_CLIENTS)
}

function inventedContent(random: Random): Content {
  if (random.chance(RARELY)) return new Y.ContentString('large é😀'.repeat(6_000))
  const name = random.pick(NAMES)
  const length = random.chance(0.98) ? 1 + random.below(3) : 0
  return random.pick<() => Content>([
    () => new Y.ContentString('😀x漢'.slice(0, length)),
    () => new Y.ContentAny([name, JSON.parse('{"__proto__":null}'), [[[length]]]].slice(0, length)),
    () => new Y.ContentJSON([name, undefined, { a: length }].slice(0, length)),
    () => new Y.ContentDeleted(length),
    () => new Y.ContentBinary(bytes(name)),
    () => new Y.ContentEmbed({ [name]: length }),
    () => new Y.ContentFormat(name, random.pick(['true', 'null', '{}'])),
    () => new Y.ContentType(random.pick(TYPES)(name)),
    () => new Y.ContentDoc(random.pick(SUBDOCUMENTS)),
  ])()
}

/** Where Yjs finds a root type's name when it writes an item of it. */
const ROOTS = new Y.Doc()

/** Made once: a Y.Doc takes random numbers from the system. */
const SUBDOCUMENTS = NAMES.map((guid, index) => new Y.Doc({ guid, autoLoad: index % 2 === 0 }))

const TYPES = [
  () => new Y.Text(),
  () => new Y.Map<unknown>(),
  () => new Y.Array<unknown>(),
  () => new Y.XmlFragment(),
  (name: string) => new Y.XmlElement(name),
  (name: string) => new Y.XmlHook(name),
  () => new Y.XmlText(),
]

function read(update: Uint8Array): Draft {
  const { structs, ds } = Y.decodeUpdate(update)
  const sections: Section[] = []
  for (const struct of structs) {
    const section = sections.at(-1)
    const { client, clock } = struct.id
    if (section?.client === client) section.structs.push(struct)
    else sections.push({ client, clock, structs: [struct] })
  }
  const deletions = [...ds.clients].flatMap(([client, ranges]) =>
    ranges.map(({ clock, len }): Deletion => [client, clock, len]),
  )
  return { sections, deletions }
}

/** As the scanner demands it, each client once: else most updates would be refused for this alone. */
function inOrder({ sections, deletions }: Draft): Draft {
  const byClient = new Map(
    sections.filter(({ structs }) => structs.length > 0).map((section) => [section.client, section]),
  )
  return { sections: [...byClient.values()].sort((a, b) => b.client - a.client), deletions }
}

function write({ sections, deletions }: Draft): Uint8Array {
  const written = sections.map(({ client, clock, structs }) => {
    const encoder = new Y.UpdateEncoderV1()
    for (const struct of structs) {
      if (struct instanceof Y.Item) placeSomewhere(struct)
      struct.write(encoder, 0)
    }
    return bytes(structs.length, client, clock, encoder.toUint8Array())
  })
  const deleted = deletions.flatMap(([client, clock, length]) => [client, 1, clock, length])
  return bytes(sections.length, ...written, deletions.length, ...deleted)
}

/** Yjs does not write an item that has neither neighbours nor a parent. */
function placeSomewhere(item: Y.Item): void {
  if (item.origin === null && item.rightOrigin === null) item.parent ??= rootNamed('text')
}
