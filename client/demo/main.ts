import { announcePeers, watchPresence } from '@coedit/client'
import { offerActions } from './actions.ts'
import { find } from './find.ts'
import { destination, isReadOnly } from './location.ts'
import { showLost } from './lost.ts'
import { Panes } from './panes.ts'
import { offerPast } from './past.ts'
import { showPeople } from './people.ts'
import code from './share.ts?raw'
import { offerSplit } from './split.ts'
import { Title } from './title.ts'
import { followViewport } from './viewport.ts'

// The server says by <base> where it is mounted.
const root = document.baseURI
followViewport(document.documentElement, visualViewport)
find(document, '#code', HTMLElement).textContent = code

const goal = destination(root, location.href)
if (goal.document === null) showLost(goal.candidate)
else openDocument(goal.document)

function openDocument(name: string): void {
  const access = isReadOnly(location.href) ? 'read' : 'write'
  document.body.dataset.page = access
  const panes = Panes.open(find(document, '.pane', HTMLElement), { root, document: name, access })
  const { connection, textarea } = panes.first
  if (access === 'write') textarea.focus()
  const title = new Title(name, connection)
  title.show(access)
  const presence = watchPresence(connection.awareness)
  announcePeers(connection.awareness)
  showPeople(find(document, '#people', HTMLUListElement), presence, panes.first)
  offerSplit(find(document, '#split', HTMLButtonElement), find(document, '#panes', HTMLElement), panes, presence)
  offerActions(panes, name, title)
  offerPast(root, name, presence)
}
