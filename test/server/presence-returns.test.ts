import { describe, expect, onTestFinished, test } from 'vitest'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { startServer } from '../support/process.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { cases } from '../support/runs.ts'
import { moveCursor, type Sightings, watchSightings } from '../support/sightings.ts'
import { type StockClient, type StockVersion, stockClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'
/** From when both are back until one sees the other: clients announce themselves every 15 s, whatever was wrong. */
const SEEN_AGAIN_MS = 1_000
/** As far away as another continent. */
const FAR_MS = 50

interface Member {
  readonly client: StockClient
  readonly sightings: Sightings
  /** The line that it alone is connected by. */
  readonly line: TcpProxy
}

interface MemberOptions {
  readonly version: StockVersion
  /** Whether it shows nothing of itself. */
  readonly isViewer?: boolean
  readonly delayMs?: number
}

async function join(target: string, { version, isViewer = false, delayMs }: MemberOptions): Promise<Member> {
  const line = await startProxy({ release, target, ...(delayMs !== undefined && { delayMs: () => delayMs }) })
  const client = stockClient({ release, url: line.url, document, version, connect: false })
  if (isViewer) client.provider.awareness.setLocalState(null)
  const sightings = watchSightings(client)
  client.provider.connect()
  await client.synced()
  return { client, sightings, line }
}

/** Resolves with the time when it is connected again and has what the server has. */
async function back({ client }: Member): Promise<number> {
  await client.lost()
  await client.synced()
  return performance.now()
}

/** How long after `since` all of them saw the cursor of the other, the slowest of them. */
async function seenAgain(by: readonly Member[], other: Member, cursor: number, since: number): Promise<number> {
  const seen = await Promise.all(by.map(({ sightings }) => sightings.of(other.client, cursor)))
  return Math.max(...seen) - since
}

describe.each(cases<StockVersion>(['3.1.0'], ['1.5.4', '2.1.0']))('y-websocket %s', (version) => {
  async function room(target: string) {
    const editor = await join(target, { version })
    const viewer = await join(target, { version, isViewer: true, delayMs: FAR_MS })
    const third = await join(target, { version })
    moveCursor(editor.client, 1)
    moveCursor(third.client, 3)
    const everybody = [editor, viewer, third]
    await seenAgain([viewer, third], editor, 1, 0)
    await seenAgain([editor, viewer], third, 3, 0)
    return { editor, viewer, third, everybody }
  }

  test('R26 who comes back after a loss is seen again at once, and sees the others', async () => {
    const { editor, viewer, third } = await room((await startInProcess({ release })).url)
    const returned = back(editor)
    editor.line.reset()
    await third.sightings.end(editor.client)
    const since = await returned
    expect(await seenAgain([viewer, third], editor, 1, since)).toBeLessThan(SEEN_AGAIN_MS)
    expect(await seenAgain([editor], third, 3, since)).toBeLessThan(SEEN_AGAIN_MS)
  })

  test('R22 an echo that comes when an editor has just lost its line does not take its cursor', async () => {
    const { editor, viewer, third } = await room((await startInProcess({ release })).url)
    // What a viewer says of others is on its way while the editor is cut off.
    for (let cursor = 10; cursor < 30; cursor++) {
      moveCursor(editor.client, cursor)
      await third.sightings.of(editor.client, cursor)
    }
    const returned = back(editor)
    editor.line.reset()
    const since = await returned
    expect(await seenAgain([viewer, third], editor, 29, since)).toBeLessThan(SEEN_AGAIN_MS)
    moveCursor(editor.client, 30)
    await seenAgain([viewer, third], editor, 30, since)
    editor.client.provider.disconnect()
    await third.sightings.end(editor.client)
  })

  test('R44 who comes back without a state of its own sees the others at once', async () => {
    const { editor, viewer, third } = await room((await startInProcess({ release })).url)
    const returned = back(viewer)
    viewer.line.reset()
    const since = await returned
    expect(await seenAgain([viewer], editor, 1, since)).toBeLessThan(SEEN_AGAIN_MS)
    expect(await seenAgain([viewer], third, 3, since)).toBeLessThan(SEEN_AGAIN_MS)
  })

  test('R24 an editor whose line stalls while somebody joins keeps its cursor', async () => {
    const clock = new LeapingClock()
    const { url } = await startInProcess({ release, clock })
    const editor = await join(url, { version })
    moveCursor(editor.client, 1)
    const third = await join(url, { version, isViewer: true })
    await third.sightings.of(editor.client, 1)
    editor.line.hold()
    moveCursor(editor.client, 2)
    const viewer = await join(url, { version, isViewer: true })
    await viewer.sightings.of(editor.client, 1)
    // The viewer's echo has been read when its edit is shown.
    textOf(viewer.client).insert(0, 'x')
    await new Promise<void>((resolve) => third.client.doc.once('update', () => resolve()))
    clock.leap(3_000)
    editor.line.letThrough()
    const since = performance.now()
    expect(await seenAgain([viewer, third], editor, 2, since)).toBeLessThan(SEEN_AGAIN_MS)
    editor.client.provider.disconnect()
    await third.sightings.end(editor.client)
  })

  test.each<NodeJS.Signals>(['SIGTERM', 'SIGKILL'])('R44 after %s all see each other at once', async (signal) => {
    const server = await startServer({ release })
    const { editor, viewer, third, everybody } = await room(server.url)
    const ended = Promise.all(everybody.map(({ client }) => client.lost()))
    await server.kill(signal)
    await ended
    const returned = Promise.all(everybody.map(({ client }) => client.synced()))
    const { url } = await startServer({ release, data: server.data })
    for (const { line } of everybody) line.leadTo(url)
    await returned
    const since = performance.now()
    const delays = [
      await seenAgain([viewer, third], editor, 1, since),
      await seenAgain([editor, viewer], third, 3, since),
    ]
    console.log(`${version} ${signal}: ${delays.map((delay) => delay.toFixed(0)).join(' and ')} ms`)
    for (const delay of delays) expect(delay).toBeLessThan(SEEN_AGAIN_MS)
  })
})
