import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nameOfFile, SUFFIX } from './file-names.ts'
import type { Visit } from './source.ts'
import { readYSweet } from './y-sweet.ts'

const Y_SWEET = 'data.ysweet'

/**
 * Calls `visit` for each document in a directory and those in it: a file NAME.bin is an update, whose name may have
 * slashes, and a file NAME/data.ysweet is what y-sweet stores. Other files are none of its business.
 */
export async function readFiles(directory: string, visit: Visit): Promise<void> {
  for await (const path of pathsIn(directory, [])) {
    const name = path.join('/')
    const read = async () => new Uint8Array(await readFile(join(directory, ...path)))
    if (path.at(-1) === Y_SWEET) await visit(readYSweet(path.slice(0, -1).join('/'), await read()))
    else if (name.endsWith(SUFFIX)) await visit({ name: nameOfFile(path), updates: [await read()], problems: [] })
  }
}

/** The parts of each file's path, in an order that is always the same. */
async function* pathsIn(directory: string, parents: readonly string[]): AsyncGenerator<readonly string[]> {
  const entries = await readdir(join(directory, ...parents), { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = [...parents, entry.name]
    if (entry.isDirectory()) yield* pathsIn(directory, path)
    else yield path
  }
}
