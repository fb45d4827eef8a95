import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { fileWith } from '../support/files.ts'
import type { Random } from '../support/random.ts'
import { type Release, temporaryDirectory } from '../support/temporary.ts'
import { DirectoryReader, type ReadDocument } from './directory-reader.ts'

const DOCUMENTS = ['one', 'two', 'three']
const LARGEST_UPDATE = 2_000

/** An entry that the storage has acknowledged. */
interface Acknowledged {
  readonly document: string
  readonly update: Buffer
  /** Of the log when it was acknowledged. */
  readonly logBytes: number
}

/** What a storage serves of a damaged directory. `wrong` is what never was written so, in words. */
export type Served =
  | { readonly heads: ReadonlyMap<string, number>; readonly wrong: readonly string[]; readonly isReported: boolean }
  | { readonly code: string }
  | 'aborted'

/** A LevelDB directory, and from outside of it what was acknowledged in which order. */
export class WrittenLog {
  readonly directory: string
  readonly acknowledged: readonly Acknowledged[]

  readonly #reader: DirectoryReader

  private constructor(directory: string, acknowledged: readonly Acknowledged[], reader: DirectoryReader) {
    this.directory = directory
    this.acknowledged = acknowledged
    this.#reader = reader
  }

  /** Writes until the log has at least `bytes`, which must be below the 4 MiB at which LevelDB begins another. */
  static async write(release: Release, random: Random, bytes: number): Promise<WrittenLog> {
    const directory = join(await temporaryDirectory(release), 'data')
    const acknowledged: Acknowledged[] = []
    const storage = new LevelStorage({ directory })
    await storage.open()
    const log = await fileWith(directory, '.log')
    for (let logBytes = 0; logBytes < bytes; ) {
      const document = random.pick(DOCUMENTS)
      const update = randomBytes(1 + random.below(LARGEST_UPDATE))
      const base = acknowledged.filter((entry) => entry.document === document).length
      await storage.append([{ document, update, base }])
      logBytes = (await stat(log)).size
      acknowledged.push({ document, update, logBytes })
    }
    await storage.close()
    return new WrittenLog(directory, acknowledged, new DirectoryReader(release))
  }

  /** Brings what is in the log into a table, as the next start of a server does. */
  async settle(): Promise<void> {
    const storage = new LevelStorage({ directory: this.directory })
    await storage.open()
    await storage.close()
  }

  /** How many entries of each document were acknowledged while the log was at most so long. */
  headsAt(logBytes = Number.POSITIVE_INFINITY): ReadonlyMap<string, number> {
    const before = this.acknowledged.filter((entry) => entry.logBytes <= logBytes)
    return new Map(DOCUMENTS.map((name) => [name, before.filter(({ document }) => document === name).length]))
  }

  /** What a storage serves of a copy of the directory, after `damage` was done to it. */
  async servedAfter(damage: (directory: string) => Promise<void>): Promise<Served> {
    const parent = await mkdtemp(join(dirname(this.directory), 'copy-'))
    const copy = join(parent, 'data')
    try {
      await cp(this.directory, copy, { recursive: true })
      await damage(copy)
      return await this.#servedIn(copy)
    } finally {
      await rm(parent, { recursive: true })
    }
  }

  async #servedIn(directory: string): Promise<Served> {
    const read = await this.#reader.read(directory)
    if (read.outcome === 'aborted') return 'aborted'
    if (read.outcome === 'refused') return { code: read.code }
    const heads = new Map(read.documents.map(({ document, head }) => [document, head]))
    return { heads, wrong: read.documents.flatMap((document) => this.#wrongIn(document)), isReported: read.isReported }
  }

  #wrongIn({ document, head, updates, next }: ReadDocument): string[] {
    const written = this.acknowledged.filter((entry) => entry.document === document)
    const isPrefix = updates.length === head && updates.every((update, index) => written[index]?.update.equals(update))
    return [
      ...(isPrefix ? [] : [`'${document}' is not how it was written`]),
      ...(next === head + 1 ? [] : [`'${document}' goes on at ${next} after ${head}`]),
    ]
  }
}
