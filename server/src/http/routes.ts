import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'

/** What handlers find under `c.env`: request and response of node:http. */
export interface Env {
  Bindings: HttpBindings
}

export type Routes = Hono<Env>
