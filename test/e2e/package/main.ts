import { bindTextarea, connect } from '@coedit/client'

const server = new URLSearchParams(location.search).get('server')
const textarea = document.querySelector('textarea')
if (server === null || textarea === null) throw new Error('the page lacks its textarea, or its address a server')

const notes = connect({ url: server, document: 'notes' })
bindTextarea(textarea, notes.text)
notes.subscribe(({ saved }) => {
  document.title = saved ? 'Saved' : 'Saving…'
})
