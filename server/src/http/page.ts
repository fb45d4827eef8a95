import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Context, Hono } from 'hono'
import { compress } from 'hono/compress'
import { getMimeType } from 'hono/utils/mime'

/** Codes of the system for files that are not there; the last one is for names that no file may have. */
const MISSING = ['ENOENT', 'EISDIR', 'ENAMETOOLONG']

/** A plain file name: it holds no slash and does not start with a dot, so it cannot lead out of its directory. */
const FILE = '/:file{[\\w-][\\w.-]*}'

/** Vite puts a hash of the content into the names below /assets, so what such a URL names never changes. */
const IMMUTABLE = 'public, max-age=31536000, immutable'
/** Everything else is fetched anew: after an update the page must name assets that exist. */
const REVALIDATE = 'no-cache'

/**
 * What the page may do (CSP Level 3). `'self'` in `connect-src` covers WebSockets to the same host and port, so the policy
 * is the same below any base path and behind any proxy. No policy for Trusted Types may be made: text from
 * others can be written as text only.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/**
 * The built page: `/` and `/d/NAME` (one percent-encoded segment) are the same index.html, which reads the document's
 * name from its URL; `/new` leads to a document that nobody can guess. So is, with status 404, every address that
 * nothing else is at, for who wants HTML: there the page offers to create a document. Others get the answer of the
 * routes after these. `/status` shows how the server is doing, to whoever the API tells it.
 *
 * The build refers to its assets by relative URLs, and the page is served from two depths, so a `<base>` relative to
 * the depth is put in. All links and redirects are relative: they hold below any base path and behind a proxy that
 * strips one. The page finds the root it is served under as `document.baseURI`.
 *
 * Files are read when they are asked for, so that a page that is rebuilt meanwhile is served without a restart.
 *
 * @param basePath empty, or `/coedit`
 * @param directory absolute path of the build
 */
export function createPage(basePath: string, directory: string): Hono {
  const page = new Hono()
  page.use(compress())
  if (basePath !== '') page.get(basePath, (c) => c.redirect(`${basename(basePath)}/`))
  page.get(`${basePath}/`, (c) => sendPage(c, directory, './'))
  page.get(`${basePath}/d/:name`, (c) => sendPage(c, directory, '../'))
  page.get(`${basePath}/status`, (c) => sendPage(c, directory, './', { file: 'status.html' }))
  page.get(`${basePath}/new`, (c) => c.redirect(`d/${unguessableName()}`))
  page.get(`${basePath}/assets${FILE}`, async (c, next) => {
    return (await sendFile(c, join(directory, 'assets', c.req.param('file')), IMMUTABLE)) ?? next()
  })
  page.get(`${basePath}${FILE}`, async (c, next) => {
    return (await sendFile(c, join(directory, c.req.param('file')), REVALIDATE)) ?? next()
  })
  page.get(`${basePath}/*`, async (c, next) => {
    if (!c.req.header('accept')?.includes('text/html')) return next()
    return sendPage(c, directory, '../'.repeat(depth(c.req.url, basePath)) || './', { status: 404 })
  })
  return page
}

/** How many segments of a URL lie between the base path and its last one. */
function depth(url: string, basePath: string): number {
  return new URL(url).pathname.slice(basePath.length + 1).split('/').length - 1
}

interface PageChoice {
  readonly file?: 'index.html' | 'status.html'
  readonly status?: 200 | 404
}

async function sendPage(
  c: Context,
  directory: string,
  base: string,
  { file = 'index.html', status = 200 }: PageChoice = {},
): Promise<Response> {
  const html = await readIfPresent(join(directory, file))
  if (html === undefined) return c.text('The page is not built yet: run `npm run build`.\n', 503)
  const headers = { 'cache-control': REVALIDATE, 'content-security-policy': CONTENT_SECURITY_POLICY }
  return c.html(html.toString('utf8').replace(/<head[^>]*>/i, `$&<base href="${base}">`), status, headers)
}

async function sendFile(c: Context, path: string, cacheControl: string): Promise<Response | undefined> {
  const content = await readIfPresent(path)
  if (content === undefined) return undefined
  const type = getMimeType(path) ?? 'application/octet-stream'
  return c.body(content, 200, { 'content-type': type, 'cache-control': cacheControl })
}

async function readIfPresent(path: string): Promise<Buffer<ArrayBuffer> | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MISSING.some((code) => code === error.code)
}

/** 128 random bits: whoever has the link can edit, and nobody else finds the document. */
function unguessableName(): string {
  return randomBytes(16).toString('base64url')
}
