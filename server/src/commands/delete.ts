import { z } from 'zod'
import { CoeditError, goneError } from '../common/errors.ts'
import { atOnce } from '../common/turns.ts'
import { encodeClients } from '../protocol/update/update.ts'
import { webhookCursor } from '../storage/webhook-cursor.ts'
import type { WebhookStore } from '../storage/webhook-store.ts'
import { decodeWebhook, isToldOf } from '../webhooks/webhook.ts'
import { dataSchema, declareCommand } from './command.ts'
import { withDocuments } from './data.ts'

const schema = dataSchema.extend({
  forget: z
    .boolean()
    .default(false)
    .describe('Forget also that it was deleted, or is: a client that still has it may bring it back.'),
})

export const deleteDocument = declareCommand({
  name: 'delete',
  summary: 'Delete a document for good.',
  description:
    'Deletes a document with all that is stored of it: edits, snapshots, what was in quarantine, what hooks were still to ' +
    'be told. Its name and the random numbers of the clients that wrote it stay, so that no client that was offline brings it back; ' +
    'it may be created anew. A server on a directory must be stopped, or delete by it: DELETE /api/documents/NAME. ' +
    'Servers on PostgreSQL may run: clients are told within two seconds.',
  operands: ['NAME'],
  schema,
  async execute({ options, operands: [name], print }) {
    await withDocuments(options, async (storage) => {
      const stored = await storage.load(name)
      const { head, isDeleted = false } = stored
      if (isDeleted && !options.forget) throw goneError(name)
      if (head === 0 && !isDeleted) throw new CoeditError('DOCUMENT_MISSING', `There is no document '${name}'.`)
      if (options.forget) await storage.remove(name)
      else {
        const cursors = await toldOfDeletion(storage.webhooks, name)
        await storage.delete(name, { formerClients: atOnce(encodeClients(stored)), cursors })
      }
    })
    print(`'${name}': ${options.forget ? 'forgotten' : 'deleted'}\n`)
  },
})

/** The cursors of the webhooks that are told when a server runs. */
async function toldOfDeletion(storage: WebhookStore, name: string): Promise<readonly string[]> {
  const webhooks = (await storage.loadWebhooks()).map(decodeWebhook)
  return webhooks.flatMap((webhook) =>
    webhook && isToldOf('document.deleted', name, webhook) ? [webhookCursor(webhook.id)] : [],
  )
}
