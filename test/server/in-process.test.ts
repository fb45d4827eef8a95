import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { bytes } from '../support/bytes.ts'
import { contentOf, docOf, Editor } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { append, textIn } from '../support/hook-calls.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step2, update } from '../support/messages.ts'
import { deeplyNested } from '../support/nested.ts'
import { Random } from '../support/random.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { runs } from '../support/runs.ts'
import { allRead, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

describe('with normalizeLineEnds', () => {
  const written = 'one\r\ntwo\rthree\n\r\n'
  const normal = 'one\ntwo\nthree\n\n'

  test('line ends that edit writes, also into nested texts, become one character, and formatting stays', async () => {
    const { server } = await startInProcess({ release, options: { normalizeLineEnds: true } })
    await server.edit(document, (doc) => {
      doc.getText('content').insert(0, written)
      doc.getText('rich').applyDelta([{ insert: { image: 'a.png' } }, { insert: written, attributes: { bold: true } }])
      doc.getMap('notes').set('nested', new Y.Text(written))
    })
    await server.edit(document, (doc) => doc.getText('content').insert(4, 'more\r\n'))
    const doc = await server.read(document)
    expect(doc.getText('content').toString()).toBe('one\nmore\ntwo\nthree\n\n')
    expect(doc.getText('rich').toDelta()).toEqual([
      { insert: { image: 'a.png' } },
      { insert: normal, attributes: { bold: true } },
    ])
    expect(doc.getMap('notes').toJSON()).toEqual({ nested: normal })
  })

  test('one carriage return is formatted as it was, be it the last one of its format, and what follows keeps its own', async () => {
    const { server } = await startInProcess({ release, options: { normalizeLineEnds: true } })
    const bold = { bold: true }
    await server.edit(document, (doc) => {
      const text = doc.getText('content')
      text.applyDelta([{ insert: 'a\r', attributes: bold }, { insert: 'b\r' }, { insert: 'c\r', attributes: bold }])
      text.applyDelta([{ retain: 6 }, { insert: '\nd\r' }, { insert: { image: 'a.png' } }, { insert: '\ne' }])
    })
    expect((await server.read(document)).getText('content').toDelta()).toEqual([
      { insert: 'a\n', attributes: bold },
      { insert: 'b\n' },
      { insert: 'c', attributes: bold },
      { insert: '\nd\n' },
      { insert: { image: 'a.png' } },
      { insert: '\ne' },
    ])
  })

  test('forty thousand line ends take a moment, formatted or not', async () => {
    const { server } = await startInProcess({ release, options: { normalizeLineEnds: true } })
    const lines = 'one\r\n'.repeat(40_000)
    const before = process.cpuUsage()
    await server.edit(document, (doc) => {
      doc.getText('content').insert(0, lines)
      doc.getText('rich').insert(0, lines, { bold: true })
    })
    const { user, system } = process.cpuUsage(before)
    expect((await server.read(document)).getText('content').length).toBe(160_000)
    // Quadratic work, which looks for each one from the beginning, takes twelve seconds.
    expect(user + system).toBeLessThan(5_000_000)
  })

  test('a string that a vandal has put into what is no text is left alone', async () => {
    const map = bytes(0x27, 1, 'map', 'k', 1)
    const seed = bytes(1, 2, 7, 0, map, bytes(0x24, 0, 7, 0, 'k', 'x\r\n'), 0)
    const { server } = await startInProcess({
      release,
      options: { normalizeLineEnds: true },
      hooks: { load: () => seed },
    })
    await server.edit(document, (doc) => doc.getText('content').insert(0, written))
    expect((await server.read(document)).getText('content').toString()).toBe(normal)
  })

  test.each([
    ['a function', (doc: Y.Doc) => doc.getText('content').insert(0, written)],
    ['an update', Y.encodeStateAsUpdate(docWith(written))],
  ])('and so do those of %s that load gives; without the option they stay', async (_, seed) => {
    for (const [normalizeLineEnds, expected] of [[true, normal] as const, [false, written] as const]) {
      const hooks = { load: () => seed }
      const { server } = await startInProcess({ release, options: { normalizeLineEnds }, hooks })
      const doc = await server.edit(document, (doc) => doc.getText('content').toString())
      expect(doc).toBe(expected)
    }
  })
})

function docWith(text: string): Y.Doc {
  const doc = new Y.Doc()
  doc.getText('content').insert(0, text)
  return doc
}

describe('edit', () => {
  test('is shown to the clients of the document, and sees what they wrote', async () => {
    const { url, server } = await startInProcess({ release })
    const client = await syncedClient({ release, url, document })
    textOf(client).insert(0, 'by a client')
    await allRead([await syncedClient({ release, url, document })], 'by a client')
    await server.edit(document, append(' and by the server'))
    await allRead([client], 'by a client and by the server')
  })

  test('resolves with what the function returns once the edit is durable', async () => {
    const { server, data } = await startInProcess({ release })
    const length = await server.edit(document, (doc) => {
      append('kept')(doc)
      return doc.getText('text').length
    })
    expect(length).toBe(4)
    await server.close()
    const again = await startInProcess({ release, options: { data } })
    expect(textIn(await again.server.read(document))).toBe('kept')
  })

  test('does not resolve before the commit', async () => {
    const clock = new ManualClock()
    const { server } = await startInProcess({ release, clock })
    await server.edit('first', append('x'))
    let isDurable = false
    const edited = server.edit(document, append('y')).then(() => {
      isDurable = true
    })
    while (server.stats.documents < 1) await nextTurn()
    for (let turn = 0; turn < 50; turn++) await nextTurn()
    expect(isDurable).toBe(false)
    clock.advance(10)
    await edited
  })

  test('of one document follow each other, each with what the one before has written', async () => {
    const { server } = await startInProcess({ release })
    const count = (doc: Y.Doc) => {
      const counter = doc.getMap<number>('map')
      counter.set('n', (counter.get('n') ?? 0) + 1)
      return counter.get('n')
    }
    const numbers = await Promise.all(Array.from({ length: 20 }, () => server.edit(document, count)))
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('of many calls leave one client id in the document', async () => {
    const { server } = await startInProcess({ release })
    for (let edits = 0; edits < 10; edits++) await server.edit(document, append('x'))
    expect((await server.read(document)).store.clients.size).toBe(1)
  })

  test('is not lost to a client that writes under the same client id', async () => {
    const clock = new ManualClock()
    const { server, url } = await startInProcess({ release, clock })
    await server.edit(document, append('server '))
    const copy = await server.read(document)
    const [id] = copy.store.clients.keys()
    const writer = new Writer().learn({ update: Y.encodeStateAsUpdate(copy) })
    writer.doc.clientID = id ?? 0
    const client = await connectRaw({ release, url, document })
    // Until the clock goes on it is received, but not durable: the copy that is edited does not show it.
    client.send(step2(), update(writer.insert('forged ').update))
    await client.roundTrip()
    const gate = new Gate()
    const edited = server.edit(document, (doc) => {
      append('again ')(doc)
      gate.open()
    })
    await gate.opened
    clock.advance(10)
    await edited
    expect(textIn(await server.read(document))).toMatch(/^server (forged again|again forged) $/)
  })

  test('that throws changes nothing, and rejects with what was thrown', async () => {
    const { server } = await startInProcess({ release })
    await server.edit(document, append('kept'))
    const failure = new Error('changed my mind')
    const edited = server.edit(document, (doc) => {
      append(' and lost')(doc)
      throw failure
    })
    await expect(edited).rejects.toBe(failure)
    await server.edit(document, append('!'))
    expect(textIn(await server.read(document))).toBe('kept!')
  })

  test('that returns a promise changes nothing', async () => {
    const { server } = await startInProcess({ release })
    const edited = server.edit(document, async (doc) => {
      append('lost')(doc)
      throw new Error('nobody waits for this')
    })
    await expect(edited).rejects.toMatchObject({ code: 'EDIT_ASYNC' })
    await expect(server.read(document)).rejects.toMatchObject({ code: 'DOCUMENT_MISSING' })
  })

  test('that changes nothing writes nothing', async () => {
    const { server } = await startInProcess({ release })
    expect(await server.edit(document, (doc) => doc.getText('text').length)).toBe(0)
    await expect(server.read(document)).rejects.toMatchObject({ code: 'DOCUMENT_MISSING' })
  })

  test('of many kilobytes is one commit, in entries of the size of a chunk', async () => {
    const { server, url } = await startInProcess({ release, options: { chunkBytes: 1024 } })
    const reader = await connectRaw({ release, url, document })
    await reader.follow()
    await server.edit(document, (doc) => {
      for (let word = 0; word < 2000; word++) append(`word ${word} `)(doc)
    })
    await reader.until('all is there', () => textIn(reader.doc).endsWith('word 1999 '))
    expect(reader.all('update').length).toBeGreaterThan(10)
  })

  test('leaves no document in memory', async () => {
    const { server } = await startInProcess({ release })
    await server.edit(document, append('x'))
    while (server.stats.documents > 0) await nextTurn()
  })

  test('rejects for names that no document has, and after the server has closed', async () => {
    const { server } = await startInProcess({ release })
    await expect(server.edit('a/../b', append('x'))).rejects.toMatchObject({ code: 'DOCUMENT_NAME' })
    const withoutName = Reflect.apply(server.edit, server, [undefined, append('x')])
    await expect(withoutName).rejects.toMatchObject({
      code: 'DOCUMENT_NAME',
      message: expect.stringContaining('undefined'),
    })
    const edited = server.edit(document, append('x'))
    await edited
    await server.close()
    await expect(server.edit(document, append('x'))).rejects.toMatchObject({ code: 'SERVER_CLOSED' })
  })

  test('that is under way when the server closes is stored', async () => {
    const { server, data } = await startInProcess({ release })
    await server.edit(document, append('first'))
    const edited = server.edit(document, append(', second'))
    while (server.stats.documents === 0) await nextTurn()
    await Promise.all([edited, server.close()])
    const again = await startInProcess({ release, options: { data } })
    expect(textIn(await again.server.read(document))).toBe('first, second')
  })
})

describe('read', () => {
  test('gives what is durable, from memory and from the disk, compacted or not', async () => {
    const options = { compactMaxEntries: 5, compactMinBytes: 0, compactIntervalMs: 0, chunkBytes: 1024 }
    const { server, url } = await startInProcess({ release, options })
    const doc = docOf()
    const editor = new Editor(doc, new Random(runs(1)))
    for (let edits = 0; edits < 60; edits++) {
      const before = Y.encodeStateVector(doc)
      editor.edit()
      await store({ release, url, document }, Y.encodeStateAsUpdate(doc, before))
    }
    const copy = docOf(Y.encodeStateAsUpdate(await server.read(document)))
    expect(contentOf(copy)).toEqual(contentOf(doc))
    expect(contentOf(docOf(await server.readUpdate(document)))).toEqual(contentOf(doc))
  })

  test('rejects for a document that nobody has written, and makes none', async () => {
    const { server } = await startInProcess({ release })
    await expect(server.read(document)).rejects.toMatchObject({ code: 'DOCUMENT_MISSING' })
    await expect(server.readUpdate(document)).rejects.toMatchObject({ code: 'DOCUMENT_MISSING' })
  })

  test('of a document that is too much for Yjs rejects, and its bytes can still be had', async () => {
    const { server, url } = await startInProcess({ release })
    const hostile = deeplyNested(20_000)
    await store({ release, url, document }, hostile)
    await expect(server.read(document)).rejects.toMatchObject({ code: 'DOCUMENT_UNREADABLE' })
    await expect(server.edit(document, append('x'))).rejects.toMatchObject({ code: 'DOCUMENT_UNREADABLE' })
    expect(await server.readUpdate(document)).toEqual(hostile)
    await server.edit('other', append('goes on'))
    expect(textIn(await server.read('other'))).toBe('goes on')
  })

  test('gives the caller a document of its own', async () => {
    const { server, url } = await startInProcess({ release })
    await connectRaw({ release, url, document })
    await store({ release, url, document }, edit('kept').update)
    append(' and changed')(await server.read(document))
    const update = await server.readUpdate(document)
    update.fill(0)
    expect(textIn(await server.read(document))).toBe('kept')
  })
})
