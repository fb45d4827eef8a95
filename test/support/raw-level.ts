import { Level } from 'level'

export interface RawRecord {
  readonly key: Buffer
  readonly value: Buffer
}

/** The records of a LevelDB directory that nobody has open, past every check of the storage. */
export class RawLevel {
  readonly #level: Level<Buffer, Buffer>

  private constructor(level: Level<Buffer, Buffer>) {
    this.#level = level
  }

  static async use<T>(directory: string, action: (raw: RawLevel) => Promise<T>): Promise<T> {
    const level = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await level.open()
    try {
      return await action(new RawLevel(level))
    } finally {
      await level.close()
    }
  }

  async records(): Promise<RawRecord[]> {
    return (await this.#level.iterator().all()).map(([key, value]) => ({ key, value }))
  }

  async get(key: Uint8Array): Promise<Buffer> {
    const value = await this.#level.get(Buffer.from(key))
    if (!value) throw new Error(`no record under ${Buffer.from(key).toString('hex')}`)
    return value
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.#level.put(Buffer.from(key), Buffer.from(value))
  }

  async remove(key: Uint8Array): Promise<void> {
    await this.#level.del(Buffer.from(key))
  }

  /** Flips one bit of a record's value; the byte counts from the end where it is negative. */
  async flip(key: Uint8Array, byte = -1): Promise<Buffer> {
    const value = await this.get(key)
    const index = byte < 0 ? value.length + byte : byte
    value[index] ^= 1
    await this.put(key, value)
    return value
  }
}
