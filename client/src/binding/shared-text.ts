import type * as Y from 'yjs'

/** Stands for what is not text in a Y.Text (an image of a rich-text editor, say), so that offsets stay right. */
const EMBED = '\uFFFC'

/** The content of a Y.Text with one character for each embed: as long as the Y.Text says it is. */
export function readText(text: Y.Text): string {
  return text
    .toDelta()
    .map(({ insert }: { insert: unknown }) => (typeof insert === 'string' ? insert : EMBED))
    .join('')
}
