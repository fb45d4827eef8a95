import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../bench/within.ts'
import { startServer } from '../../support/process.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { Circles, COMPACTING } from '../circles.ts'
import { CannotInject, type Fault } from '../fault.ts'

/** Where Debian's package puts it, below the directory of the architecture. */
const LIBRARIES = '/usr/lib'
const LIBRARY = 'faketime/libfaketimeMT.so.1'
const JUMPS_S = [0, 3_600, -3_600, 86_400, -86_400, 31_536_000, -31_536_000]
/** How long edits may take to be promised just after a jump. */
const LIMIT_MS = 10_000
const PROMISES_AFTER_JUMP = 20
/** The `Date` header counts whole seconds, and is made once a second. */
const TOLERANCE_MS = 5_000
const LOOK_EVERY_MS = 100

export const clock: Fault = {
  name: 'clock',
  what: 'the clock jumps by up to a year, both ways: edits are promised as ever, and nothing promised is lost',
  amount: { unit: 'times', onDemand: 50, inTests: 6 },
  run: async ({ release, amount, random, say }) => {
    const offset = join(await temporaryDirectory(release), 'offset')
    const env = {
      LD_PRELOAD: findLibrary(),
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: '1',
      // A clock that is set leaves the monotonic one alone.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    await setClock(offset, 0)
    const server = await startServer({ release, flags: COMPACTING, env })
    const circles = new Circles({ release, url: server.url, random })
    await circles.start()
    for (let injected = 1; injected <= amount; injected++) {
      const jump = random.pick(JUMPS_S)
      await setClock(offset, jump)
      await circles.allGrow(PROMISES_AFTER_JUMP, LIMIT_MS)
      await within(LIMIT_MS, `the server's clock to be ${jump} s ahead`, hasJumped(server.url, jump))
      say(`${injected} jumps, ${circles.promised} promises`)
    }
    await circles.converge()
    await server.kill()
    const { url } = await startServer({ release, flags: COMPACTING, data: server.data, env })
    const broken = [...(await circles.brokenAt(url)), ...(await circles.differencesAt(url))]
    return { injected: amount, promised: circles.promised, broken }
  },
}

function findLibrary(): string {
  const found = readdirSync(LIBRARIES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.endsWith('-linux-gnu'))
    .map(({ name }) => join(LIBRARIES, name, LIBRARY))
    .find((path) => existsSync(path))
  if (found === undefined) throw new CannotInject(`needs ${LIBRARY}: apt-get install libfaketime`)
  return found
}

async function setClock(file: string, seconds: number): Promise<void> {
  await writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}\n`)
}

/** Resolves when the server shows the new time. Where it never does nothing has jumped, and the rest proves nothing. */
async function hasJumped(url: string, jump: number): Promise<void> {
  for (;;) {
    const date = (await fetch(`${url}health`)).headers.get('date')
    const ahead = Date.parse(date ?? '') - Date.now()
    if (Math.abs(ahead - jump * 1_000) < TOLERANCE_MS) return
    await pause(LOOK_EVERY_MS)
  }
}
