import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']
const MAC_PATHS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** QUIC, updates and sync would only add traffic and noise to what a test measures. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * The path of an installed Chromium or Chrome: COEDIT_CHROMIUM where it is set, otherwise the first one found.
 *
 * @throws Error with one line that says what to install
 */
export function findChromium(): string {
  const path = process.env.COEDIT_CHROMIUM ?? installedChromium()
  if (path === undefined) {
    throw new Error('no Chromium found: install chromium or google-chrome, or set COEDIT_CHROMIUM to the path of one')
  }
  return path
}

/** Starts a headless Chromium. The caller closes it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS })
}

/**
 * Finds Chromium for all tests of a run, and installs it where that needs nobody's consent: on Debian as root, which
 * is what CI containers are. Elsewhere the tests that need it fail with the line of `findChromium`.
 */
export function provideChromium(): void {
  if (process.env.COEDIT_CHROMIUM !== undefined) return
  if (installedChromium() === undefined && canInstall()) install()
  const path = installedChromium()
  if (path !== undefined) process.env.COEDIT_CHROMIUM = path
}

function installedChromium(): string | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter)
  const candidates = [...NAMES.flatMap((name) => directories.map((directory) => join(directory, name))), ...MAC_PATHS]
  return candidates.find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version')
}

function install(): void {
  console.error('installing chromium with apt-get')
  const { status } = spawnSync('apt-get update && apt-get install -y --no-install-recommends chromium', {
    shell: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (status !== 0) console.error(`installing chromium failed: apt-get exited with ${status}`)
}
