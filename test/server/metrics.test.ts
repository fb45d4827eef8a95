import { expect, onTestFinished, test } from 'vitest'
import { caller } from '../support/caller.ts'
import { edit } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'

/** The samples by name and labels, as Prometheus' text format 0.0.4 has them. */
async function scrape(url: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${url}metrics`)
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, sample = '', value = ''] = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? expect.fail(line)
      return [sample, Number(value)]
    }),
  )
}

test('tell what is there, what was made durable and shown, and how connections and requests ended', async () => {
  const { url } = await startInProcess({ release, options: { hocuspocusPaths: '' } })
  const before = await scrape(url)
  expect(before.get('coedit_entries_total')).toBe(0)
  expect(before.get('coedit_storage_ok')).toBe(1)

  const writer = await connectRaw({ release, url, document, protocols: ['coedit.v1'] })
  writer.send(step2(), update(edit('hello').update))
  await writer.until('the edit is durable', () => writer.acknowledged === 2)
  const broken = await connectRaw({ release, url, document })
  broken.send(Uint8Array.of(0, 2, 200))
  const { code } = await broken.closed
  expect((await fetch(`${url}api/nothing`)).status).toBe(404)

  const after = await scrape(url)
  const told = (name: string): number | undefined => after.get(name)
  expect(told('coedit_connections')).toBe(1)
  expect(told('coedit_visitors')).toBe(1)
  expect(told('coedit_documents')).toBe(1)
  expect(told('coedit_pending_bytes')).toBe(0)
  expect(told('coedit_entries_total')).toBe(1)
  expect(told('coedit_commit_seconds_count')).toBe(1)
  expect(told('coedit_shown_seconds_count')).toBe(1)
  expect(told('coedit_shown_seconds_sum')).toBeGreaterThanOrEqual(told('coedit_commit_seconds_sum') ?? Number.NaN)
  expect(told(`coedit_closes_total{code="${code}"}`)).toBe(1)
  expect(told('coedit_refusals_total{code="NOT_FOUND"}')).toBe(1)
  expect(told('coedit_event_loop_share')).toBeGreaterThan(0)
  expect(told('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  expect(told('process_cpu_seconds_total')).toBeGreaterThan(before.get('process_cpu_seconds_total') ?? Number.NaN)
  expect(told('coedit_damage_total{kind="records"}')).toBe(0)
})

test('count who is slowed down, be it by a WebSocket or by HTTP', async () => {
  const { url } = await startInProcess({ release, options: { maxBytesPerSecond: 1_024, maxBurstBytes: 1_024 } })
  const large = update(edit('x'.repeat(1_100)).update)
  const limited = async () => (await scrape(url)).get('coedit_limits_total{option="maxBytesPerSecond"}')
  expect(await limited()).toBeUndefined()
  await caller({ release, url, document, key: 'the secret of one client' }).call([large])
  expect(await limited()).toBe(1)
  const client = await connectRaw({ release, url, document: 'other', protocols: ['coedit.v1'] })
  client.send(step2(), large)
  await client.until('the edit is durable', () => client.acknowledged === 2)
  expect(await limited()).toBe(2)
})

test('count the calls of hooks, and those that failed', async () => {
  const load = () => {
    throw new Error('nothing to begin with')
  }
  const { url } = await startInProcess({ release, hooks: { load } })
  const client = await connectRaw({ release, url, document })
  expect((await client.closed).code).toBe(1011)
  const told = await scrape(url)
  expect(told.get('coedit_hook_calls_total{hook="load",kind="calls"}')).toBe(1)
  expect(told.get('coedit_hook_calls_total{hook="load",kind="failures"}')).toBe(1)
})

test('are for those alone whose token allows to see the status', async () => {
  const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
  const ask = async (coedit?: object): Promise<number> => {
    const headers = coedit && { authorization: `Bearer ${await token({ coedit })}` }
    return (await fetch(`${url}metrics`, { ...(headers && { headers }) })).status
  }
  expect(await ask()).toBe(401)
  expect(await ask({ write: ['*'], list: ['*'], revoke: true })).toBe(403)
  expect(await ask({ status: true })).toBe(200)
})
