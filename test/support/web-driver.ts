import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Readable } from 'node:stream'
import { WebSocket } from 'ws'
import { canInstall, findProgram, install } from './programs.ts'
import { isLong } from './runs.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** The browsers beside Chromium, each with the engine that it shows. */
export const OTHER_BROWSERS = ['Firefox', 'WebKitGTK'] as const
export type OtherBrowser = (typeof OTHER_BROWSERS)[number]

/** The Debian packages, each by the program that it brings. */
const NEEDED: Readonly<Record<OtherBrowser, Readonly<Record<string, string>>>> = {
  Firefox: { 'firefox-esr': 'firefox-esr' },
  WebKitGTK: { WebKitWebDriver: 'webkit2gtk-driver', Xvfb: 'xvfb' },
}

/** The code points that stand for keys without a character (WebDriver, "Keyboard actions"). */
export const KEYS = { control: '\uE009', shift: '\uE008', tab: '\uE004' } as const

/** A page of a browser that is driven by WebDriver, without a driver's library. */
export interface DrivenPage {
  /** The browser's name and version. */
  readonly browser: string
  /** Runs a function in the page and resolves with what it resolves with. Both ways go through JSON. */
  run<A extends readonly unknown[], T>(action: (...values: A) => T | Promise<T>, ...values: A): Promise<T>
  /** Presses keys one after the other; those of a group are held until its last one is pressed. */
  press(...groups: readonly string[]): Promise<void>
  /** Clicks into the page, in CSS px of the viewport. */
  click(x: number, y: number): Promise<void>
}

/** Installs them where that needs nobody's consent, and only for long runs. Elsewhere the tests are skipped. */
export function provideOtherBrowsers(): void {
  if (!isLong() || !canInstall()) return
  const missing = OTHER_BROWSERS.flatMap(missingPackages)
  if (missing.length > 0) install(...missing)
}

/** Why a browser cannot be run here, with what to install; null where it can. */
export function whyAbsent(browser: OtherBrowser): string | null {
  const missing = missingPackages(browser)
  return missing.length === 0 ? null : `${browser} is not installed: apt-get install ${missing.join(' ')}`
}

/** Starts a browser with an empty page. The release ends it. */
export function startBrowser(browser: OtherBrowser, release: Release): Promise<DrivenPage> {
  return browser === 'Firefox' ? startFirefox(release) : startWebKit(release)
}

function missingPackages(browser: OtherBrowser): string[] {
  return Object.entries(NEEDED[browser]).flatMap(([program, name]) => (findProgram(program) === undefined ? name : []))
}

/** By WebDriver BiDi, which Firefox speaks itself: https://w3c.github.io/webdriver-bidi/ */
async function startFirefox(release: Release): Promise<DrivenPage> {
  const profile = await temporaryDirectory(release)
  const flags = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0']
  const { stderr } = start('firefox-esr', flags, release)
  const [, url] = await said(stderr, /WebDriver BiDi listening on (ws:\S+)/)
  const socket = new WebSocket(`${url}/session`)
  await once(socket, 'open')
  release(async () => socket.close())

  let lastId = 0
  const send = async (method: string, params: object) => {
    const id = ++lastId
    socket.send(JSON.stringify({ id, method, params }))
    for (;;) {
      const [data] = await once(socket, 'message')
      const answer = JSON.parse(String(data))
      if (answer.id !== id) continue
      if (answer.type === 'error') throw new Error(`${method}: ${answer.message}`)
      return answer.result
    }
  }
  const { capabilities } = await send('session.new', { capabilities: {} })
  const tree = await send('browsingContext.getTree', {})
  const { context } = tree.contexts[0]
  return pageOf(`${capabilities.browserName} ${capabilities.browserVersion}`, {
    act: (actions) => send('input.performActions', { context, actions }),
    async call(source, json) {
      const target = { context }
      const values = [{ type: 'string', value: json }]
      const call = { functionDeclaration: source, target, arguments: values, awaitPromise: true }
      const { result, exceptionDetails } = await send('script.callFunction', call)
      if (exceptionDetails) throw new Error(`${exceptionDetails.text}\n${JSON.stringify(exceptionDetails.stackTrace)}`)
      return result.value
    },
  })
}

/** By WebDriver over HTTP: https://w3c.github.io/webdriver/ */
async function startWebKit(release: Release): Promise<DrivenPage> {
  const { stdout } = start('Xvfb', ['-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], release)
  const [display] = await said(stdout, /\d+(?=\n)/)
  const port = await freePort()
  const driver = start('WebKitWebDriver', [`--port=${port}`], release, { DISPLAY: `:${display}` })
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const request = { method: 'POST', headers, body: JSON.stringify(body) }
    const response = await fetch(`http://127.0.0.1:${port}/session${path}`, request)
    const { value } = await response.json()
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`)
    return value
  }
  await untilListening(port, driver)
  const { sessionId, capabilities } = await post('', { capabilities: { alwaysMatch: {} } })
  const session = `/${sessionId}`
  release(async () => {
    await fetch(`http://127.0.0.1:${port}/session/${sessionId}`, { method: 'DELETE' })
  })
  return pageOf(`WebKitGTK ${capabilities.browserVersion}`, {
    act: (actions) => post(`${session}/actions`, { actions }),
    async call(source, json) {
      const script = `const [json, done] = arguments
        ;(${source})(json).then((value) => done({ value }), (error) => done({ error: error + error.stack }))`
      const { value, error } = await post(`${session}/execute/async`, { script, args: [json] })
      if (error) throw new Error(error)
      return value
    },
  })
}

/** What the two protocols do in their own ways. */
interface Driver {
  act(actions: readonly object[]): Promise<unknown>
  /** Calls an asynchronous function of one string that resolves with another one. */
  call(source: string, json: string): Promise<string>
}

function pageOf(browser: string, { act, call }: Driver): DrivenPage {
  return {
    browser,
    async run(action, ...values) {
      const source = `async (json) => JSON.stringify({ value: await (${action})(...JSON.parse(json)) })`
      return JSON.parse(await call(source, JSON.stringify(values))).value
    },
    async press(...groups) {
      const actions = groups.flatMap((group) => {
        const keys = [...group]
        const down = keys.map((value) => ({ type: 'keyDown', value }))
        return [...down, ...keys.reverse().map((value) => ({ type: 'keyUp', value }))]
      })
      await act([{ type: 'key', id: 'keyboard', actions }])
    },
    async click(x, y) {
      const button = 0
      const actions = [
        { type: 'pointerMove', x, y },
        { type: 'pointerDown', button },
        { type: 'pointerUp', button },
      ]
      await act([{ type: 'pointer', id: 'mouse', actions }])
    },
  }
}

function start(name: string, flags: readonly string[], release: Release, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(findProgram(name) ?? name, flags, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  release(() => end(child))
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill()
  await exit
}

/** Resolves when a process has written this. */
async function said(stream: Readable, pattern: RegExp): Promise<RegExpExecArray> {
  let output = ''
  for await (const data of stream.iterator({ destroyOnReturn: false })) {
    output += String(data)
    const found = pattern.exec(output)
    if (found !== null) {
      // What it writes later must not fill the pipe.
      stream.resume()
      return found
    }
  }
  throw new Error(`the process ended before it wrote ${pattern}:\n${output}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return address.port
}

/** Asks until a driver answers: it does not say when it listens. */
async function untilListening(port: number, driver: ChildProcess): Promise<void> {
  while (driver.exitCode === null) {
    try {
      await fetch(`http://127.0.0.1:${port}/status`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  throw new Error(`WebKitWebDriver ended with ${driver.exitCode}`)
}
