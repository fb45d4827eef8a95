import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeNodeMessage,
  encodeNodeMessage,
  type NodeEntry,
  type NodeItem,
} from '../../server/src/protocol/wire/node-messages.ts'
import { runs } from '../support/runs.ts'

const uint = fc.maxSafeNat()
const bytes = fc.uint8Array({ maxLength: 40 })
const document = fc.string({ unit: 'binary' })
const entry: fc.Arbitrary<NodeEntry> = fc.record({
  clientId: uint,
  clock: uint,
  ownClock: uint,
  strong: fc.boolean(),
  claimedAt: uint,
  state: bytes,
})
const item: fc.Arbitrary<NodeItem> = fc.oneof(
  fc.record({ type: fc.constant('ask' as const), node: uint, document }),
  fc.record({ type: fc.constant('states' as const), document, isWhole: fc.boolean(), entries: fc.array(entry) }),
  fc.record({ type: fc.constant('leave' as const), document }),
  fc.record({ type: fc.constant('contest' as const), node: uint, document, clientId: uint, user: bytes }),
  fc.record({ type: fc.constantFrom('asking' as const, 'held' as const), node: uint, document, clientId: uint }),
  fc.record({ type: fc.constant('free' as const), document, clientId: uint }),
  fc.record({ type: fc.constant('exceed' as const), node: uint, document, clientId: uint, clock: uint }),
  fc.record({ type: fc.constant('suspect' as const), node: uint }),
  fc.record({ type: fc.constant('disconnect' as const), document, user: fc.option(document, { nil: undefined }) }),
)
const message = fc.record({ node: uint, number: uint, items: fc.array(item) }, { noNullPrototype: true })

test('what one server says is what another one reads', () => {
  fc.assert(
    fc.property(message, (said) => {
      expect(decodeNodeMessage(encodeNodeMessage(said))).toEqual(said)
    }),
    { numRuns: runs(500) },
  )
})

test('bytes that no server says are refused, or read as a message that one might say', () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(255), (said, at, value) => {
      const spoilt = encodeNodeMessage(said)
      spoilt[at % spoilt.length] = value
      try {
        const read = decodeNodeMessage(spoilt)
        expect(decodeNodeMessage(encodeNodeMessage(read))).toEqual(read)
      } catch (error) {
        expect(error).toMatchObject({ code: 'MESSAGE_MALFORMED' })
      }
    }),
    { numRuns: runs(500) },
  )
})
