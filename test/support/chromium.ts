import { type Browser, chromium } from 'playwright-core'
import { canInstall, findProgram, install, isExecutable } from './programs.ts'

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

/** Starts a headless Chromium, with further flags. The caller closes it. */
export function launchChromium(...flags: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), headless: true, args: [...FLAGS, ...flags] })
}

/**
 * Finds Chromium for all tests of a run, and installs it where that needs nobody's consent: on Debian as root, which
 * is what CI containers are. Elsewhere the tests that need it fail with the line of `findChromium`.
 */
export function provideChromium(): void {
  if (process.env.COEDIT_CHROMIUM !== undefined) return
  if (installedChromium() === undefined && canInstall()) install('chromium')
  const path = installedChromium()
  if (path !== undefined) process.env.COEDIT_CHROMIUM = path
}

function installedChromium(): string | undefined {
  return findProgram(...NAMES) ?? MAC_PATHS.find(isExecutable)
}
