import { announcePeers, watchPresence } from '@coedit/client'
import { offerActions } from './actions.ts'
import { find } from './find.ts'
import { documentName, isReadOnly } from './location.ts'
import { Panes } from './panes.ts'
import { showPeople } from './people.ts'
import code from './share.ts?raw'
import { offerSplit } from './split.ts'

// The server says by <base> where it is mounted.
const root = document.baseURI
const name = documentName(root, location.href)
const access = isReadOnly(location.href) ? 'read' : 'write'
document.title = `${name} – coedit`
document.body.dataset.access = access
find(document, '#name', HTMLElement).textContent = name
find(document, '#code', HTMLElement).textContent = code

const panes = Panes.open(find(document, '.pane', HTMLElement), { root, document: name, access })
panes.first.textarea.focus()
const presence = watchPresence(panes.first.connection.awareness)
announcePeers(panes.first.connection.awareness)
showPeople(find(document, '#people', HTMLUListElement), presence)
offerSplit(find(document, '#split', HTMLButtonElement), find(document, '#panes', HTMLElement), panes, presence)
offerActions(panes, name)
