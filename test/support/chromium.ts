import { type Browser, chromium } from 'playwright-core'
import { canInstall, findProgram, install, isExecutable } from './programs.ts'

/** Chromium without windows, which takes a third of the processor time. */
const SHELL_NAMES = ['chromium-headless-shell', 'chrome-headless-shell']
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

/** Starts a headless Chromium with further flags: its headless shell where that is installed. The caller closes it. */
export function launchChromium(...flags: readonly string[]): Promise<Browser> {
  const executablePath = process.env.COEDIT_CHROMIUM ?? installedShell() ?? findChromium()
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] })
}

/**
 * Starts a headless Chromium that keeps pages which are left, to go back to them. The headless shell has no such cache,
 * and everywhere else Playwright turns it off. The caller closes it.
 */
export function launchWithPageCache(): Promise<Browser> {
  const ignoreDefaultArgs = ['--disable-back-forward-cache']
  return chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS, ignoreDefaultArgs })
}

/**
 * Installs Chromium and its headless shell where that needs nobody's consent: on Debian as root, which is what CI
 * containers are. Elsewhere the tests that need it fail with the line of `findChromium`.
 */
export function provideChromium(): void {
  if (process.env.COEDIT_CHROMIUM !== undefined || !canInstall()) return
  const missing: string[] = []
  if (installedChromium() === undefined) missing.push('chromium')
  if (installedShell() === undefined) missing.push('chromium-headless-shell')
  if (missing.length > 0) install(...missing)
}

function installedShell(): string | undefined {
  return findProgram(...SHELL_NAMES)
}

function installedChromium(): string | undefined {
  return findProgram(...NAMES) ?? MAC_PATHS.find(isExecutable)
}
