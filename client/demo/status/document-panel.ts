import { find } from '../find.ts'
import { type Connection, Refusal, type StatusApi } from './answers.ts'
import { Rows } from './rows.ts'

/** Who is connected to one document, each of whom can be closed. */
export class DocumentPanel {
  readonly #api: StatusApi
  readonly #section = find(document, '#document', HTMLElement)
  readonly #heading = find(document, '#document-name', HTMLElement)
  readonly #shown = find(document, '#shown', HTMLElement)
  readonly #outcome = find(document, '#outcome', HTMLElement)
  readonly #rows = new Rows(find(document, '#connections', HTMLTableElement), 'Nobody, at this server.')
  #name: string | undefined

  constructor(api: StatusApi) {
    this.#api = api
    find(document, '#close-all', HTMLButtonElement).onclick = () => void this.#close()
    find(document, '#leave', HTMLButtonElement).onclick = () => this.leave()
  }

  open(name: string): void {
    this.#name = name
    this.#heading.textContent = name
    this.#outcome.textContent = ''
    this.#section.hidden = false
    this.#section.scrollIntoView({ block: 'nearest' })
    void this.refresh()
  }

  leave(): void {
    this.#name = undefined
    this.#section.hidden = true
  }

  async refresh(): Promise<void> {
    const name = this.#name
    if (name === undefined) return
    try {
      const { connections, shown } = await this.#api.connections(name)
      if (this.#name !== name) return
      this.#rows.show(connections.map((connection) => this.#row(connection)))
      this.#shown.textContent = shown.length > 0 ? `They call themselves ${shown.join(', ')}.` : ''
    } catch (error) {
      this.#say(error)
    }
  }

  #row(connection: Connection) {
    const { id, user, access, address, since } = connection
    const press = () => void this.#close(connection)
    const who = user ?? 'without a name'
    const cells = [who, access, address ?? 'this machine', ageOf(since), { button: 'Close', press }]
    return { key: String(id), cells }
  }

  async #close(connection?: Connection): Promise<void> {
    const name = this.#name
    if (name === undefined) return
    try {
      await this.#api.disconnect(name, connection?.id)
      this.#outcome.textContent = `${connection ? 'It was' : 'All were'} closed. Clients come back unless their access is taken away.`
      await this.refresh()
    } catch (error) {
      this.#say(error)
    }
  }

  #say(error: unknown): void {
    this.#outcome.textContent = error instanceof Refusal ? `Refused: ${error.message}.` : 'The server was not reached.'
  }
}

function ageOf(since: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
