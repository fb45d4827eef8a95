import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Doc } from 'yjs'
import { createServer } from '../../server/src/index.ts'

/** Run as a process by seeding-process.ts. */
const [data = '', document = '', text = '', turns = ''] = process.argv.slice(2)

const server = createServer({ data, logLevel: 'silent' }, { hooks: { load: () => seed } })
await server.read(document)

function seed(doc: Doc): void {
  doc.getText('text').insert(0, text)
  void killed()
}

async function killed(): Promise<void> {
  for (let turn = 0; turn < Number(turns); turn++) await nextTurn()
  process.kill(process.pid, 'SIGKILL')
}
