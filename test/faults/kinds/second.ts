import { runCoedit, startServer } from '../../support/process.ts'
import { Circles, COMPACTING } from '../circles.ts'
import type { Fault } from '../fault.ts'

export const second: Fault = {
  name: 'second',
  what: 'a second server is started on the same directory: it says STORAGE_LOCKED and ends, and harms nothing',
  amount: { unit: 'times', onDemand: 20, inTests: 2 },
  run: async ({ release, amount, random, say }) => {
    const server = await startServer({ release, flags: COMPACTING })
    const circles = new Circles({ release, url: server.url, random })
    await circles.start()
    const broken: string[] = []
    for (let injected = 1; injected <= amount; injected++) {
      await circles.goOn()
      const { code, stderr } = await runCoedit(release, ['--port', '0', '--data', server.data])
      const isRefused = code === 1 && stderr.includes('STORAGE_LOCKED') && stderr.includes(server.data)
      if (!isRefused) broken.push(`the second server ended with ${code}: ${stderr}`)
      say(`${injected} times, ${circles.promised} promises`)
    }
    await circles.converge()
    await server.kill()
    const { url } = await startServer({ release, data: server.data })
    broken.push(...(await circles.brokenAt(url)), ...(await circles.differencesAt(url)))
    return { injected: amount, promised: circles.promised, broken }
  },
}
