import { z } from 'zod'
import { CoeditError, goneError } from '../common/errors.ts'
import { mergeEntries } from '../protocol/update/update.ts'
import { dataSchema, declareCommand } from './command.ts'
import { entriesOf } from './content.ts'
import { withDocuments } from './data.ts'
import { jsonOf, textOf } from './readable.ts'

const schema = dataSchema.extend({
  format: z
    .enum(['text', 'json', 'update'])
    .default('text')
    .describe('How to print it: one shared text, all shared types as JSON, or everything as one Yjs update (v1).'),
  root: z.string().min(1).default('content').meta({
    description: 'Which shared text the format text prints.',
    expected: 'the name of a shared type',
  }),
})

export const exportDocument = declareCommand({
  name: 'export',
  summary: 'Print the content of a document.',
  description:
    'Prints a document to stdout. A server on a directory must be stopped; for a running one, export from a backup. Only the format ' +
    'update keeps everything: text and JSON leave out formatting and who wrote what.',
  operands: ['NAME'],
  schema,
  async execute({ options, operands: [name], print }) {
    const update = await withDocuments(options, async (storage, log) => {
      const stored = await storage.load(name)
      const { head, isDeleted, quarantined = [] } = stored
      if (isDeleted) throw goneError(name)
      if (head === 0) throw new CoeditError('DOCUMENT_MISSING', `There is no document '${name}'.`)
      if (quarantined.length > 0) {
        log.warn({ document: name, quarantined: quarantined.length }, 'what follows a damaged record is not exported')
      }
      return mergeEntries(entriesOf(stored))
    })
    print(render(update, options))
  },
})

function render(update: Uint8Array, { format, root }: z.output<typeof schema>): string | Uint8Array {
  switch (format) {
    case 'update':
      return update
    case 'json':
      return `${JSON.stringify(jsonOf(update), undefined, 2)}\n`
    case 'text':
      return textOf(update, root)
  }
}
