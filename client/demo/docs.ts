import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { Marked, Renderer } from 'marked'
import type { Plugin } from 'vite'

interface Paper {
  /** The file that it becomes. */
  readonly page: string
  /** From the repository's root. */
  readonly path: string
  readonly label: string
}

const PAPERS: readonly Paper[] = [
  { page: 'docs.html', path: 'client/README.md', label: 'In a page' },
  { page: 'docs-server.html', path: 'server/README.md', label: 'The server' },
  { page: 'docs-protocol.html', path: 'server/PROTOCOL.md', label: 'The protocol' },
]

/** Builds the papers as pages that need no script: whoever serves the demo has the docs of that version beside it. */
export function docs(repository: string): Plugin {
  const read = (path: string) => readFileSync(join(repository, path), 'utf8')
  const styles = ['client/demo/style.css', 'client/demo/docs.css']
  return {
    name: 'docs',
    buildStart() {
      for (const path of [...styles, ...PAPERS.map((paper) => paper.path)]) this.addWatchFile(join(repository, path))
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'docs.css', source: styles.map(read).join('\n') })
      for (const paper of PAPERS) {
        this.emitFile({ type: 'asset', fileName: paper.page, source: render(paper, read(paper.path)) })
      }
    },
  }
}

function render({ page, path, label }: Paper, markdown: string): string {
  const links = PAPERS.map((paper) => {
    const current = paper.page === page ? ' aria-current="page"' : ''
    return `<a href="./${paper.page}"${current}>${paper.label}</a>`
  })
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${label} – coedit</title>
    <link rel="stylesheet" href="./docs.css">
  </head>
  <body>
    <nav aria-label="Docs"><a href="./">coedit</a>${links.join('')}</nav>
    <main>${toHtml(markdown, posix.dirname(path))}</main>
  </body>
</html>
`
}

/** @param folder where the paper is, from which its links lead on */
function toHtml(markdown: string, folder: string): string {
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${anchor(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      link({ href, tokens }) {
        const target = targetOf(href, folder)
        const words = this.parser.parseInline(tokens)
        return target === undefined ? words : `<a href="${target}">${words}</a>`
      },
      // A table that is wider than a phone scrolls by itself, by keys as well.
      table(token) {
        return `<div class="wide" tabindex="0" role="group" aria-label="Table">${Renderer.prototype.table.call(this, token)}</div>`
      },
      code(token) {
        return Renderer.prototype.code.call(this, token).replace('<pre>', '<pre tabindex="0">')
      },
    },
  })
  return marked.parse(markdown, { async: false })
}

/** The id of a heading as links of the papers have it, which is GitHub's. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}

/** Where a link of a paper leads to; nowhere for a file that is no page here. */
function targetOf(href: string, folder: string): string | undefined {
  if (/^(#|https?:)/.test(href)) return href
  const [file = '', fragment] = href.split('#')
  const paper = PAPERS.find(({ path }) => path === posix.join(folder, file))
  return paper && `./${paper.page}${fragment === undefined ? '' : `#${fragment}`}`
}
