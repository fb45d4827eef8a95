import { describe, expect, test } from 'vitest'
import { Ledger } from '../../client/src/acknowledgement.ts'

const STEP_1 = Uint8Array.of(0, 0, 1, 0)
const STEP_2 = Uint8Array.of(0, 1, 2, 0, 0)
const UPDATE = Uint8Array.of(0, 2, 2, 0, 0)
const AWARENESS = Uint8Array.of(1, 1, 0)

function ledgerOf(...frames: readonly Uint8Array[]): Ledger {
  const ledger = new Ledger()
  for (const frame of frames) {
    if (frame === UPDATE) ledger.expectUpdate()
    ledger.record(frame)
  }
  return ledger
}

describe('Ledger', () => {
  test('a new socket has settled nothing: what was edited before is in the Step2 that is still to come', () => {
    expect(new Ledger().settled).toBe(false)
  })

  test('a Step2 is settled when it is acknowledged', () => {
    const ledger = ledgerOf(STEP_1, AWARENESS, STEP_2)
    expect(ledger.settled).toBe(false)
    ledger.acknowledge(1)
    expect(ledger.settled).toBe(true)
  })

  test('each update after that must be acknowledged as well', () => {
    const ledger = ledgerOf(STEP_2, UPDATE, UPDATE)
    ledger.acknowledge(2)
    expect(ledger.settled).toBe(false)
    ledger.acknowledge(3)
    expect(ledger.settled).toBe(true)
    ledger.expectUpdate()
    ledger.record(UPDATE)
    expect(ledger.settled).toBe(false)
  })

  test('a change that a closing socket does not send is not settled by what comes after it', () => {
    const ledger = ledgerOf(STEP_2, UPDATE)
    ledger.expectUpdate()
    ledger.acknowledge(2)
    expect(ledger.settled).toBe(false)
  })

  test('a change that waits for the Step2 is settled with it', () => {
    const ledger = new Ledger()
    ledger.expectUpdate()
    ledger.record(STEP_2)
    ledger.acknowledge(1)
    expect(ledger.settled).toBe(true)
  })

  test('updates without a Step2 settle nothing', () => {
    const ledger = ledgerOf(UPDATE)
    ledger.acknowledge(1)
    expect(ledger.settled).toBe(false)
  })

  test('a count that falls, or that exceeds what was sent, changes nothing', () => {
    const ledger = ledgerOf(STEP_2, UPDATE)
    ledger.acknowledge(3)
    expect(ledger.settled).toBe(false)
    ledger.acknowledge(2)
    ledger.acknowledge(1)
    expect(ledger.settled).toBe(true)
  })

  test('awareness and Step1 messages are not counted', () => {
    const ledger = ledgerOf(STEP_2, AWARENESS, STEP_1)
    ledger.acknowledge(1)
    expect(ledger.settled).toBe(true)
  })
})
