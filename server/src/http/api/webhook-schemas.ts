import { z } from '@hono/zod-openapi'
import { wishFields } from '../../webhooks/webhook.ts'
import { MAX_LISTED } from './schemas.ts'

export const newWebhook = z.strictObject(wishFields).openapi('NewWebhook')

export const webhookParams = z.object({
  id: z.string().openapi({ param: { description: 'The webhook, as `POST /api/webhooks` has named it.' } }),
})

export const webhooksQuery = z.object({
  prefix: z.string().default('').describe('Those alone that tell of no documents but of names that begin so.'),
})

const fields = {
  id: z.string(),
  ...wishFields,
  createdAt: z.iso.datetime(),
  isConfigured: z.boolean().describe('Whether it is of the option `webhooks`.'),
}

export const webhookAnswer = z.object(fields).openapi('Webhook')

export const webhooksAnswer = z.object({ webhooks: z.array(webhookAnswer) }).openapi('Webhooks')

export const madeAnswer = z
  .object({
    ...fields,
    secret: z.string().describe('What signatures are made with. It is not shown again.'),
  })
  .openapi('MadeWebhook')

export const failuresQuery = z.object({
  after: z.string().optional().describe('The `next` of the page before.'),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(100).describe('Documents at most.'),
})

export const failuresAnswer = z
  .object({
    failures: z.array(
      z.object({
        document: z.string(),
        attempts: z.int().describe('How many in a row have failed.'),
        since: z.iso.datetime().describe('When the first of them did.'),
        retryAt: z.iso.datetime().nullable().describe('When it is tried again; null: when somebody asks for it.'),
        reason: z.string(),
      }),
    ),
    next: z.string().optional().describe('Missing on the last page.'),
  })
  .openapi('Failures')

export const retrying = z
  .strictObject({ document: z.string().optional().describe('Default: all that have failed.') })
  .openapi('Retry')
