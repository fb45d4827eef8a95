import { find } from '../find.ts'
import type { Counts, Status } from './answers.ts'
import { Plot } from './plot.ts'
import { type Row, Rows } from './rows.ts'
import { bytes, QUANTITIES, type Sample } from './series.ts'

/** How much time the plots show. */
const SPAN_MS = 5 * 60_000

/** All that the page shows of the answers so far. */
export class Report {
  readonly #onChosen: (document: string) => void
  readonly #plots = QUANTITIES.map((quantity) => new Plot(quantity, SPAN_MS))
  readonly #busiest = new Rows(find(document, '#busiest', HTMLTableElement), 'None in memory.')
  readonly #damage = new Rows(find(document, '#damage', HTMLTableElement), 'None was found.')
  readonly #limits = new Rows(find(document, '#limits', HTMLTableElement), 'None so far.')
  readonly #closes = new Rows(find(document, '#closes', HTMLTableElement), 'None so far.')
  #samples: Sample[] = []

  /** @param onChosen called with the document that somebody wants to know more of */
  constructor(onChosen: (document: string) => void) {
    this.#onChosen = onChosen
    find(document, '#plots', HTMLElement).append(...this.#plots.map(({ element }) => element))
  }

  add(status: Status): void {
    const at = Date.parse(status.time)
    const last = this.#samples.at(-1)
    // A server that was started anew has counted anew.
    if (last && last.status.startedAt !== status.startedAt) this.#samples = []
    this.#samples = [...this.#samples.filter((sample) => sample.at >= at - SPAN_MS), { at, status }]
    this.#draw()
    this.#busiest.show(status.busiest.map((one) => this.#rowOf(one)))
    this.#damage.show([
      ...counted(status.damage, 'damage'),
      ...status.quarantined.map(({ name, updates }) => row(`kept aside of ${name}`, updates)),
    ])
    this.#limits.show([
      ...counted(status.limits, 'limits'),
      ...counted(status.refusals, 'refusals'),
      ...counted({ 'webhooks given up': status.webhooks.parked }, 'webhooks'),
    ])
    this.#closes.show(counted(status.closes, 'closes'))
  }

  #draw(): void {
    for (const [index, plot] of this.#plots.entries()) {
      const quantity = QUANTITIES[index]
      if (!quantity) continue
      const points = this.#samples.slice(1).map(({ at, status }, place) => {
        const before = this.#samples[place]
        const seconds = Math.max(0.001, (at - (before?.at ?? at)) / 1000)
        return { at, values: before ? quantity.of(status, before.status, seconds) : [] }
      })
      plot.show(points)
    }
  }

  #rowOf({ name, editsPerMinute, readers, bytes: size }: Status['busiest'][number]): Row {
    const cells = [
      { button: name, press: () => this.#onChosen(name) },
      { number: editsPerMinute.toLocaleString('en') },
      { number: readers.toLocaleString('en') },
      { number: bytes(size) },
    ]
    return { key: name, cells }
  }
}

function counted(counts: Counts, of: string): readonly Row[] {
  const entries = Object.entries(counts).filter(([, count]) => count > 0)
  return entries.sort(([, one], [, other]) => other - one).map(([name, count]) => row(name, count, of))
}

function row(name: string, count: number, of = ''): Row {
  return { key: `${of} ${name}`, cells: [name, { number: count.toLocaleString('en') }] }
}
