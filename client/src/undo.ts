export type HistoryCommand = 'undo' | 'redo'

/** What a key press asks for, by the shortcuts of Windows, Linux and macOS. */
export function historyKey(event: KeyboardEvent): HistoryCommand | null {
  if (event.altKey || event.ctrlKey === event.metaKey) return null
  const key = event.key.toLowerCase()
  if (key === 'z') return event.shiftKey ? 'redo' : 'undo'
  if (key === 'y' && event.ctrlKey && !event.shiftKey) return 'redo'
  return null
}

/** What an input event asks for, as the context menu and the menu bar raise it. */
export function historyInput(event: InputEvent): HistoryCommand | null {
  if (event.inputType === 'historyUndo') return 'undo'
  if (event.inputType === 'historyRedo') return 'redo'
  return null
}
