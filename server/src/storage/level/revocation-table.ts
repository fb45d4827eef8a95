import type { Log } from '../../common/log.ts'
import type { RevocationStore, StoredRevocation } from '../revocation-store.ts'
import type { LevelContext } from './context.ts'
import type { Operation } from './database.ts'
import { REVOCATIONS, revocationKey, targetOf } from './keys.ts'
import { putRevocation, removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import { decodeTime, type RawRecord } from './records.ts'

export interface RevocationTableContext extends LevelContext {
  readonly log: Log
}

/** The revocations in a database. */
export class RevocationTable implements RevocationStore {
  readonly #context: RevocationTableContext

  constructor(context: RevocationTableContext) {
    this.#context = context
  }

  async loadRevocations(): Promise<readonly StoredRevocation[]> {
    this.#context.assertOpen()
    return this.#context.gate.run(() => this.#load())
  }

  async storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void> {
    this.#context.assertOpen()
    const operations = [
      ...forgotten.map((target) => removeKey(revocationKey(target))),
      ...revocations.map(putRevocation),
    ]
    return this.#context.gate.run(() => this.#context.database.write(operations))
  }

  /** Runs within the gate. */
  async #load(): Promise<readonly StoredRevocation[]> {
    const found = await this.#context.database.read((level) => readRange(level, REVOCATIONS))
    const revocations: StoredRevocation[] = []
    const damaged: RawRecord[] = []
    for (const record of found) {
      const time = decodeTime(record)
      if (time === undefined) damaged.push(record)
      else revocations.push({ target: targetOf(record.key), time })
    }
    if (damaged.length > 0) revocations.push(await this.#replace(damaged))
    return revocations.sort((a, b) => a.time - b.time)
  }

  async #replace(damaged: readonly RawRecord[]): Promise<StoredRevocation> {
    const { database, clock, log } = this.#context
    const everything = { target: null, time: clock.now() }
    const removals: Operation[] = damaged.map(({ key }) => removeKey(key))
    await database.write([...removals, putRevocation(everything)])
    log.error({ damaged: damaged.length }, 'revocations were damaged: all access that was granted before is taken back')
    return everything
  }
}
