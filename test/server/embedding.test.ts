import { once } from 'node:events'
import {
  createServer as createHttpServer,
  get,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type CoeditServer, createServer } from '../../server/src/index.ts'
import { recordingLog } from '../support/log.ts'
import { allRead, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished

/** A coedit server that others listen for. */
async function embeddable(basePath: string): Promise<CoeditServer> {
  const { log } = recordingLog()
  const coedit = createServer({ data: await temporaryDirectory(release), basePath, shutdownSpreadMs: 0 }, { log })
  release(() => coedit.close())
  return coedit
}

/** Listens on a free port; resolves with the URL, without a slash at its end. */
async function listen(http: Server): Promise<string> {
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  release(async () => {
    http.closeAllConnections()
    http.close()
  })
  return urlOf(http.address())
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  return `http://127.0.0.1:${address.port}`
}

/** Two clients share a text, the HTTP side answers beside the host's own, and closing leaves the host running. */
async function expectEmbedded(coedit: CoeditServer, url: string): Promise<void> {
  const client = await syncedClient({ release, url: `${url}/coedit`, document: 'notes' })
  const other = await syncedClient({ release, url: `${url}/coedit`, document: 'notes' })
  textOf(client).insert(0, 'shared')
  await allRead([client, other], 'shared')
  expect(await (await fetch(`${url}/coedit/health`)).json()).toEqual({ status: 'ok' })
  expect(await (await fetch(`${url}/own`)).text()).toBe('of the host')

  const lost = [client.lost(), other.lost()]
  await coedit.close()
  await Promise.all(lost)
  expect(await (await fetch(`${url}/own`)).text()).toBe('of the host')
}

describe('handleUpgrade and handleRequest', () => {
  test('inside of a server of node:http', async () => {
    const coedit = await embeddable('/coedit')
    const listener: RequestListener = (request, response) => {
      if (request.url?.startsWith('/coedit/')) void coedit.handleRequest(request, response)
      else response.end('of the host')
    }
    const http = createHttpServer(listener)
    http.on('upgrade', (request, socket, head) => coedit.handleUpgrade(request, socket, head))
    await coedit.open()
    await expectEmbedded(coedit, await listen(http))
  })

  test('inside of Express 5', async () => {
    const coedit = await embeddable('/coedit')
    const app = express()
    app.get('/own', (_request, response) => {
      response.send('of the host')
    })
    app.all('/coedit/*path', (request, response) => coedit.handleRequest(request, response))
    const http = createHttpServer(app)
    http.on('upgrade', (request, socket, head) => coedit.handleUpgrade(request, socket, head))
    await coedit.open()
    await expectEmbedded(coedit, await listen(http))
  })

  test('mounted by Express 5, which takes the base path off', async () => {
    const coedit = await embeddable('/coedit')
    const app = express()
    app.use('/coedit', (request, response) => coedit.handleRequest(request, response))
    app.get('/own', (_request, response) => {
      response.send('of the host')
    })
    const http = createHttpServer(app)
    http.on('upgrade', (request, socket, head) => coedit.handleUpgrade(request, socket, head))
    await coedit.open()
    await expectEmbedded(coedit, await listen(http))
  })

  test('inside of Fastify 5', async () => {
    const coedit = await embeddable('/coedit')
    const app = fastify()
    app.get('/own', async () => 'of the host')
    app.all('/coedit/*', (request, reply) => {
      reply.hijack()
      return coedit.handleRequest(request.raw, reply.raw)
    })
    app.server.on('upgrade', (request, socket, head) => coedit.handleUpgrade(request, socket, head))
    await coedit.open()
    await app.listen({ port: 0, host: '127.0.0.1' })
    release(() => app.close())
    await expectEmbedded(coedit, urlOf(app.server.address()))
  })

  test('open the storage themselves when the first client comes', async () => {
    const coedit = await embeddable('')
    const http = createHttpServer()
    http.on('upgrade', (request, socket, head) => coedit.handleUpgrade(request, socket, head))
    const url = await listen(http)
    const client = await syncedClient({ release, url, document: 'notes' })
    textOf(client).insert(0, 'shared')
    await allRead([await syncedClient({ release, url, document: 'notes' })], 'shared')
  })

  test('leave sockets outside of the base path alone and say so, and refuse after closing with 503', async () => {
    const coedit = await embeddable('/coedit')
    const http = createHttpServer()
    http.on('upgrade', (request, socket, head) => {
      if (!coedit.handleUpgrade(request, socket, head))
        socket.end('HTTP/1.1 418 of the host\r\nContent-Length: 0\r\n\r\n')
    })
    await coedit.open()
    const url = await listen(http)
    for (const path of ['', '/', '/elsewhere', '/coedits/notes', '/elsewhere?/coedit/notes']) {
      expect(await upgradeStatus(`${url}${path}`)).toBe(418)
    }
    await coedit.close()
    expect(await upgradeStatus(`${url}/coedit/notes`)).toBe(503)
    expect(await upgradeStatus(`${url}/elsewhere`)).toBe(418)
  })

  test.each([
    ['after', false],
    ['before', true],
  ])('share an HTTP server with another WebSocket server, which listens %s them', async (_, isBefore) => {
    const coedit = await embeddable('/coedit')
    const http = createHttpServer()
    const attach = () => http.on('upgrade', (request, socket, head) => coedit.handleUpgrade(request, socket, head))
    if (!isBefore) attach()
    const others = new WebSocketServer({ noServer: true })
    http.on('upgrade', (request, socket, head) => {
      if (request.url !== '/chat') return
      others.handleUpgrade(request, socket, head, (peer) => peer.on('message', (data) => peer.send(`heard ${data}`)))
    })
    if (isBefore) attach()
    await coedit.open()
    const url = await listen(http)

    const client = await syncedClient({ release, url: `${url}/coedit`, document: 'notes' })
    const other = new WebSocket(`${url}/chat`)
    release(async () => other.terminate())
    await once(other, 'open')
    other.send('hello')
    const [answer] = await once(other, 'message')
    expect(String(answer)).toBe('heard hello')
    textOf(client).insert(0, 'shared')
    await allRead([await syncedClient({ release, url: `${url}/coedit`, document: 'notes' })], 'shared')
    expect(client.losses).toBe(0)
  })
})

test('a part under an unknown name is refused: it might be what decides who may do what', () => {
  const misspelt = { authentcate: async () => null }
  expect(() => Reflect.apply(createServer, null, [{}, misspelt])).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})

describe('several servers in one process', () => {
  test('share an HTTP server and nothing else', async () => {
    const [left, right] = [await embeddable('/left'), await embeddable('/right')]
    const http = createHttpServer()
    http.on('upgrade', (request, socket, head) => {
      const coedit = request.url?.startsWith('/left/') ? left : right
      coedit.handleUpgrade(request, socket, head)
    })
    const url = await listen(http)
    const onLeft = await syncedClient({ release, url: `${url}/left`, document: 'notes' })
    const onRight = await syncedClient({ release, url: `${url}/right`, document: 'notes' })
    textOf(onLeft).insert(0, 'left')
    textOf(onRight).insert(0, 'right')
    await allRead([await syncedClient({ release, url: `${url}/left`, document: 'notes' })], 'left')
    await allRead([await syncedClient({ release, url: `${url}/right`, document: 'notes' })], 'right')

    await left.close()
    const later = stockClient({ release, url: `${url}/right`, document: 'notes' })
    await allRead([later], 'right')
  })
})

/** The status that an attempt to open a WebSocket is answered with. */
async function upgradeStatus(url: string): Promise<number | undefined> {
  const request = get(url, {
    agent: false,
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  })
  const [response]: IncomingMessage[] = await once(request, 'response')
  response.resume()
  return response.statusCode
}
