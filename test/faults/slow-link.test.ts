import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { startInProcess } from '../support/in-process-server.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { store } from '../support/raw-client.ts'
import { isLong } from '../support/runs.ts'
import { allRead, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const CHARACTERS = 5_000_000
const BYTES_PER_SECOND = 100_000
const RICH_BYTES_PER_SECOND = 20_000
/** Far more than it takes to send so much. */
const TIME_LIMIT = { timeout: 180_000 }

test(
  'R7 a large document reaches a client on a slow link, which gives up after 30 s without a message',
  TIME_LIMIT,
  async ({ skip }) => {
    skip(!isLong(), 'takes a minute: npm run test:long')
    const { url } = await startInProcess({ release })
    const document = 'large'
    const writer = await syncedClient({ release, url, document })
    const text = randomText(new Random(1))
    for (let at = 0; at < text.length; at += 100_000) textOf(writer).insert(at, text.slice(at, at + 100_000))
    await allRead([await syncedClient({ release, url, document })], text)

    const proxy = await startProxy({ release, target: url, bytesPerSecond: BYTES_PER_SECOND })
    const started = performance.now()
    const slow = stockClient({ release, url: proxy.url, document })
    await slow.synced()
    expect(textOf(slow).toString() === text).toBe(true)
    expect(slow.losses).toBe(0)
    // Otherwise the link was not slow.
    expect(performance.now() - started).toBeGreaterThan((0.9 * 1000 * CHARACTERS) / BYTES_PER_SECOND)
  },
)

/** What an editor of rich text holds: in one message it would take the link longer than the client waits. */
test('R7 a document of rich text reaches a client on a link of 20 kB/s', TIME_LIMIT, async ({ skip }) => {
  skip(!isLong(), 'takes a minute: npm run test:long')
  const { url } = await startInProcess({ release })
  const document = 'rich'
  const doc = new Y.Doc()
  doc.transact(() => {
    const fragment = doc.getXmlFragment('default')
    for (let paragraph = 0; paragraph < 5_500; paragraph++) {
      const text = new Y.XmlText()
      text.insert(0, ` of paragraph ${paragraph}`, { bold: {} })
      text.insert(0, 'The most important words are those ', {})
      const element = new Y.XmlElement('paragraph')
      element.insert(0, [text])
      fragment.insert(fragment.length, [element])
    }
  })
  const update = Y.encodeStateAsUpdate(doc)
  expect(update.length).toBeGreaterThan(30 * RICH_BYTES_PER_SECOND)
  await store({ release, url, document }, update)

  const proxy = await startProxy({ release, target: url, bytesPerSecond: RICH_BYTES_PER_SECOND })
  const started = performance.now()
  const slow = stockClient({ release, url: proxy.url, document })
  await slow.synced()
  expect(slow.doc.getXmlFragment('default').toString() === doc.getXmlFragment('default').toString()).toBe(true)
  expect(slow.losses).toBe(0)
  expect(performance.now() - started).toBeGreaterThan((0.9 * 1000 * update.length) / RICH_BYTES_PER_SECOND)
})

function randomText(random: Random): string {
  let text = ''
  while (text.length < CHARACTERS) text += String.fromCharCode(97 + random.below(26))
  return text
}
