import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { colorOf, inkOn, readColor } from '../../client/src/peers/color.ts'
import { readPeer } from '../../client/src/peers/peer.ts'
import { watchPresence } from '../../client/src/peers/presence.ts'
import { runs } from '../support/runs.ts'
import { nextUncaughtException } from '../support/uncaught.ts'

const POSITION = { type: null, tname: 'content', item: { client: 7, clock: 3 }, assoc: -1 }

function awareness(): Awareness {
  const created = new Awareness(new Y.Doc())
  onTestFinished(() => created.destroy())
  return created
}

/** Another editor, whose states arrive as they would over a socket. */
function peerOf(mine: Awareness): { readonly clientId: number; say(state: Record<string, unknown>): void } {
  const theirs = awareness()
  return {
    clientId: theirs.clientID,
    say: (state) => {
      theirs.setLocalState(state)
      applyAwarenessUpdate(mine, encodeAwarenessUpdate(theirs, [theirs.clientID]), 'socket')
    },
  }
}

describe('who is here', () => {
  test('is everybody but this editor, by client id', () => {
    const mine = awareness()
    const ids = [peerOf(mine), peerOf(mine), peerOf(mine)].map((peer) => {
      peer.say({ user: { name: 'Ann', color: '#123456' } })
      return peer.clientId
    })
    const presence = watchPresence(mine)
    expect(presence.peers.map(({ clientId }) => clientId)).toEqual(ids.sort((a, b) => a - b))
    expect(presence.peers[0]).toMatchObject({ name: 'Ann', color: '#123456', ink: '#ffffff', cursor: null })
  })

  test('includes oneself apart, as others see one now', () => {
    const mine = new Awareness(new Y.Doc())
    const presence = watchPresence(mine)
    mine.setLocalState({ user: { name: 'Ann', color: '#123456' } })
    expect(presence.self).toEqual({ ...readPeer(mine.clientID, mine.getLocalState()), name: 'Ann', color: '#123456' })
    expect(presence.peers).toEqual([])
  })

  test('is a new array for each change, in which those who did not change are the same', () => {
    const mine = awareness()
    const presence = watchPresence(mine)
    const [ann, bo] = [peerOf(mine), peerOf(mine)]
    ann.say({ user: { name: 'Ann' } })
    const alone = presence.peers
    const heard: string[][] = []
    presence.subscribe((peers) => heard.push(peers.map(({ name }) => name)))
    bo.say({ user: { name: 'Bo' } })
    expect(presence.peers).not.toBe(alone)
    expect(presence.peers.find(({ name }) => name === 'Ann')).toBe(alone[0])
    bo.say({ user: { name: 'Bob' } })
    removeAwarenessStates(mine, [ann.clientId], 'left')
    expect(heard.map((names) => names.sort())).toEqual([['Ann', 'Bo'], ['Ann', 'Bob'], ['Bob']])
  })

  test('does not change by what this editor does itself', () => {
    const mine = awareness()
    const presence = watchPresence(mine)
    const before = presence.peers
    presence.subscribe(() => expect.unreachable())
    mine.setLocalState({ user: { name: 'me' } })
    mine.setLocalState(null)
    expect(presence.peers).toBe(before)
  })

  test('is watched until destroyed, and nothing is left at the awareness', () => {
    const mine = awareness()
    const listeners = () => [...mine._observers.values()].reduce((sum, { size }) => sum + size, 0)
    const before = listeners()
    const presence = watchPresence(mine)
    presence.subscribe(() => expect.unreachable())
    expect(listeners()).toBe(before + 1)
    presence.destroy()
    expect(listeners()).toBe(before)
    peerOf(mine).say({})
    expect(presence.peers).toEqual([])
  })

  test('reaches the others when one listener throws, whose error is reported as uncaught', async () => {
    const uncaught = nextUncaughtException()
    const mine = awareness()
    const presence = watchPresence(mine)
    presence.subscribe(() => {
      throw new Error('of the listener')
    })
    let heard = 0
    presence.subscribe(() => heard++)
    peerOf(mine).say({})
    expect(heard).toBe(1)
    expect(await uncaught).toMatchObject({ message: 'of the listener' })
  })
})

