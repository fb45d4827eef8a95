import { expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { contains, open, reached, recordErrors } from '../support/connections.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startStockServer } from '../support/stock-server.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const START = new ManualClock().now() / 1000

/** Issues one token after the other, each with some of these claims, and counts them. */
function issuing(...claims: readonly object[]) {
  const issuer = {
    issued: 0,
    token: () => token({ iat: START, ...claims[Math.min(issuer.issued++, claims.length - 1)] }),
  }
  return issuer
}

/** The server and its editor live by one clock, which stands at START. */
async function connected(...claims: readonly object[]) {
  const clock = new ManualClock()
  const { url, server } = await startInProcess({ release, clock, options: { authSecret: SECRET, authLeewayMs: 0 } })
  const sockets: WebSocket[] = []
  class CountedSocket extends WebSocket {
    constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
      super(...parameters)
      sockets.push(this)
    }
  }
  const issuer = issuing(...claims)
  const connection = open({ url, token: issuer.token, WebSocket: CountedSocket }, { clock })
  await connection.whenSynced
  return { url, server, clock, sockets, issuer, connection, codes: recordErrors(connection) }
}

test('a token that is renewed keeps the connection beyond the end of the old one', async () => {
  const { clock, sockets, issuer, connection, codes } = await connected({ exp: START + 100 }, { exp: START + 1000 })
  clock.advance(80_000)
  // Until then the server takes the connection, which is when it has taken the token.
  await clock.hasTimerOf(920_000)
  clock.advance(20_001)
  connection.text.insert(0, 'still here')
  await connection.flush()
  expect({ sockets: sockets.length, issued: issuer.issued, codes }).toEqual({ sockets: 1, issued: 2, codes: [] })
})

test('a token that is renewed with other rights brings another connection, and nothing is lost', async () => {
  const reading = { exp: START + 1000, coedit: { read: ['notes'] } }
  const { clock, sockets, connection } = await connected({ exp: START + 100 }, reading)
  connection.text.insert(0, 'kept')
  await connection.flush()
  const left = reached(connection, ({ connection }) => connection === 'offline')
  clock.advance(80_000)
  await left
  clock.advance(200)
  await reached(connection, ({ access, synced }) => access === 'read' && synced)
  expect(connection.text.toString()).toBe('kept')
  expect(sockets).toHaveLength(2)
})

test('a revoked user comes back with the next token, and what was typed meanwhile is stored', async () => {
  const { server, clock, sockets, connection } = await connected(
    { exp: START + 100 },
    { iat: START + 1, exp: START + 1000 },
  )
  await server.revoke({ user: 'ada' })
  connection.text.insert(0, 'meanwhile')
  clock.advance(1000)
  await connection.flush()
  expect(connection.state).toMatchObject({ access: 'write', saved: true, error: null })
  expect(sockets).toHaveLength(2)
})

test('a token that is renewed with the right to write makes a reader a writer', async () => {
  const reading = { exp: START + 100, coedit: { read: ['notes'] } }
  const { clock, connection } = await connected(reading, { exp: START + 1000 })
  expect(connection.state.access).toBe('read')
  const left = reached(connection, ({ connection }) => connection === 'offline')
  clock.advance(80_000)
  await left
  clock.advance(200)
  await reached(connection, ({ access, synced }) => access === 'write' && synced)
  connection.text.insert(0, 'by a writer')
  await connection.flush()
})

test('the reference server, which knows of no renewal, is not disturbed by it', async () => {
  const clock = new ManualClock()
  const url = await startStockServer(release)
  const issuer = issuing({ exp: START + 100 }, { exp: START + 1000 })
  const connection = open({ url, token: issuer.token }, { clock })
  await connection.whenSynced
  clock.advance(80_000)
  await clock.hasTimerOf(736_000)
  const other = open({ url })
  connection.text.insert(0, 'still here')
  await contains(other, 'still here')
  expect(issuer.issued).toBe(2)
})
