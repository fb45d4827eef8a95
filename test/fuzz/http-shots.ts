import { connect } from 'node:net'
import { ERRORS } from '../../server/src/common/errors.ts'
import { within } from '../bench/within.ts'
import { inScope } from '../support/scope.ts'
import type { HttpInput } from './http-inputs.ts'
import { LIMIT_MS } from './volley.ts'

const STREAM = /^content-type: text\/event-stream/im

/** Sends a request over a connection of its own. Resolves to what should not be, in words, or undefined. */
export function fireHttp(input: HttpInput, url: string): Promise<string | undefined> {
  const { method, target, headers, body, isWellFormed } = input
  const { host } = new URL(url)
  const lines = [['Host', host], ['Connection', 'close'], ...headers].map(([name, value]) => `${name}: ${value}`)
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  return inScope(async (release) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    release(async () => {
      socket.destroy()
    })
    const answered = new Promise<string>((resolve) => {
      let answer = ''
      socket.setEncoding('utf8').on('data', (text: string) => {
        answer += text
        // A stream does not end; that it begins is all that is asked for.
        if (STREAM.test(answer.split('\r\n\r\n', 1)[0] ?? '')) socket.destroy()
      })
      // What has come before the line was reset counts.
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(answer))
    })
    socket.write(Buffer.concat([head, body]))
    // What HTTP itself cannot make sense of may leave both sides waiting for each other.
    if (!isWellFormed) socket.end()
    const wrong = wrongIn(await within(LIMIT_MS, `an answer to ${method} ${target}`, answered), input)
    return wrong && `${method} ${target.slice(0, 200)} is answered ${wrong}`
  })
}

/** What of an answer should not be. */
function wrongIn(answer: string, { method, isWellFormed }: HttpInput): string | undefined {
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
  if (Number.isNaN(status)) return isWellFormed ? `by ${JSON.stringify(answer.slice(0, 100))}` : undefined
  if (status >= 500) return `${status}: ${answer.slice(-300)}`
  if (status < 400 || !isWellFormed || method === 'HEAD') return undefined
  return isKnownCode(answer) ? undefined : `${status} without a code: ${answer.slice(-300)}`
}

function isKnownCode(answer: string): boolean {
  const code = /"error":\{"code":"([A-Z_]+)"/.exec(answer)?.[1]
  return code !== undefined && Object.hasOwn(ERRORS, code)
}
