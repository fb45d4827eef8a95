import { once } from 'node:events'
import { connect } from 'node:net'
import type { Release } from './temporary.ts'

/** Says something to a server over TCP and waits until it hangs up; resolves with all that it has answered. */
export async function speak(release: Release, url: string, ...parts: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  release(async () => {
    socket.destroy()
  })
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  // A server that resets the line has hung up, too.
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  for (const part of parts) socket.write(part)
  await closed
  return answer
}
