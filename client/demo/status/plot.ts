import type { Quantity, Values } from './series.ts'

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 300
const HEIGHT = 80
const MIN_SPAN_MS = 60_000

/** One moment of a plot. */
interface Point {
  readonly at: number
  readonly values: Values
}

/** The values of one quantity over some time, as lines, with those of now, or of where the pointer is, in words. */
export class Plot {
  readonly element = document.createElement('figure')
  readonly #quantity: Quantity
  readonly #maxSpanMs: number
  #spanMs: number
  readonly #numbers: readonly HTMLElement[]
  readonly #lines: readonly SVGPathElement[]
  readonly #top = document.createElement('span')
  readonly #drawing = document.createElementNS(SVG, 'svg')
  readonly #hair = document.createElementNS(SVG, 'path')
  #points: readonly Point[] = []
  /** How long before the last moment the pointer is. */
  #pointedMs: number | undefined

  /** @param maxSpanMs how much time it shows, once there is so much to show */
  constructor(quantity: Quantity, maxSpanMs: number) {
    this.#quantity = quantity
    this.#maxSpanMs = maxSpanMs
    this.#spanMs = MIN_SPAN_MS
    const caption = document.createElement('figcaption')
    const title = document.createElement('h2')
    title.textContent = quantity.title
    caption.append(title)
    this.#numbers = quantity.lines.map((line, index) => {
      const [entry, number] = [document.createElement('span'), document.createElement('b')]
      entry.className = 'entry'
      entry.dataset.line = String(index)
      entry.append(number, ` ${line}`)
      caption.append(entry)
      return number
    })
    this.#drawing.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
    this.#drawing.setAttribute('preserveAspectRatio', 'none')
    this.#drawing.setAttribute('role', 'img')
    this.#lines = quantity.lines.map((_, index) => this.#path(`line-${index}`))
    this.#drawing.append(this.#hair)
    this.#hair.setAttribute('class', 'hair')
    this.#top.className = 'top'
    const drawn = document.createElement('div')
    drawn.className = 'drawn'
    drawn.append(this.#top, this.#drawing)
    this.element.append(caption, drawn)
    this.#drawing.addEventListener('pointermove', ({ offsetX }) => {
      this.#point((1 - offsetX / this.#drawing.clientWidth) * this.#spanMs)
    })
    this.#drawing.addEventListener('pointerleave', () => this.#point(undefined))
  }

  show(points: readonly Point[]): void {
    this.#points = points
    const end = points.at(-1)?.at ?? 0
    this.#spanMs = Math.min(this.#maxSpanMs, Math.max(MIN_SPAN_MS, end - (points[0]?.at ?? end)))
    const all = points.flatMap(({ values }) => values.filter((value) => value !== null))
    const most = Math.max(...all, Number.MIN_VALUE)
    this.#top.textContent = all.length > 0 ? this.#quantity.show(most) : ''
    for (const [index, line] of this.#lines.entries()) {
      let isDrawing = false
      const steps = points.flatMap(({ at, values }) => {
        const value = values[index] ?? null
        const command = isDrawing ? 'L' : 'M'
        isDrawing = value !== null
        if (value === null) return []
        const x = WIDTH * (1 - (end - at) / this.#spanMs)
        const y = HEIGHT - 2 - (HEIGHT - 6) * (value / most)
        // A moment alone is a dot.
        return [`${command}${x.toFixed(1)} ${y.toFixed(1)}h0`]
      })
      line.setAttribute('d', steps.join(''))
    }
    this.#tell()
  }

  #point(ms: number | undefined): void {
    this.#pointedMs = ms
    this.#tell()
  }

  /** Says in words what is at the pointer, or now. */
  #tell(): void {
    const end = this.#points.at(-1)?.at ?? 0
    const at = end - (this.#pointedMs ?? 0)
    const point = this.#points.filter((one) => one.at <= at).at(-1) ?? this.#points.at(-1)
    const words = this.#quantity.lines.map((line, index) => {
      const value = point?.values[index] ?? null
      return { line, words: value === null ? '–' : this.#quantity.show(value) }
    })
    for (const [index, number] of this.#numbers.entries()) number.textContent = words[index]?.words ?? ''
    const x = point && this.#pointedMs !== undefined ? WIDTH * (1 - (end - point.at) / this.#spanMs) : undefined
    this.#hair.setAttribute('d', x === undefined ? '' : `M${x.toFixed(1)} 0V${HEIGHT}`)
    const spoken = words.map((one) => `${one.line} ${one.words}`).join(', ')
    this.#drawing.setAttribute('aria-label', `${this.#quantity.title}: ${spoken}`)
  }

  #path(name: string): SVGPathElement {
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('class', name)
    this.#drawing.append(path)
    return path
  }
}
