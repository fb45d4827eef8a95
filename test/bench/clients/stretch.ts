import { Countdown } from './countdown.ts'
import { Latencies } from './latencies.ts'
import type { Delivered } from './typing-ledger.ts'

/** What is measured of a load that goes on: while a server warms up, or after that. */
export class Stretch implements Delivered {
  latencies = new Latencies()
  #outstanding = new Countdown(0)

  /** Starts over; resolves once so many deliveries have been made. */
  begin(deliveries: number): Promise<void> {
    this.latencies = new Latencies()
    this.#outstanding = new Countdown(deliveries)
    return this.#outstanding.done
  }

  seen(ms: number): void {
    this.latencies.add(ms)
  }

  delivered(edits: number): void {
    this.#outstanding.count(edits)
  }
}