describe('a hostile state', () => {
  const nameOf = (name: unknown) => readPeer(1, { user: { name } }).name

  test.each<[string, unknown, string]>([
    ['missing', undefined, 'Anonymous'],
    ['a number', 5, 'Anonymous'],
    ['an object', { toString: 'Ann' }, 'Anonymous'],
    ['empty', '', 'Anonymous'],
    ['blank', ' \t\n\u00a0\u2003', 'Anonymous'],
    ['made of invisible characters', '\u200b\u3164\u2060\ufeff\u{e0041}', 'Anonymous'],
    ['one that overrides directions', '\u202eeve\u202c \u2067x\u2069', 'eve x'],
    ['one with controls and line breaks', 'A\u0000n\u001bn\r\n\u2028Lee', 'Ann Lee'],
    ['one with half of a surrogate pair', 'Ann\ud83d', 'Ann'],
    ['markup', '<b>Ann</b>', '<b>Ann</b>'],
    ['one in a script from right to left', 'دانا', 'دانا'],
    ['an emoji of several parts', '👩‍👩‍👧', '👩‍👩‍👧'],
  ])('whose name is %s', (_title, name, expected) => {
    expect(nameOf(name)).toBe(expected)
  })

  test('with a name of 10 kB shows the first 40 characters, and cuts none', () => {
    expect(nameOf('x'.repeat(10_000))).toBe('x'.repeat(40))
    expect(nameOf('😀'.repeat(10_000))).toBe('😀'.repeat(40))
  })

  test.each([
    null,
    5,
    'red',
    'red;background:url(https://evil.example)',
    '#12345',
    '#1234567',
    '#ggg',
    '#fff;',
    '#fff\n',
    ['#ffffff'],
    'rgb(0,0,0)',
  ])('with the colour %j gets one of its client id', (color) => {
    expect(readPeer(12, { user: { color } }).color).toBe(colorOf(12))
  })

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['a number', 3],
    ['without a head', { anchor: POSITION }],
    ['with an anchor of null', { anchor: null, head: POSITION }],
    ['of numbers', { anchor: 1, head: 2 }],
    ['with a position that names nothing', { anchor: {}, head: POSITION }],
    ['with an id that is none', { anchor: { item: 5 }, head: POSITION }],
    ['with a negative clock', { anchor: { item: { client: 1, clock: -1 } }, head: POSITION }],
    ['with half a clock', { anchor: { item: { client: 1, clock: 0.5 } }, head: POSITION }],
    ['with a client that is a text', { anchor: { item: { client: '1', clock: 1 } }, head: POSITION }],
    ['with a type that is no id', { anchor: { type: 'x' }, head: POSITION }],
    ['with a type name that is none', { anchor: { tname: {} }, head: POSITION }],
  ])('with a cursor %s has none', (_title, cursor) => {
    expect(readPeer(1, { cursor }).cursor).toBeNull()
  })

  test('of any JSON gives a peer, and never an error', () => {
    const position = fc.record(
      { item: fc.jsonValue(), type: fc.jsonValue(), tname: fc.jsonValue(), assoc: fc.jsonValue() },
      { requiredKeys: [] },
    )
    const state = fc.record(
      {
        user: fc.oneof(fc.jsonValue(), fc.record({ name: fc.string({ unit: 'binary' }), color: fc.string() })),
        cursor: fc.oneof(fc.jsonValue(), fc.record({ anchor: position, head: position })),
      },
      { requiredKeys: [] },
    )
    const check = fc.property(fc.nat(), fc.oneof(fc.jsonValue(), state), (clientId, hostile) => {
      const { name, color, ink } = readPeer(clientId, hostile)
      expect(name).toMatch(/^\P{Cc}{1,80}$/u)
      expect(color).toMatch(/^#[\da-f]{6}$/)
      expect(ink).toMatch(/^#(0{6}|f{6})$/)
    })
    // What is no number, and cannot be made one, was an error once.
    const examples: [number, fc.JsonValue][] = [[0, { cursor: { anchor: { assoc: { toString: [] } }, head: {} } }]]
    fc.assert(check, { numRuns: runs(500), examples })
  })
})

test('a cursor is read whether it was sent as JSON of Yjs or as the position itself', () => {
  const text = new Y.Doc().getText('content')
  text.insert(0, 'abc')
  const head = Y.createRelativePositionFromTypeIndex(text, 2, -1)
  const sent: unknown = JSON.parse(JSON.stringify({ anchor: Y.relativePositionToJSON(head), head }))
  const { cursor } = readPeer(1, { cursor: sent })
  expect(Y.compareRelativePositions(cursor?.anchor ?? null, head)).toBe(true)
  expect(Y.compareRelativePositions(cursor?.head ?? null, head)).toBe(true)
})

describe('colours', () => {
  test('of three digits have six as well', () => {
    expect(readColor('#AbC')).toBe('#aabbcc')
    expect(readColor('#A1b2C3')).toBe('#a1b2c3')
  })

  test('are written on in ink with a contrast of at least 4.5 : 1', () => {
    const check = fc.property(fc.integer({ min: 0, max: 0xffffff }), (rgb) => {
      const color = `#${rgb.toString(16).padStart(6, '0')}`
      expect(contrast(color, inkOn(color))).toBeGreaterThanOrEqual(4.5)
    })
    fc.assert(check, { numRuns: runs(2_000) })
    for (let id = 0; id < 20; id++) expect(contrast(colorOf(id), '#ffffff')).toBeGreaterThanOrEqual(4.5)
  })
})

/** By WCAG 2.2, of two colours as `#rrggbb`. */
function contrast(a: string, b: string): number {
  const [light, dark] = [a, b].map(luminance).sort((one, other) => other - one)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(color: string): number {
  const [red, green, blue] = [...Buffer.from(color.slice(1), 'hex')].map((byte) => {
    const channel = byte / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
