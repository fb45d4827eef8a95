import { find } from '../find.ts'
import { Refusal, type Status, StatusApi } from './answers.ts'
import { DocumentPanel } from './document-panel.ts'
import { Report } from './report.ts'

/** How long after an answer the next one is asked for. */
const PAUSE_MS = 2_000
/** Where a token outlives a reload of this tab, and nothing else. */
const KEPT = 'coedit-status-token'

const state = find(document, '#state', HTMLElement)
const server = find(document, '#server', HTMLElement)
const access = find(document, '#access', HTMLFormElement)
const token = find(document, '#token', HTMLInputElement)
const main = find(document, '#report', HTMLElement)

const api = new StatusApi(document.baseURI, sessionStorage.getItem(KEPT) ?? '')
const panel = new DocumentPanel(api)
const report = new Report((name) => panel.open(name))
let timer: ReturnType<typeof setTimeout> | undefined

access.addEventListener('submit', (event) => {
  event.preventDefault()
  api.token = token.value.trim()
  sessionStorage.setItem(KEPT, api.token)
  void look()
})
// Who does not look costs the server nothing.
document.addEventListener('visibilitychange', () => void look())
void look()

async function look(): Promise<void> {
  clearTimeout(timer)
  if (document.visibilityState === 'hidden') return
  try {
    const status = await api.status()
    report.add(status)
    main.hidden = false
    access.hidden = true
    tell(status)
    await panel.refresh()
  } catch (error) {
    if (error instanceof Refusal && (error.status === 401 || error.status === 403)) {
      ask(error)
      return
    }
    say('bad', error instanceof Refusal ? `The server refuses: ${error.message}.` : 'The server is not reached.')
  }
  clearTimeout(timer)
  timer = setTimeout(() => void look(), PAUSE_MS)
}

function ask({ message }: Refusal): void {
  main.hidden = true
  access.hidden = false
  say('waiting', api.token === '' ? 'This server asks for a token.' : `Refused: ${message}.`)
  token.focus()
}

function tell({ node, startedAt, storage, commitFailures }: Status): void {
  server.textContent = [node, `since ${new Date(startedAt).toLocaleString()}`].filter(Boolean).join(', ')
  if (storage.state === 'ok') say('good', 'All is well: the storage takes writes.')
  else say('bad', `Nothing can be stored: ${storage.error} (${commitFailures} commits failed).`)
}

function say(kind: 'good' | 'bad' | 'waiting', words: string): void {
  state.dataset.kind = kind
  if (state.textContent !== words) state.textContent = words
}
