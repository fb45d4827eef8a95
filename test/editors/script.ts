import { type Browser, errors, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { openPage } from '../support/demo.ts'
import { type MortalServer, startMortalServer } from '../support/mortal-server.ts'
import { storedDocument } from '../support/stored-document.ts'
import type { Release } from '../support/temporary.ts'
import type {} from './page.ts'

const DOCUMENT = 'notes'
/** Compacts after every few edits, and tells of it. */
const FLAGS = ['--compact-min-bytes=0', '--compact-ratio=0', '--compact-max-entries=1', '--compact-interval-ms=0']
/** More than any writer's typing can be in steps, if each character is one. */
const UNDOS = 50
/** A backstop: the script takes 10 s where nothing else runs. */
const LIMIT_MS = 60_000
/** How many lines there ever are. */
const LINES = 3
const CARET_LIMIT_MS = 1_000
const MOST_TRIES = 20

/** Where the script runs. */
export interface Stage {
  readonly browser: Browser
  /** The address of a page with the editor. */
  readonly address: string
  readonly release: Release
}

/**
 * What people do with an editor: they type together, undo, write while the server is away by SIGTERM and SIGKILL, and
 * while one of them is offline, and somebody comes when all are gone.
 */
export async function runScript(stage: Stage): Promise<void> {
  const server = await startMortalServer(stage.release, ['--log-level=debug', ...FLAGS])
  await writeLines(stage, server)
  const ann = await openWriter(stage, server, 'Ann')
  const ben = await openWriter(stage, server, 'Ben')
  await bothShow([ann, ben], 'first\nsecond')

  await ann.goTo(1)
  await ben.goTo(2)
  await Promise.all([ann.type(' by Ann'), ben.type(' by Ben')])
  await bothShow([ann, ben], 'first by Ann\nsecond by Ben')
  await areTogether([ann, ben])

  await ann.undoAll()
  await bothShow([ann, ben], 'first\nsecond by Ben')
  await ann.redoAll()
  await bothShow([ann, ben], 'first by Ann\nsecond by Ben')

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await server.kill(signal)
    await Promise.all([ann.isOffline(), ben.isOffline()])
    await ann.goTo(1)
    await ben.goTo(2)
    await Promise.all([ann.type(`, ${signal}`), ben.type(`, ${signal}`)])
    await server.restart()
    if (signal === 'SIGTERM') await bothShow([ann, ben], 'first by Ann, SIGTERM\nsecond by Ben, SIGTERM')
    await areTogether([ann, ben])
  }
  await bothShow([ann, ben], 'first by Ann, SIGTERM, SIGKILL\nsecond by Ben, SIGTERM, SIGKILL')

  await ben.leave()
  await ben.goTo(1)
  await ben.press('Home')
  await ben.type('the ')
  await ben.goTo(2)
  await ben.press('Backspace', ', SIGKILL'.length)
  await ann.goTo(1)
  await ann.type(' too')
  await ann.goTo(2)
  await ann.type('\nthird')
  await ann.shows('first by Ann, SIGTERM, SIGKILL too\nsecond by Ben, SIGTERM, SIGKILL\nthird')
  await ben.shows('the first by Ann, SIGTERM, SIGKILL\nsecond by Ben, SIGTERM')
  await ben.comeBack()
  await bothShow([ann, ben], 'the first by Ann, SIGTERM, SIGKILL too\nsecond by Ben, SIGTERM\nthird')

  await ben.undoAll()
  const text = 'first by Ann, SIGTERM, SIGKILL too\nsecond\nthird'
  await bothShow([ann, ben], text)
  await Promise.all([ann.close(), ben.close()])

  await isCompacted(server)
  const newcomer = await openWriter(stage, server, 'Newcomer')
  await newcomer.shows(text)
  await newcomer.goTo(3)
  await newcomer.type(' and last')
  await newcomer.shows(`${text} and last`)
  await newcomer.undoAll()
  await newcomer.shows(text)
}

/** By somebody who leaves: what Ann and Ben undo does not reach so far. */
async function writeLines(stage: Stage, server: MortalServer): Promise<void> {
  const author = await openWriter(stage, server, 'Author', 'first')
  await author.goTo(1)
  await author.type('first\nsecond')
  await author.shows('first\nsecond')
  await author.close()
}

