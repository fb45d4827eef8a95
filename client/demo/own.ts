import type { Connection } from '@coedit/client'
import { isUnguessable } from './location.ts'
import { recall, remember } from './memory.ts'

/**
 * Whether the document is one's own, where a megabyte disturbs nobody: nobody finds it without its link, and this
 * browser was there while it was empty. Resolves when the server has told what is in it.
 */
export async function isOwn(name: string, { whenSynced, text }: Connection): Promise<boolean> {
  if (!isUnguessable(name)) return false
  const key = `own.${name}`
  if (recall('browser', key) !== null) return true
  try {
    await whenSynced
  } catch {
    // The server refuses the document, which the state says.
    return false
  }
  if (text.length > 0) return false
  remember('browser', key, 'yes')
  return true
}
