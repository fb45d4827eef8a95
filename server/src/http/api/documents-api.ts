import type { Authority } from '../../auth/authority.ts'
import type { Clock } from '../../common/timing.ts'
import type { Config } from '../../config/config.ts'
import type { Contents } from '../../content/contents.ts'
import type { Guests } from '../../content/guests.ts'
import type { Past } from '../../content/past.ts'
import type { Documents } from '../../document/documents.ts'
import type { Catalog } from '../../storage/catalog.ts'
import type { WriteKeyStore } from '../../storage/document-store.ts'
import type { Admission } from '../admission.ts'
import type { Calls } from '../calls.ts'
import type { EventStreams } from '../event-streams.ts'
import type { Metrics } from '../metrics.ts'
import { guardOrigin } from '../origin-guard.ts'
import type { Routes } from '../routes.ts'
import { ApiRoutes } from './api-routes.ts'
import { addCatalog } from './catalog-api.ts'
import { addContent } from './content-api.ts'
import { addEvents } from './events-api.ts'
import { addHistory } from './history-api.ts'
import { addMessages } from './messages-api.ts'
import { addPresence } from './presence-api.ts'
import { Retries } from './retries.ts'
import { addStatus } from './status-api.ts'
import { addUpdates } from './updates-api.ts'
import { addWebhooks, type WebhooksApiContext } from './webhooks-api.ts'

export interface DocumentsApiContext {
  readonly config: Config
  readonly clock: Clock
  readonly authority: Authority
  readonly admission: Admission
  readonly catalog: Catalog & WriteKeyStore
  readonly documents: Documents
  readonly contents: Contents
  readonly streams: EventStreams
  readonly guests: Guests
  readonly calls: Calls
  readonly past: Past
  readonly metrics: Metrics
  readonly webhooks: Omit<WebhooksApiContext, 'authority'>
}

/**
 * `/api/documents`: documents for services that have no Yjs. What they write is an edit like any other: durable before it
 * is answered, and shown to everybody.
 */
export function createDocumentsApi(context: DocumentsApiContext): Routes {
  const { config, catalog, streams } = context
  const api = new ApiRoutes(config.maxBodyBytes)
  const writing = { ...context, retries: new Retries(catalog) }
  api.routes.use('/api/*', guardOrigin(config))
  addCatalog(api, writing)
  addContent(api, writing)
  addUpdates(api, writing)
  addPresence(api, context)
  addMessages(api, context.calls)
  addEvents(api, streams)
  addHistory(api, writing)
  addStatus(api, context)
  addWebhooks(api, { ...context.webhooks, authority: context.authority })
  api.routes.doc31('/api/openapi.json', { openapi: '3.1.0', info: { title: 'coedit', version: '1' } })
  return api.routes
}
