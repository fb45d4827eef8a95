/** A cell: words, a number to the right, or something that can be pressed. */
export type Cell = string | { readonly number: string } | { readonly button: string; readonly press: () => void }

/** One row of a table, known again by its key. */
export interface Row {
  readonly key: string
  readonly cells: readonly Cell[]
}

/** Rows of a table that change while somebody looks: they keep their places while one of them is pointed at or has the focus. */
export class Rows {
  readonly #body: HTMLTableSectionElement
  readonly #none: string
  readonly #rows = new Map<string, HTMLTableRowElement>()

  /** @param none what is said where there are none */
  constructor(table: HTMLTableElement, none: string) {
    const [body] = table.tBodies
    if (!body) throw new Error('the table has no body')
    this.#body = body
    this.#none = none
  }

  show(rows: readonly Row[]): void {
    const keys = new Set(rows.map(({ key }) => key))
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue
      row.remove()
      this.#rows.delete(key)
    }
    for (const { key, cells } of rows) fill(this.#rowOf(key), cells)
    if (!this.#body.matches(':hover, :focus-within')) this.#sort(rows)
    this.#sayNone(rows.length === 0)
  }

  #rowOf(key: string): HTMLTableRowElement {
    const known = this.#rows.get(key)
    if (known) return known
    const row = this.#body.insertRow()
    this.#rows.set(key, row)
    return row
  }

  #sort(rows: readonly Row[]): void {
    for (const [index, { key }] of rows.entries()) {
      const row = this.#rows.get(key)
      const present = this.#body.rows[index]
      if (row && row !== present) this.#body.insertBefore(row, present ?? null)
    }
  }

  #sayNone(isEmpty: boolean): void {
    const said = this.#body.querySelector('.none')
    if (!isEmpty) said?.parentElement?.remove()
    else if (!said) {
      const cell = this.#body.insertRow().insertCell()
      cell.className = 'none'
      cell.colSpan = 9
      cell.textContent = this.#none
    }
  }
}

function fill(row: HTMLTableRowElement, cells: readonly Cell[]): void {
  for (const [index, cell] of cells.entries()) {
    const place = row.cells[index] ?? row.insertCell()
    if (typeof cell === 'string') place.textContent = cell
    else if ('number' in cell) {
      place.className = 'number'
      place.textContent = cell.number
    } else press(place, cell)
  }
}

/** The button stays the same, so that it keeps the focus. */
function press(place: HTMLTableCellElement, { button: words, press }: Extract<Cell, { button: string }>): void {
  const button = place.querySelector('button') ?? document.createElement('button')
  button.type = 'button'
  button.className = 'link'
  button.textContent = words
  button.onclick = press
  if (!button.isConnected) place.append(button)
}
