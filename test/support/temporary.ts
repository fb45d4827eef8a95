import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Takes what undoes an acquisition: `onTestFinished` or `afterAll` of vitest, or a collection of one's own. */
export type Release = (undo: () => Promise<void>) => void

/** Makes an empty directory that is removed with all that is in it. */
export async function temporaryDirectory(release: Release): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'coedit-'))
  release(() => rm(directory, { recursive: true, force: true }))
  return directory
}
