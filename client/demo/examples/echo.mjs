/* Answers what pages say: node client/demo/examples/echo.mjs [http://localhost:1234/] */
import { patch } from './patch.mjs'

const server = process.argv[2] ?? 'http://localhost:1234/'
const content = new URL('api/documents/echo/content?root=echo', server)
const events = await fetch(new URL('api/documents/echo/events?as=json&root=echo', server))
console.log(`say something at ${new URL('echo.html', server)}`)

// What an event says does not matter here: each wakes the program, which answers all that has no answer yet.
for await (const _ of events.body) {
  const answer = await fetch(content)
  const said = answer.ok ? Object.entries((await answer.json()) ?? {}) : []
  for (const [id, { text, echo }] of said) {
    // The test fails where another one of these programs was faster.
    const once = [
      { op: 'test', path: `/${id}/echo`, value: null },
      { op: 'replace', path: `/${id}/echo`, value: text },
    ]
    if (echo === null) await patch(server, 'echo', once)
  }
}
