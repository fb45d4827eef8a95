import { expect, onTestFinished, test } from 'vitest'
import { startBesieged } from '../support/besieged.ts'
import { Bystanders } from '../support/bystanders.ts'
import { edit } from '../support/edits.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { update } from '../support/messages.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { freshCopy, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

test.each([
  ['no name', '/'],
  ['256 bytes', `/${'x'.repeat(256)}`],
  ['10,000 bytes', `/${'x'.repeat(10_000)}`],
  ['a dot', '/.'],
  ['two dots', '/..'],
  ['a way out', '/../../etc/passwd'],
  ['a way out at the end', '/notes/..'],
  ['an encoded way out', '/%2e%2e%2fetc%2fpasswd'],
  ['a half encoded way out', '/.%2e/notes'],
  ['NUL', '/a%00b'],
  ['a line feed', '/a%0ab'],
  ['DEL', '/a%7f'],
  ['a control character of Latin 1', '/a%C2%80'],
])('R2 %s as the name closes with 4400, whatever is written to it, and nothing is stored', async (_, target) => {
  const clock = new LeapingClock()
  const { url, others, storedNames } = await startBesieged({ release, clock })
  const bystanders = await Bystanders.join({ release, url, others, document })
  const socket = await openRawSocket({ release, url, target })
  socket.send({ payload: update(edit('x').update) })
  clock.leap(100)
  expect((await socket.closed).code).toBe(4400)
  expect(socket.messages).toEqual([])
  await bystanders.areUnharmed()
  expect(await storedNames()).toEqual(['not notes', 'notes'])
})

test.each([
  ['an escape that was encoded twice', '%2e%2e'],
  ['an overlong dot', '%C0%AE'],
  ['three dots', '...'],
  ['a name of the prototype', '__proto__'],
  ['a method of the prototype', 'constructor'],
  ['a backslash', '..\\..\\etc'],
  ['a query', 'a?access=read'],
  ['a fragment', 'a#b'],
  ['a path of the HTTP interface', 'api/documents/notes/events'],
  ['the path of the health', 'health'],
])('R1 %s is a name like any other', async (_, name) => {
  const { url, storedNames } = await startBesieged({ release })
  await store({ release, url, document: name }, edit('x').update)
  const doc = await freshCopy({ release, url, document: name })
  expect(textOf({ doc }).toString()).toBe('x')
  expect(await storedNames()).toEqual([name])
})

test('R2 of a flood of new names nothing is stored until somebody writes, nor kept in memory', async () => {
  const { url, others, server, storedNames } = await startBesieged({ release })
  const bystanders = await Bystanders.join({ release, url, others, document })
  for (let round = 0; round < 5; round++) {
    const names = Array.from({ length: 100 }, (_, index) => `new ${round}-${index}`)
    const clients = await Promise.all(names.map((name) => connectRaw({ release, url, document: name })))
    await Promise.all(clients.map((client) => client.follow()))
    expect(server.stats.documents).toBeGreaterThanOrEqual(names.length)
    for (const client of clients) client.cut()
    while (server.stats.documents > 2) await bystanders.areUnharmed()
  }
  await bystanders.areUnharmed()
  expect(await storedNames()).toEqual(['not notes', 'notes'])
})
