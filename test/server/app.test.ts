import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { Hono } from 'hono'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type AppOptions, createApp } from '../../server/src/http/app.ts'
import { Refusals } from '../../server/src/http/refusals.ts'
import type { Env } from '../../server/src/http/routes.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'

/** Serves an app over a real socket; the answer is the address below which it is mounted, without a slash. */
async function serve(options: Partial<AppOptions> = {}) {
  const publicDirectory = await builtPage()
  const { log, lines } = recordingLog()
  const basePath = options.basePath ?? ''
  const app = createApp({
    basePath,
    publicDirectory,
    checkHost: () => undefined,
    stallTimeoutMs: 60_000,
    health: () => ({ status: 'ok' }),
    readiness: () => ({ status: 'ready' }),
    log,
    refusals: new Refusals(new ManualClock(), log),
    ...options,
  })
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const { port } = server.address() as AddressInfo
  return { port, root: `http://127.0.0.1:${port}${basePath}`, lines }
}

async function builtPage(): Promise<string> {
  const directory = await temporaryDirectory(onTestFinished)
  await mkdir(join(directory, 'assets'))
  await writeFile(
    join(directory, 'index.html'),
    '<!doctype html><html><head lang="en"><title>coedit</title></head></html>',
  )
  await writeFile(join(directory, 'assets', 'index-a1b2.js'), 'export const page = 1\n')
  await writeFile(join(directory, 'favicon.svg'), '<svg/>')
  await writeFile(join(directory, '.env'), 'SECRET=1')
  return directory
}

describe.each(['', '/coedit', '/team/coedit'])('mounted at "%s"', (basePath) => {
  test('the page answers at the root and at one segment below /d, with a base that leads to the root', async () => {
    const { root } = await serve({ basePath })
    for (const [path, base] of [
      ['/', './'],
      ['/d/notes', '../'],
      ['/d/a%2Fb%20%C3%A9', '../'],
      ['/d/100%', '../'],
    ]) {
      const answer = await fetch(`${root}${path}`)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toMatch(/^text\/html/)
      expect(answer.headers.get('cache-control')).toBe('no-cache')
      expect(await answer.text()).toContain(`<head lang="en"><base href="${base}">`)
      expect(new URL(base ?? '', answer.url).href).toBe(`${root}/`)
    }
  })

  test('hashed assets are immutable, other files are revalidated', async () => {
    const { root } = await serve({ basePath })
    const asset = await fetch(`${root}/assets/index-a1b2.js`)
    expect(asset.headers.get('content-type')).toMatch(/^text\/javascript/)
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(await asset.text()).toBe('export const page = 1\n')
    const icon = await fetch(`${root}/favicon.svg`)
    expect(icon.headers.get('content-type')).toMatch(/^image\/svg\+xml/)
    expect(icon.headers.get('cache-control')).toBe('no-cache')
  })

  test('/new leads to a fresh document with an unguessable name', async () => {
    const { root } = await serve({ basePath })
    const names = await Promise.all(
      [1, 2].map(async () => {
        const answer = await fetch(`${root}/new`, { redirect: 'manual' })
        expect(answer.status).toBe(302)
        const target = new URL(answer.headers.get('location') ?? '', answer.url).href
        expect(target.startsWith(`${root}/d/`)).toBe(true)
        return target.slice(`${root}/d/`.length)
      }),
    )
    for (const name of names) expect(name).toMatch(/^[\w-]{22}$/)
    expect(names[0]).not.toBe(names[1])
  })

  test('health is 200 while ok and 503 with the reason while degraded', async () => {
    const health = { current: { status: 'ok' } as ReturnType<AppOptions['health']> }
    const { root } = await serve({ basePath, health: () => health.current })
    const ok = await fetch(`${root}/health`)
    expect([ok.status, await ok.json(), ok.headers.get('cache-control')]).toEqual([200, { status: 'ok' }, 'no-store'])
    health.current = { status: 'degraded', reason: 'ENOSPC' }
    const degraded = await fetch(`${root}/health`)
    expect([degraded.status, await degraded.json()]).toEqual([503, { status: 'degraded', reason: 'ENOSPC' }])
  })

  test('ready is 200 while ready and 503 with the reason while not', async () => {
    const readiness = { current: { status: 'ready' } as ReturnType<AppOptions['readiness']> }
    const { root } = await serve({ basePath, readiness: () => readiness.current })
    const ready = await fetch(`${root}/ready`)
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }])
    expect(ready.headers.get('cache-control')).toBe('no-store')
    readiness.current = { status: 'unready', reason: 'ENOSPC' }
    const unready = await fetch(`${root}/ready`)
    expect([unready.status, await unready.json()]).toEqual([503, { status: 'unready', reason: 'ENOSPC' }])
  })

  test('routes that are passed in are mounted below the base path, with the name of a document as one segment', async () => {
    const routes = new Hono<Env>().get('/api/documents/:name/events', (c) => c.text(c.req.param('name')))
    const { root } = await serve({ basePath, routes: [routes] })
    expect(await (await fetch(`${root}/api/documents/a%2Fb%20c/events`)).text()).toBe('a/b c')
  })

  test('everything else is 404 as JSON', async () => {
    const { root } = await serve({ basePath })
    for (const path of [
      '/nope',
      '/d/a/b',
      '/d/',
      '/assets/',
      '/assets/nope.js',
      `/${'x'.repeat(10_000)}`,
      `/assets/${'x'.repeat(10_000)}`,
      '/.env',
      '/assets/..%2f.env',
      '/%2e%2e%2f.env',
    ]) {
      const answer = await fetch(`${root}${path}`)
      expect([path, answer.status]).toEqual([path, 404])
      expect(await answer.json()).toEqual({ error: { code: 'NOT_FOUND', message: expect.any(String) } })
    }
  })
})

