import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startInProcess } from '../support/in-process-server.ts'
import { blockIn, filledIn, pathOf } from '../support/papers.ts'
import { freePorts } from '../support/ports.ts'
import { Receiver } from '../support/receiver.ts'

const release = onTestFinished
const run = promisify(execFile)

async function start() {
  const { server, url } = await startInProcess({ release, options: { webhookAddresses: '127.0.0.1' } })
  return { server, host: new URL(url).host }
}

/** Runs a line that makes a webhook. Resolves with what that answers. */
async function make(line: string, replacements: Readonly<Record<string, string>>): Promise<{ secret: string }> {
  const { stdout } = await run('bash', ['-c', filledIn(line, replacements)])
  return JSON.parse(stdout)
}

test('the receiver of the README is told by the webhook of the README', async () => {
  const { server, host } = await start()
  const [port] = await freePorts(1)
  const { secret } = await make(await blockIn('server/README.md', '## Webhooks', 'sh'), {
    'localhost:1234': host,
    'https://search.example.com': `http://127.0.0.1:${port}`,
  })
  const directory = await directoryInside()
  const program = filledIn(await blockIn('server/README.md', '## Webhooks', 'js'), {
    'listen(4001)': `listen(${port})`,
  })
  await writeFile(join(directory, 'program.mjs'), program)
  const child = spawn(process.execPath, ['program.mjs'], {
    cwd: directory,
    env: { ...process.env, WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  release(() => void child.kill())
  const line = once(createInterface(child.stdout), 'line')
  await server.edit('team/notes', (doc) => doc.getText('content').insert(0, 'Hello, everybody'))
  expect(await line).toEqual(['document.created team/notes'])
})

test('what CALLBACK_URL of y-websocket was told comes by the webhook of MIGRATION.md', async () => {
  const { server, host } = await start()
  const receiver = await Receiver.start({ release })
  const { secret } = await make(await blockIn('server/MIGRATION.md', '### CALLBACK_URL', 'sh'), {
    'localhost:1234': host,
    '127.0.0.1:4001': `127.0.0.1:${receiver.port}`,
    '"quietMs":2000': '"quietMs":0',
  })
  receiver.trust(secret)
  await server.edit('room', (doc) => doc.getText('textarea1').insert(0, 'a'))
  await receiver.until(() => receiver.told.length === 1)
  await server.edit('room', (doc) => doc.getText('textarea1').insert(1, 'b'))
  await receiver.until(() => receiver.told.length === 2)
  expect(receiver.told).toMatchObject([
    { type: 'document.created', data: { document: 'room', roots: { textarea1: 'a' } } },
    { type: 'document.changed', data: { document: 'room', roots: { textarea1: 'ab' } } },
  ])
})

/** A directory in which programs find the packages of the repository. */
async function directoryInside(): Promise<string> {
  const parent = pathOf('node_modules/.cache')
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'webhooks-'))
  release(() => rm(directory, { recursive: true }))
  return directory
}
