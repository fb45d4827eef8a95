import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { paper } from '../support/papers.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAPERS = [
  'README.md',
  'SECURITY.md',
  'server/README.md',
  'server/PROTOCOL.md',
  'server/ARCHITECTURE.md',
  'server/SCALING.md',
  'server/MIGRATION.md',
  'client/README.md',
]

/** As hosts of repositories make them of headings. */
function anchorsIn(markdown: string): string[] {
  const headings = [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(' ', '-')
      .replace(/[^\w-]/g, ''),
  )
}

/** What is wrong with a link in a paper; undefined for one that leads somewhere. */
async function fault(from: string, link: string): Promise<string | undefined> {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? from : join(dirname(from), file)
  if (!existsSync(join(ROOT, target))) return `${from}: there is no ${target}`
  if (anchor === undefined || anchorsIn(await paper(target)).includes(anchor)) return undefined
  return `${from}: ${target} has no heading for #${anchor}`
}

test.each(PAPERS)('all links in %s lead to files and headings that exist', async (name) => {
  const text = await paper(name)
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link)
  const faults = await Promise.all(links.map((link) => fault(name, link)))
  expect(faults.filter((found) => found !== undefined)).toEqual([])
})

test('a link that leads nowhere is found', async () => {
  expect(await fault('README.md', 'server/nothing.md')).toBe('README.md: there is no server/nothing.md')
  expect(await fault('README.md', 'SECURITY.md#nothing')).toBe('README.md: SECURITY.md has no heading for #nothing')
  expect(await fault('SECURITY.md', 'server/README.md#backups')).toBeUndefined()
})
