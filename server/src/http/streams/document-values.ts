import { CoeditError } from '../../common/errors.ts'
import { Serial } from '../../common/serial.ts'
import type { Contents } from '../../content/contents.ts'
import type { WatchedRoot } from '../../content/requests.ts'
import { cursorId } from '../../document/cursor-id.ts'
import type { Place } from '../../document/in-process.ts'

/** So many are read at a time, however many begin to follow. */
const MAX_READING = 4

/** The value of one root of a document, as all who are told of it are sent it, but for the id of the event. */
export interface DocumentValue extends Place {
  readonly bytes: Uint8Array
}

/** Values of many documents, each read and encoded once for all who are sent it. */
export class DocumentValues {
  readonly #contents: Contents
  /** A value is kept while somebody is being sent it. */
  readonly #made = new Map<string, WeakRef<DocumentValue>>()
  readonly #forgotten = new FinalizationRegistry<string>((key) => {
    if (!this.#made.get(key)?.deref()) this.#made.delete(key)
  })
  readonly #reading = new Map<string, Promise<DocumentValue>>()
  readonly #lanes = Array.from({ length: MAX_READING }, () => new Serial())
  #nextLane = 0

  constructor(contents: Contents) {
    this.#contents = contents
  }

  /** The value as it is at a place, or later; or why it cannot be read. */
  async at(document: string, root: WatchedRoot, place: Place): Promise<DocumentValue> {
    const key = JSON.stringify([document, root.as, root.root])
    const isRecent = (value: DocumentValue) =>
      value.incarnation === place.incarnation && value.position >= place.position
    const made = this.#made.get(key)?.deref()
    if (made && isRecent(made)) return made
    const value = await this.#reading.get(key)
    if (value && isRecent(value)) return value
    const reading = this.#reading.get(key) ?? this.#read(key, () => this.#valueOf(document, root, place))
    return reading
  }

  #read(key: string, read: () => Promise<DocumentValue>): Promise<DocumentValue> {
    const lane = this.#lanes[this.#nextLane++ % MAX_READING] ?? new Serial()
    const reading = lane.run(read).finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    return reading.then((value) => {
      this.#made.set(key, new WeakRef(value))
      this.#forgotten.register(value, key)
      return value
    })
  }

  async #valueOf(document: string, root: WatchedRoot, place: Place): Promise<DocumentValue> {
    const name = JSON.stringify(document)
    try {
      const { body, ...at } = await this.#contents.read(document, root)
      const value = root.as === 'text' ? JSON.stringify(body) : body
      return { ...at, bytes: Buffer.from(`data: {"document":${name},"cursor":"${cursorId(at)}","value":${value}}\n`) }
    } catch (error) {
      if (!(error instanceof CoeditError)) throw error
      const refusal = `event: refused\ndata: {"document":${name},"code":"${error.code}"}\n`
      return { ...place, bytes: Buffer.from(refusal) }
    }
  }
}
