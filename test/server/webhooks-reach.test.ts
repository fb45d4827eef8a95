import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from '../../server/src/common/timing.ts'
import { type LookUp, Reach } from '../../server/src/webhooks/reach.ts'
import { Sender } from '../../server/src/webhooks/sender.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Receiver } from '../support/receiver.ts'

const release = onTestFinished
const REFUSED = { code: 'WEBHOOK_ADDRESS' }

/** A resolver that has these answers, one after the other, and then the last one. */
function resolver(...answers: readonly (readonly string[])[]): LookUp {
  let count = 0
  return (_, __, callback) => {
    const answer = answers[Math.min(count++, answers.length - 1)] ?? []
    const addresses = answer.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }))
    setImmediate(() => callback(null, addresses))
  }
}

function senderWith(webhookAddresses: string, lookUp?: LookUp, clock: Clock = systemClock): Sender {
  const sender = new Sender({
    config: { webhookAddresses, webhookTimeoutMs: 10_000 },
    clock,
    ...(lookUp && { lookUp }),
  })
  release(async () => sender.close())
  return sender
}

const send = (sender: Sender, url: string) => sender.send({ url, headers: {}, body: '{}' })

test.each([
  ...['127.0.0.1', '127.1', '2130706433', '0x7f.0.0.1', '0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ...[
    '169.254.169.254',
    '100.64.0.1',
    '192.0.0.1',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
  ],
  ...[
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:10.0.0.1]',
    '[::127.0.0.1]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd12::1]',
  ],
  ...[
    '[ff02::1]',
    '[64:ff9b::10.0.0.1]',
    '[64:ff9b::]',
    '[64:ff9b:1::1]',
    '[2001:db8::1]',
    '[2002:7f00:1::]',
    '[2001::1]',
  ],
])('%s is no address for webhooks', async (host) => {
  const url = `https://${host}/`
  expect(() => new Reach('').check(new URL(url))).toThrow(expect.objectContaining(REFUSED))
  await expect(send(senderWith(''), url)).rejects.toMatchObject(REFUSED)
})

test.each(['8.8.8.8', '[2606:4700:4700::1111]', '[::ffff:8.8.8.8]', '[64:ff9b::8.8.8.8]', 'example.com'])(
  '%s is one by https alone',
  (host) => {
    const reach = new Reach('')
    expect(() => reach.check(new URL(`https://${host}/`))).not.toThrow()
    if (host === 'example.com') return
    expect(() => reach.check(new URL(`http://${host}/`))).toThrow(expect.objectContaining(REFUSED))
  },
)

test.each(['localhost', 'ip6-localhost', 'app.localhost'])('the name %s leads nowhere', async (name) => {
  const receiver = await Receiver.start({ release })
  // Where the system does not know a name, it leads nowhere either.
  await expect(send(senderWith(''), `http://${name}:${receiver.port}/`)).rejects.toThrow()
  expect(receiver.refused).toEqual([])
})

test.each([
  ['a private address', ['10.0.0.1']],
  ['a private one beside a public one', ['8.8.8.8', '192.168.0.1']],
  ['a mapped one', ['::ffff:127.0.0.1']],
  ['one of a zone', ['fe80::1%eth0']],
])('a name that resolves to %s is refused', async (_, addresses) => {
  await expect(send(senderWith('', resolver(addresses)), 'https://rebound.example/')).rejects.toThrow()
})

test('each connection is made to an address that was looked at for it: a name that is bound anew is refused', async () => {
  const receiver = await Receiver.start({ release })
  const lookUp = resolver(['127.0.0.1'], ['127.0.0.2'])
  const sender = senderWith('127.0.0.1', lookUp)
  const url = `http://rebound.example:${receiver.port}/`
  expect(await send(sender, url)).toMatchObject({ status: 401 })
  await expect(send(sender, url)).rejects.toMatchObject(REFUSED)
  expect(receiver.refused).toHaveLength(1)
})

test('a redirect is not followed', async () => {
  const inside = await Receiver.start({ release })
  let requests = 0
  const redirecting = createServer((_, response) => {
    requests++
    response.writeHead(307, { location: inside.url }).end()
  })
  await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve))
  release(async () => void redirecting.close())
  const address = Object(redirecting.address())
  expect(await send(senderWith('127.0.0.1'), `http://127.0.0.1:${address.port}/`)).toMatchObject({ status: 307 })
  expect([requests, inside.refused.length]).toEqual([1, 0])
})

test.each([
  ['120', 120_000],
  ['Mon, 30 Nov 2026 12:01:00 GMT', 60_000],
  ['Mon, 30 Nov 2026 11:59:00 GMT', 0],
  ['later', 0],
])('a receiver may ask to be left alone: %s', async (retryAfter, retryAfterMs) => {
  const busy = createServer((_, response) => response.writeHead(429, { 'retry-after': retryAfter }).end())
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve))
  release(async () => void busy.close())
  const { port } = Object(busy.address())
  const sender = senderWith('127.0.0.1', undefined, new ManualClock(Date.parse('2026-11-30T12:00:00Z')))
  expect(await send(sender, `http://127.0.0.1:${port}/`)).toEqual({ status: 429, retryAfterMs })
})

test('a receiver that switches protocols has failed', async () => {
  const answer = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n'
  const switching = createServer((_, response) => void response.socket?.write(answer))
  await new Promise<void>((resolve) => switching.listen(0, '127.0.0.1', resolve))
  release(async () => void switching.close())
  const { port } = Object(switching.address())
  await expect(send(senderWith('127.0.0.1'), `http://127.0.0.1:${port}/`)).rejects.toThrow('without an answer')
})

test('an option allows addresses, and no others', async () => {
  const receiver = await Receiver.start({ release })
  expect(await send(senderWith('127.0.0.0/8, ::1'), receiver.url)).toMatchObject({ status: 401 })
  const byName = `http://localhost:${receiver.port}/`
  expect(await send(senderWith('127.0.0.1, ::1'), byName)).toMatchObject({ status: 401 })
  await expect(send(senderWith('127.0.0.2'), receiver.url)).rejects.toMatchObject(REFUSED)
})
