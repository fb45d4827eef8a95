import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The path of the only file whose name ends so. */
export async function fileWith(directory: string, ending: string): Promise<string> {
  const [name, ...others] = (await readdir(directory)).filter((file) => file.endsWith(ending))
  if (name === undefined || others.length > 0) throw new Error(`${directory} has not one file *${ending}`)
  return join(directory, name)
}
