import { describe, expect, test } from 'vitest'
import { Ledger } from '../../client/src/connection/acknowledgement.ts'

function ledgerOf(...sent: readonly ('Step2' | 'Update')[]): Ledger {
  const ledger = new Ledger()
  for (const message of sent) {
    if (message === 'Step2') ledger.sentStep2()
    else ledger.sentUpdate(0)
  }
  return ledger
}

describe('Ledger', () => {
  test('a new socket has settled nothing: what was edited before is in the Step2 that is still to come', () => {
    expect(new Ledger().settled).toBe(false)
  })

  test('a Step2 is settled when it is acknowledged', () => {
    const ledger = ledgerOf('Step2')
    expect(ledger.settled).toBe(false)
    ledger.acknowledge(1, 0)
    expect(ledger.settled).toBe(true)
  })

  test('each update after that must be acknowledged as well', () => {
    const ledger = ledgerOf('Step2', 'Update', 'Update')
    ledger.acknowledge(2, 0)
    expect(ledger.settled).toBe(false)
    ledger.acknowledge(3, 0)
    expect(ledger.settled).toBe(true)
    ledger.sentUpdate(0)
    expect(ledger.settled).toBe(false)
  })

  test('updates without a Step2 settle nothing', () => {
    const ledger = ledgerOf('Update')
    ledger.acknowledge(1, 0)
    expect(ledger.settled).toBe(false)
  })

  test('a count that falls, or that exceeds what was sent, changes nothing', () => {
    const ledger = ledgerOf('Step2', 'Update')
    ledger.acknowledge(3, 0)
    expect(ledger.settled).toBe(false)
    ledger.acknowledge(2, 0)
    ledger.acknowledge(1, 0)
    expect(ledger.settled).toBe(true)
  })

  test('an edit that a closing socket could not send is not settled by what comes after it', () => {
    const ledger = ledgerOf('Step2', 'Update')
    ledger.missedUpdate()
    ledger.acknowledge(2, 0)
    expect(ledger.settled).toBe(false)
  })

  test('an edit made while the socket was being opened is settled with the Step2, which has it', () => {
    const ledger = new Ledger()
    ledger.missedUpdate()
    ledger.sentStep2()
    ledger.acknowledge(1, 0)
    expect(ledger.settled).toBe(true)
  })

  test('times an update until it is durable, one at a time, and by the one that waited longest', () => {
    const ledger = ledgerOf('Step2')
    expect(ledger.acknowledge(1, 5)).toBe(undefined)
    ledger.sentUpdate(10)
    ledger.sentUpdate(12)
    expect(ledger.acknowledge(2, 16)).toBe(6)
    expect(ledger.acknowledge(3, 30)).toBe(undefined)
    ledger.sentUpdate(40)
    expect(ledger.acknowledge(4, 41)).toBe(1)
    expect(ledger.acknowledge(4, 50)).toBe(undefined)
  })

  test('a clock that is set back makes no negative time', () => {
    const ledger = ledgerOf('Step2')
    ledger.sentUpdate(10)
    expect(ledger.acknowledge(2, 5)).toBe(0)
  })
})
