// What an application writes against the types of the server. Only checked, never run.
import { type CoeditServer, createServer, Y } from '@coedit/server'

const hooks = { load: () => (doc: Y.Doc) => doc.getText('content').insert(0, 'a template') }
const server: CoeditServer = createServer({ port: 0 }, { hooks })
export const tags: Promise<number> = server.edit('notes', (doc) => doc.getMap('tags').set('a', new Y.Map()).size)

// @ts-expect-error a port is a number
createServer({ port: [] })
