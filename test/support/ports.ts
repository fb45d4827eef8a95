import { once } from 'node:events'
import { createServer } from 'node:net'
import { Random } from './random.ts'

/** Outside of what systems hand out by themselves: who is started anew at the same port finds it free. */
const FIRST_PORT = 10_000
const PORTS = 20_000
/** Others choose in the same range by the number of the process. */
const PICK = new Random(process.pid ^ 0x5eed)

/** Different ports of 127.0.0.1 on which nobody listens, as far as one can know. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = FIRST_PORT + PICK.below(PORTS)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  const listens = once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (!(await listens)) return false
  const closed = once(server, 'close')
  server.close()
  await closed
  return true
}
