import type { Log } from '../../common/log.ts'
import { Recent } from '../../common/recent.ts'
import type { Serial } from '../../common/serial.ts'
import type { Clock } from '../../common/timing.ts'
import type { Database } from './database.ts'
import { nameKey } from './keys.ts'
import type { Layout } from './layout.ts'
import { type Position, readId, readLayout, readPosition, searchId } from './lookup.ts'
import { putName, removeKey, repair } from './operations.ts'
import { headOf } from './stored.ts'

/** Positions of documents kept in memory, about 200 bytes each; the others are looked up when they are written. */
const MAX_POSITIONS = 10_000

export interface DocumentTableContext {
  readonly database: Database
  /** What every write passes through, one at a time. */
  readonly gate: Serial
  readonly clock: Clock
  readonly log: Log
  /** A number that no earlier incarnation of the document had. */
  readonly newIncarnation: () => number
}

/** Finds documents. Of one that is damaged, it makes the intact part the document. */
export class DocumentTable {
  readonly #context: DocumentTableContext
  readonly #positions = new Recent<string, Position>(MAX_POSITIONS)
  #damagedRecords = 0

  constructor(context: DocumentTableContext) {
    this.#context = context
  }

  /** How many records were found damaged. */
  get damagedRecords(): number {
    return this.#damagedRecords
  }

  /** A document; undefined where it does not exist. */
  async find(document: string): Promise<Layout | undefined> {
    const { database, gate } = this.#context
    const id = await database.read((level) => readId(level, document))
    if (id === 'absent') return undefined
    const layout = id === 'damaged' ? id : await this.#read(id, document)
    const isDamaged = layout === 'damaged' || layout?.isIntact === false
    return isDamaged ? (await gate.run(() => this.#repair(document)))?.layout : layout
  }

  /** Where a document is; undefined where it does not exist. Repairs what is damaged, hence within the gate. */
  async locate(document: string): Promise<Position | undefined> {
    const known = this.#positions.get(document)
    if (known) return known
    const position = await this.#context.database.read((level) => readPosition(level, document))
    if (!position) return (await this.#repair(document))?.position
    this.#positions.set(document, position)
    return position
  }

  /** The same outside of the gate. */
  async positionOf(document: string): Promise<Position | undefined> {
    return this.#positions.get(document) ?? this.#context.gate.run(() => this.locate(document))
  }

  /** Takes over where a document is, as it was written. */
  moved(document: string, position: Position): void {
    this.#positions.set(document, position)
  }

  /** To be called when a document was removed. */
  removed(document: string): void {
    this.#positions.delete(document)
  }

  #read(id: number, document: string): Promise<Layout | undefined> {
    const { database, clock } = this.#context
    return database.read((level) => readLayout(level, id, document, clock.now()))
  }

  /** Makes the intact part of a document the document, within the gate. Undefined where there is none. */
  async #repair(document: string): Promise<{ readonly position: Position; readonly layout: Layout } | undefined> {
    this.#positions.delete(document)
    const id = await this.#repairName(document)
    if (id === undefined) return undefined
    const layout = await this.#read(id, document)
    if (!layout) return undefined
    if (layout.isIntact) return { position: positionIn(id, layout), layout }
    this.#reportDamage(document, layout)
    await this.#context.database.write(repair(id, layout, this.#context.newIncarnation()))
    const repaired = (await this.#read(id, document)) ?? layout
    const position = positionIn(id, repaired)
    this.#positions.set(document, position)
    return { position, layout: repaired }
  }

  /** The id of a document; where its name record is damaged it is found by the document's metadata. */
  async #repairName(document: string): Promise<number | undefined> {
    const { database, log } = this.#context
    const id = await database.read((level) => readId(level, document))
    if (id === 'absent') return undefined
    if (id !== 'damaged') return id
    const found = await database.read((level) => searchId(level, document))
    this.#damagedRecords += 1
    log.error({ document, id: found }, 'the name record of a document was damaged')
    await database.write([found === undefined ? removeKey(nameKey(document)) : putName(document, found)])
    return found
  }

  #reportDamage(document: string, { damaged, cutOff, metadata }: Layout): void {
    this.#damagedRecords += damaged.length + cutOff.length
    const facts = { document, damaged: damaged.length, cutOff: cutOff.length, snapshotSeq: metadata.snapshotSeq }
    this.#context.log.error(facts, 'a document is damaged: its intact part is served, what follows is quarantined')
  }
}

function positionIn(id: number, layout: Layout): Position {
  return { id, incarnation: layout.metadata.incarnation, head: headOf(layout) }
}