test.each(['', '/team/coedit'])(
  'a browser gets the page at a wrong address below "%s", with status 404 and the base',
  async (basePath) => {
    const { root } = await serve({ basePath })
    for (const [path, base] of [
      ['/nope', './'],
      ['/nope/', '../'],
      ['/d', './'],
      ['/d/', '../'],
      ['/d/a/b', '../../'],
      ['/a%2Fb?c/d', './'],
      ['/assets/nope.js', '../'],
    ]) {
      const answer = await fetch(`${root}${path}`, { headers: { accept: 'text/html,*/*;q=0.8' } })
      expect([path, answer.status, answer.headers.get('cache-control')]).toEqual([path, 404, 'no-cache'])
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(await answer.text()).toContain(`<head lang="en"><base href="${base}">`)
      expect(new URL(base ?? '', answer.url).href).toBe(`${root}/`)
    }
  },
)

test('the base path without its slash leads to the page', async () => {
  const { root } = await serve({ basePath: '/team/coedit' })
  const answer = await fetch(root)
  expect([answer.status, answer.url]).toEqual([200, `${root}/`])
})

test('assets are compressed for whoever accepts it', async () => {
  const { root } = await serve()
  const packed = await fetch(`${root}/assets/index-a1b2.js`, { headers: { 'accept-encoding': 'gzip' } })
  expect(packed.headers.get('content-encoding')).toBe('gzip')
  expect(packed.headers.get('vary')).toMatch(/accept-encoding/i)
  expect(await packed.text()).toBe('export const page = 1\n')
  const plain = await fetch(`${root}/assets/index-a1b2.js`, { headers: { 'accept-encoding': 'identity' } })
  expect(plain.headers.has('content-encoding')).toBe(false)
  expect(await plain.text()).toBe('export const page = 1\n')
})

test('outside of the base path nothing answers', async () => {
  const { port } = await serve({ basePath: '/coedit' })
  for (const path of ['/', '/health', '/new', '/coeditor/', '/d/notes']) {
    expect([path, (await fetch(`http://127.0.0.1:${port}${path}`)).status]).toEqual([path, 404])
  }
})

test('without a build the page is 503 with what to do, and health still answers', async () => {
  const { root } = await serve({ publicDirectory: join(await temporaryDirectory(onTestFinished), 'missing') })
  for (const path of ['/', '/d/notes']) {
    const answer = await fetch(`${root}${path}`)
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('npm run build')])
  }
  expect((await fetch(`${root}/health`)).status).toBe(200)
})

test('every answer forbids foreign content, sniffing and referrers', async () => {
  const { root } = await serve()
  for (const path of ['/', '/d/notes', '/health', '/nope', '/assets/index-a1b2.js', '/new']) {
    const { headers } = await fetch(`${root}${path}`, { redirect: 'manual' })
    expect(headers.get('content-security-policy')).toMatch(/^default-src '(self|none)';/)
    expect(headers.get('content-security-policy')).not.toMatch(/unsafe/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  }
})

test('the page may load what this server serves and nothing else, and writes no markup from text', async () => {
  const { root } = await serve()
  for (const path of ['/', '/d/notes']) {
    const { headers } = await fetch(`${root}${path}`)
    const policy = new Map(
      headers
        .get('content-security-policy')
        ?.split('; ')
        .map((rule) => [rule.slice(0, rule.indexOf(' ')), rule.slice(rule.indexOf(' ') + 1)]),
    )
    expect(Object.fromEntries(policy)).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'img-src': "'self'",
      'connect-src': "'self'",
      'base-uri': "'self'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
      'trusted-types': "'none'",
    })
  }
})

test('a route that throws answers 500 as JSON without its message, which goes to the log without the query', async () => {
  const routes = new Hono<Env>().get('/api/broken', () => {
    throw new Error('secret detail')
  })
  const { root, lines } = await serve({ routes: [routes] })
  const answer = await fetch(`${root}/api/broken?token=abc`)
  const body = await answer.text()
  expect(answer.status).toBe(500)
  expect(JSON.parse(body).error.code).toBe('INTERNAL')
  expect(body).not.toContain('secret')
  expect(lines).toMatchObject([{ level: 'error', facts: { path: '/api/broken' }, message: 'request failed' }])
  expect(JSON.stringify(lines)).not.toContain('token')
})

test('answers and lines of the log have the id of a trace, or one of their own', async () => {
  const routes = new Hono<Env>().get('/api/broken', () => {
    throw new Error('detail')
  })
  const { root, lines } = await serve({ routes: [routes] })
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
  const ask = async (traceparent?: string) => {
    const { headers } = await fetch(`${root}/api/broken`, { ...(traceparent && { headers: { traceparent } }) })
    return headers.get('x-request-id')
  }
  const own = await ask()
  const malformed = await ask(`00-${trace}-zz`)
  expect(own).toMatch(/^[0-9a-f]{32}$/)
  expect(malformed).toMatch(/^[0-9a-f]{32}$/)
  expect(malformed).not.toBe(trace)
  expect(await ask(`00-${trace}-00f067aa0ba902b7-01`)).toBe(trace)
  expect(lines.map(({ facts }) => facts)).toMatchObject([{ request: own }, { request: malformed }, { request: trace }])
})

test('a request with a malformed Host header is refused and the server goes on', async () => {
  const { root, port } = await serve()
  const socket = connect(port, '127.0.0.1')
  const received: Buffer[] = []
  socket.on('data', (bytes) => received.push(bytes))
  socket.end('GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  expect(Buffer.concat(received).toString()).toMatch(/^HTTP\/1\.1 400 /)
  expect((await fetch(`${root}/health`)).status).toBe(200)
})
