import { dataSchema, declareCommand } from './command.ts'
import { namesIn, withDocuments } from './data.ts'

export const list = declareCommand({
  name: 'list',
  summary: 'Print the names of all documents.',
  description:
    'Prints a line for each document: its name, its size in bytes and the time of its last edit (ISO 8601), with tabs ' +
    'between them. A server on a directory must be stopped; for a running one, list a backup.',
  operands: [],
  schema: dataSchema,
  async execute({ options, print }) {
    await withDocuments(options, async (storage) => {
      for await (const name of namesIn(storage)) {
        const facts = await storage.stat(name)
        if (!facts) continue
        const updatedAt = new Date(facts.updatedAt).toISOString()
        print(`${name}\t${facts.snapshotBytes + facts.tailBytes}\t${updatedAt}\n`)
      }
    })
  },
})
