import { crc32 } from 'node:zlib'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { entryKey, FORMAT_KEY, revocationKey } from '../../server/src/storage/level/keys.ts'
import { encodeNumber } from '../../server/src/storage/level/records.ts'
import type { LevelDocument } from '../../server/src/storage/level/stored.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { RawLevel } from '../support/raw-level.ts'
import { openRecorded } from '../support/recorded-storage.ts'
import { inLaterOpening } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'

let directory: string

beforeEach(async () => {
  directory = await temporaryDirectory(onTestFinished)
})

function open() {
  return openRecorded(directory, onTestFinished)
}

/** Writes 'doc' with one entry. */
async function write(): Promise<LevelDocument> {
  const { storage } = await open()
  await storage.append([{ document: 'doc', update: Buffer.from('entry'), base: 0 }])
  const stored = await storage.load('doc')
  await storage.close()
  return stored
}

function damage<T>(action: (raw: RawLevel) => Promise<T>): Promise<T> {
  return RawLevel.use(directory, action)
}

describe('a damaged revocation', () => {
  const [ada, eve] = ['ada', 'eve'].map((target, index) => ({ target, time: 1_000 + index }))

  async function revoke(): Promise<void> {
    const { storage } = await open()
    await storage.revocations.storeRevocations([ada, eve], [])
    await storage.close()
  }

  test('becomes one of everything until now, once', async () => {
    await revoke()
    await damage((raw) => raw.flip(revocationKey('ada')))
    const { storage, errors } = await open()
    const everything = { target: null, time: new ManualClock().now() }
    for (const _ of ['at first', 'again'])
      expect(await storage.revocations.loadRevocations()).toEqual([eve, everything])
    expect(errors()).toHaveLength(1)
    await storage.close()
    const reopened = await open()
    expect(await reopened.storage.revocations.loadRevocations()).toEqual([eve, everything])
    expect(reopened.errors()).toEqual([])
  })

  test('is known by its key, too', async () => {
    await revoke()
    await damage(async (raw) => {
      await raw.put(revocationKey('somebody else'), await raw.get(revocationKey('ada')))
      await raw.remove(revocationKey('ada'))
    })
    const { storage } = await open()
    expect(await storage.revocations.loadRevocations()).toEqual([eve, { target: null, time: new ManualClock().now() }])
  })

  test('of everything stays one', async () => {
    const { storage } = await open()
    await storage.revocations.storeRevocations([{ target: null, time: 5 }], [])
    await storage.close()
    await damage((raw) => raw.flip(revocationKey(null)))
    const reopened = await open()
    expect(await reopened.storage.revocations.loadRevocations()).toEqual([
      { target: null, time: new ManualClock().now() },
    ])
  })
})

describe('the format version', () => {
  test('a newer one is refused with STORAGE_VERSION, and the directory stays usable to the newer program', async () => {
    await write()
    await damage((raw) => raw.put(FORMAT_KEY, encodeNumber(FORMAT_KEY, 3)))
    await expect(open()).rejects.toMatchObject({
      code: 'STORAGE_VERSION',
      message: expect.stringContaining(directory),
    })
    await damage((raw) => raw.put(FORMAT_KEY, encodeNumber(FORMAT_KEY, 2)))
    const { storage } = await open()
    expect((await storage.load('doc')).head).toBe(1)
  })

  test('what the first one wrote is read as it is, and becomes the present one', async () => {
    await write()
    // 4 bytes of CRC, 6 of the time, and the update: nobody is named.
    const record = Buffer.from('000000000000000003e8616e7920757064617465', 'hex')
    const key = entryKey(1, 2)
    record.writeUInt32BE(crc32(record.subarray(4), crc32(key)))
    await damage(async (raw) => {
      await raw.put(key, record)
      await raw.put(FORMAT_KEY, encodeNumber(FORMAT_KEY, 1))
    })
    const { storage } = await open()
    const { tail } = await storage.history.loadDated('doc')
    expect(tail[1]).toEqual({
      seq: 2,
      time: 1000,
      authors: Uint8Array.of(),
      update: new Uint8Array(Buffer.from('any update')),
    })
    await storage.close()
    expect(await damage((raw) => raw.get(FORMAT_KEY))).toEqual(encodeNumber(FORMAT_KEY, 2))
  })

  test('its record may be damaged', async () => {
    const before = await write()
    await damage((raw) => raw.flip(FORMAT_KEY))
    const { storage, errors } = await open()
    expect(await storage.load('doc')).toEqual(inLaterOpening(before))
    expect(errors()).toHaveLength(1)
  })

  test('its record may be damaged where there are only revocations', async () => {
    const { storage } = await open()
    await storage.revocations.storeRevocations([{ target: 'ada', time: 5 }], [])
    await storage.close()
    await damage((raw) => raw.flip(FORMAT_KEY))
    const reopened = await open()
    expect(await reopened.storage.revocations.loadRevocations()).toEqual([{ target: 'ada', time: 5 }])
  })

  test('the database of another program is refused with STORAGE_DAMAGED and not touched', async () => {
    await damage((raw) => raw.put(Buffer.from('some key'), Buffer.from('some value')))
    await expect(open()).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' })
    const records = await damage((raw) => raw.records())
    expect(records).toEqual([{ key: Buffer.from('some key'), value: Buffer.from('some value') }])
  })
})
