'use client'

import { useCarets, useConnection, useConnectionState, useTextarea } from '@coedit/client/react'

export function Notes() {
  const notes = useConnection({ url: 'ws://localhost:1234', document: 'notes', user: { name: 'Ann' } })
  const { saved } = useConnectionState(notes)
  const { ref, binding } = useTextarea(notes)
  useCarets(notes, binding)
  return <textarea ref={ref} title={saved ? 'Saved' : 'Saving…'} />
}
