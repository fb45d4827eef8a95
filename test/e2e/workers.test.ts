import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { connect } from '../../client/src/connection/connect.ts'
import { afterTests } from '../support/after-tests.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { startServer } from '../support/process.ts'

const releaseAll = afterTests()
const launched = launchChromium()
let site: string
let server: { readonly url: string }

beforeAll(async () => {
  const script = await bundleScript(fileURLToPath(new URL('pages/worker.ts', import.meta.url)), 'worker')
  site = await serveFiles(
    releaseAll,
    new Map([
      ['index.html', '<!doctype html><title>a page with workers</title>'],
      ['worker.js', script],
    ]),
  )
  server = await startServer({ release: releaseAll })
})

afterAll(async () => (await launched).close())

test.each(['dedicated', 'service'])('a %s worker edits a document', async (kind) => {
  const page = await openPage(await launched, site, onTestFinished)
  const document = `by a ${kind} worker`
  const answer = await page.evaluate(
    async ([kind, url, document]) => {
      const { port1, port2 } = new MessageChannel()
      const answered = new Promise((resolve) => {
        port1.onmessage = ({ data }) => resolve(data)
      })
      const message = { url, document, port: port2 }
      if (kind === 'dedicated') {
        new Worker('worker.js').postMessage(message, [port2])
      } else {
        await navigator.serviceWorker.register('worker.js')
        const { active } = await navigator.serviceWorker.ready
        active?.postMessage(message, [port2])
      }
      return answered
    },
    [kind, server.url, document] as const,
  )
  expect(answer).toBe('stored')
  const reader = connect({ url: server.url, document, WebSocket })
  onTestFinished(() => reader.destroy())
  await reader.whenSynced
  expect(reader.text.toString()).toBe('from a worker')
})
