import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { z } from 'zod'
import { CoeditError, ERRORS, type ErrorCode } from '../../common/errors.ts'
import { expectNoBody, readBody } from '../body.ts'
import type { Env } from '../routes.ts'
import { errorAnswer } from './schemas.ts'

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** What one operation takes and gives; its part of the OpenAPI document is made from it. */
export interface Operation<Params, Query> {
  readonly method: Method
  /** As OpenAPI has it: `/api/documents/{name}`. */
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly params: z.ZodObject & z.ZodType<Params>
  readonly query: z.ZodObject & z.ZodType<Query>
  readonly headers?: z.ZodObject
  readonly body?: NonNullable<RouteConfig['request']>['body']
  readonly responses: RouteConfig['responses']
  readonly errors: readonly ErrorCode[]
}

interface Given<Params, Query> {
  readonly params: Params
  readonly query: Query
}

/** Routes, and the document that describes them. */
export class ApiRoutes {
  readonly routes = new OpenAPIHono<Env>()
  readonly #maxBodyBytes: number

  /** @param maxBodyBytes the largest body that any of them takes */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes
  }

  add<Params, Query>(
    operation: Operation<Params, Query>,
    handle: (c: Context<Env>, given: Given<Params, Query>) => Promise<Response>,
  ): void {
    const { method, path, summary, description, params, query, headers, body, responses, errors } = operation
    this.routes.openAPIRegistry.registerPath({
      method,
      path,
      summary,
      ...(description !== undefined && { description }),
      request: { params, query, ...(headers && { headers: [headers] }), ...(body && { body }) },
      responses: { ...responses, ...failures(errors) },
    })
    this.routes.on(
      method.toUpperCase(),
      path.replaceAll(/\{(\w+)\}/g, ':$1'),
      async (c, next) => {
        if (body) this.#offerBody(c)
        else expectNoBody(c.env.incoming)
        await next()
      },
      (c) => handle(c, { params: parsed(params, c.req.param()), query: parsed(query, c.req.query()) }),
    )
  }

  /** Has the body read when a handler asks for it, and once: to watch its length, Hono would make another Request of it. */
  #offerBody({ req, env }: Context<Env>): void {
    let reading: Promise<ArrayBuffer> | undefined
    Object.defineProperty(req.bodyCache, 'arrayBuffer', {
      enumerable: true,
      get: () => {
        reading ??= readBody(env.incoming, this.#maxBodyBytes)
        return reading
      },
    })
  }
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new CoeditError('REQUEST_INVALID', firstProblem(result.error))
}

export function firstProblem({ issues: [issue] }: z.ZodError): string {
  return issue ? `${issue.path.join('.') || 'the value'}: ${issue.message}` : 'the value is invalid'
}

/** Answers by status, each with the codes that it may have. */
function failures(errors: readonly ErrorCode[]): RouteConfig['responses'] {
  const codes = new Map<number, ErrorCode[]>()
  for (const code of errors) {
    const { status = 500 } = ERRORS[code]
    codes.set(status, [...(codes.get(status) ?? []), code])
  }
  const content = { 'application/json': { schema: errorAnswer } }
  return Object.fromEntries(
    [...codes].map(([status, some]) => [
      status,
      { description: some.map((code) => `\`${code}\``).join(', '), content },
    ]),
  )
}
