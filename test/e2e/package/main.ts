import { useConnection, useConnectionState, useTextarea } from '@coedit/client/react'
import { createElement, StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'

const server = new URLSearchParams(location.search).get('server')
const root = document.querySelector('main')
if (server === null || root === null) throw new Error('the page lacks its root, or its address a server')

function Notes({ url }: { url: string }) {
  const notes = useConnection({ url, document: 'notes' })
  const { saved } = useConnectionState(notes)
  const { ref } = useTextarea(notes)
  useEffect(() => {
    document.title = saved ? 'Saved' : 'Saving…'
  }, [saved])
  return createElement('textarea', { ref, 'aria-label': 'Notes' })
}

createRoot(root).render(createElement(StrictMode, null, createElement(Notes, { url: server })))
