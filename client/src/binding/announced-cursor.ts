import type { Awareness } from 'y-protocols/awareness'
import type { KeptSelection } from './selection.ts'

/** The field of the local state, the same as other Yjs bindings use (y-codemirror.next, y-quill). */
const FIELD = 'cursor'

/** Where one element's selection is, as others are told. Of several elements, the one that had the focus last tells it. */
export interface AnnouncedCursor {
  announce(selection: KeptSelection | null, hasFocus: boolean): void
  withdraw(): void
}

export function cursorIn(awareness: Awareness): AnnouncedCursor {
  let announced: KeptSelection | null = null
  const isHolder = () => announced !== null && awareness.getLocalState()?.[FIELD] === announced
  return {
    announce(selection, hasFocus) {
      if (isHolder() ? JSON.stringify(selection) === JSON.stringify(announced) : !hasFocus) return
      announced = selection
      awareness.setLocalStateField(FIELD, selection)
    },
    withdraw() {
      if (isHolder()) awareness.setLocalStateField(FIELD, null)
    },
  }
}