/** Kills the server once it has compacted the document, and starts another one on what is left. */
async function isCompacted(server: MortalServer): Promise<void> {
  await server.process.logs('compacted a document')
  await server.kill()
  const { snapshot } = await storedDocument(server.process.data, DOCUMENT)
  expect(snapshot?.seq).toBeGreaterThan(0)
  await server.restart()
}

/** A page in a browser of its own, and the person who writes there. */
class Writer {
  readonly #page: Page

  constructor(page: Page) {
    this.#page = page
  }

  /**
   * Puts the caret at the end of a line; the first one is 1. An editor learns later that the caret has moved, and puts
   * it back where it was if it draws somebody else's caret before: then the keys are pressed again.
   */
  async goTo(line: number): Promise<void> {
    await this.#page.evaluate(() => page.editor.focus())
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      await this.press('ArrowUp', LINES)
      await this.press('ArrowDown', line - 1)
      await this.press('End')
      if (await this.#isAtEndOf(line)) return
    }
    throw new Error(`the caret is not at the end of line ${line}`)
  }

  async #isAtEndOf(line: number): Promise<boolean> {
    const isThere = this.#page.waitForFunction(
      (wanted) => {
        const { text, textBeforeCaret } = page.editor
        return textBeforeCaret() === text().split('\n').slice(0, wanted).join('\n')
      },
      line,
      { timeout: CARET_LIMIT_MS },
    )
    return isThere.then(
      () => true,
      (error) => {
        if (error instanceof errors.TimeoutError) return false
        throw error
      },
    )
  }

  async type(text: string): Promise<void> {
    await this.#page.keyboard.type(text)
  }

  async press(key: string, times = 1): Promise<void> {
    for (let n = 0; n < times; n++) await this.#page.keyboard.press(key)
  }

  /** Goes on where nothing is left to undo, which must change nothing more. */
  undoAll(): Promise<void> {
    return this.press('ControlOrMeta+z', UNDOS)
  }

  redoAll(): Promise<void> {
    return this.press('ControlOrMeta+Shift+Z', UNDOS)
  }

  /** Resolves when the editor holds this text; empty lines at its end do not count. */
  async shows(text: string): Promise<void> {
    await this.#page
      .waitForFunction((wanted) => page.editor.text().trimEnd() === wanted, text)
      .catch(async () => expect(await this.#page.evaluate(() => page.editor.text().trimEnd())).toBe(text))
  }

  /** Resolves when the page knows that its server is gone. */
  async isOffline(): Promise<void> {
    await this.#page.waitForFunction(() => !page.isOnline())
  }

  /** Resolves when so many people are known to be here. */
  async sees(people: number): Promise<void> {
    await this.#page.waitForFunction((wanted) => page.provider.awareness?.getStates().size === wanted, people)
  }

  /** Goes offline, until `comeBack`. */
  async leave(): Promise<void> {
    await this.#page.evaluate(() => page.disconnect())
    await this.isOffline()
  }

  comeBack(): Promise<void> {
    return this.#page.evaluate(() => page.connect())
  }

  async close(): Promise<void> {
    await this.#page.close()
  }
}

/** Without a caret yet: End does not move past one that Tiptap draws at the start of a line. */
async function openWriter(stage: Stage, server: MortalServer, name: string, ...flags: 'first'[]): Promise<Writer> {
  const params = new URLSearchParams({ server: server.url.replace('http', 'ws'), document: DOCUMENT, name })
  for (const flag of flags) params.set(flag, '')
  const page = await openPage(stage.browser, `${stage.address}?${params}`, stage.release)
  page.setDefaultTimeout(LIMIT_MS)
  await page.waitForFunction(() => globalThis.page?.provider.synced)
  return new Writer(page)
}

async function bothShow(writers: readonly Writer[], text: string): Promise<void> {
  await Promise.all(writers.map((writer) => writer.shows(text)))
}

async function areTogether(writers: readonly Writer[]): Promise<void> {
  await Promise.all(writers.map((writer) => writer.sees(writers.length)))
}
