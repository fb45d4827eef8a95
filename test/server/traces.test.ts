import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { startInProcess } from '../support/in-process-server.ts'
import { cases } from '../support/runs.ts'
import { freshCopy, syncedClient } from '../support/stock-clients.ts'
import { clientOf, loadTrace, replayLocally, type TraceEdit, traceTextIn } from '../support/traces.ts'
import { untilChanged } from '../support/until.ts'
import { connectWitnessed, synced, type Witness } from '../support/witness.ts'

const release = onTestFinished
const DOCUMENT = 'trace'
/** Edits under way of one agent at a time. */
const IN_FLIGHT = 1_000
/** A quarter of a million edits take a while where other tests need the cores as well. */
const TIME_LIMIT = { timeout: 180_000 }

/** Counts the edits of a client that are not acknowledged yet. */
class InFlight implements Witness {
  #count = 0
  #wake: (() => void) | undefined

  sent(): void {
    this.#count++
  }

  acknowledged(edits: readonly Uint8Array[]): void {
    this.#count -= edits.length
    if (this.#count <= IN_FLIGHT / 2) this.#wake?.()
  }

  /** Resolves when there is room for more. */
  async hasRoom(): Promise<void> {
    if (this.#count < IN_FLIGHT) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}

/** One agent at its own connection: sends its edits as soon as the server has shown it what they begin with. */
async function playAgent(agent: number, edits: readonly TraceEdit[], url: string): Promise<Y.Doc> {
  const inFlight = new InFlight()
  const client = connectWitnessed({ release, url, document: DOCUMENT, acknowledges: true, witness: inFlight })
  await synced(client)
  const { doc } = client
  for (const { update, needs } of edits.filter((edit) => edit.agent === agent)) {
    await untilChanged([doc], `agent ${agent} was shown what its next edit begins with`, () => hasSeen(doc, needs))
    await inFlight.hasRoom()
    Y.applyUpdate(doc, update)
  }
  return doc
}

function hasSeen(doc: Y.Doc, needs: readonly number[]): boolean {
  return needs.every((clock, agent) => Y.getState(doc.store, clientOf(agent)) >= clock)
}

describe('recorded traces', () => {
  const traces = [
    { name: 'sveltecomponent', agents: 1 },
    // Its three agents wrote at the same time, never at the same place: its end does not depend on how ties are broken.
    { name: 'clownschool', agents: 3 },
  ]
  test.for(cases(traces, [{ name: 'automerge-paper', agents: 1 }]))(
    '$name, written by $agents, ends in its exact text',
    TIME_LIMIT,
    async ({ name, agents }) => {
      const trace = loadTrace(name, agents)
      const { edits, text } = replayLocally(trace)
      expect(text).toBe(trace.endContent)

      const { server, data } = await startInProcess({ release })
      const reader = await syncedClient({ release, url: server.url, document: DOCUMENT })
      const docs = await Promise.all(
        Array.from({ length: trace.agents }, (_, agent) => playAgent(agent, edits, server.url)),
      )
      docs.push(reader.doc)
      await untilChanged(docs, 'all show the end', () => docs.every((doc) => traceTextIn(doc).toString() === text))

      await server.close()
      const restarted = await startInProcess({ release, options: { data } })
      const stored = await freshCopy({ release, url: restarted.url, document: DOCUMENT })
      expect(traceTextIn(stored).toString()).toBe(text)
    },
  )
})
