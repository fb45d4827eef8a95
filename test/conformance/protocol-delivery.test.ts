import { describe, expect, onTestFinished, test } from 'vitest'
import { edit, Writer } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient, type RawClientOptions, store } from '../support/raw-client.ts'
import { syncedClient, textOf } from '../support/stock-clients.ts'
import { storedDocument } from '../support/stored-document.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const document = 'notes'

/**
 * A server that rests after its first commit for as long as its clock stands still: edits received meanwhile are not
 * durable.
 */
async function startHeld() {
  const clock = new ManualClock()
  const { url, server, data } = await startInProcess({ release, clock })
  await store({ release, url, document: 'first' }, edit('x').update)
  return {
    join: async (options: Partial<RawClientOptions> = {}) => {
      const client = await connectRaw({ release, url, document, ...options })
      await client.follow()
      return client
    },
    goOn: () => clock.advance(10),
    server,
    data,
  }
}

describe('R11', () => {
  test('R11 edits are shown, and part of an answer, only when they are durable', async () => {
    const { join, goOn, server, data } = await startHeld()
    const [writer, reader] = [await join({ protocols: ['coedit.v1'] }), await join()]
    writer.send(step2(), update(edit('hello').update))
    await writer.roundTrip()
    await reader.follow()
    expect((await join()).all('update')).toEqual([])
    expect(reader.all('update')).toEqual([])

    goOn()
    await reader.message('update')
    await writer.until('it is acknowledged', () => writer.acknowledged === 2)
    await server.close()
    const { tail } = await storedDocument(data, document)
    expect(tail.map(({ update }) => update)).toEqual(reader.all('update').map(({ update }) => update))
  })

  test('R11 the Step1 of the server counts what is on its way to the disk, so that nobody sends it again', async () => {
    const { join, goOn } = await startHeld()
    const writer = await join()
    const { update: made, stateVector } = edit('hello')
    writer.send(update(made))
    await writer.roundTrip()
    expect((await join()).all('step1')).toEqual([{ type: 'step1', stateVector }])
    goOn()
  })
})

describe('R12', () => {
  test('R12 what became durable together arrives as one Update, at its writers, too', async () => {
    const { join, goOn } = await startHeld()
    const [ada, bob, reader] = [await join(), await join(), await join()]
    ada.send(update(edit('a', 1).update))
    bob.send(update(edit('b', 2).update), update(edit('c', 3).update))
    await Promise.all([ada.roundTrip(), bob.roundTrip()])
    goOn()
    for (const client of [ada, bob, reader]) {
      await client.message('update')
      expect([...client.doc.store.clients.keys()]).toEqual([3, 2, 1])
      expect(client.all('update')).toHaveLength(1)
    }
  })

  test.each([
    ['coedit.v1', '', 0],
    ['coedit.v1', '?echo=1', 1],
    ['coedit', '', 1],
    ['coedit', '?echo=0', 0],
  ])('R12 who alone wrote all of it as %s%s is sent it %d times', async (protocol, query, times) => {
    const { join, goOn } = await startHeld()
    const [writer, reader] = [await join({ protocols: [protocol], query }), await join()]
    const { update: made } = edit('a')
    writer.send(update(made))
    await writer.roundTrip()
    goOn()
    await reader.message('update')
    await writer.roundTrip()
    expect(writer.all('update')).toEqual(Array.from({ length: times }, () => ({ type: 'update', update: made })))
  })
})

/** More in all than the buffers of a loopback connection take. */
const EDITS = 300
const EDIT_BYTES = 20_000

describe('R13', () => {
  async function startSlow() {
    const clock = new LeapingClock()
    const { url } = await startInProcess({
      release,
      clock,
      options: { socketBufferBytes: 16 * 1024, compactMinBytes: 2 ** 30 },
    })
    const slow = await connectRaw({ release, url, document })
    await slow.follow()
    slow.pause()
    return { clock, url, slow }
  }

  /** Writes on while somebody reads nothing, and waits until somebody else has read it. */
  async function writeALot(url: string): Promise<Writer> {
    const reader = await syncedClient({ release, url, document })
    const writer = new Writer()
    const updates = Array.from(
      { length: EDITS },
      (_, index) => writer.insert(`${index % 10}`.repeat(EDIT_BYTES)).update,
    )
    await store({ release, url, document }, ...updates)
    await untilChanged([reader.doc], 'the other reader has all', () => textOf(reader).length === EDITS * EDIT_BYTES)
    expect(reader.losses).toBe(0)
    return writer
  }

  test('R13 who reads slowly is sent no single edits, and gets what it missed merged; nobody else notices', async () => {
    const { url, slow } = await startSlow()
    const writer = await writeALot(url)
    slow.resume()
    await slow.until('it has all', () => sizeOf(slow) >= EDITS * EDIT_BYTES)
    expect(slow.all('update').length).toBeLessThan(EDITS)
    expect(textOf(slow).toString() === writer.text.toString()).toBe(true)
  })

  test('R13 who takes nothing for 60 s is closed with 1013', async () => {
    const { url, slow, clock } = await startSlow()
    await writeALot(url)
    for (let seconds = 0; seconds < 61; seconds++) clock.leap(1000)
    slow.resume()
    expect((await slow.closed).code).toBe(1013)
  })
})

function sizeOf(client: RawClient): number {
  return client.all('update').reduce((sum, { update }) => sum + update.length, 0)
}
