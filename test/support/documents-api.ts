import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'vitest'

export interface ApiCall {
  /** Content types by the shape of the body, unless it is told: an array of operations, of edits, or an object. */
  readonly type?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface ApiAnswer {
  readonly status: number
  /** Without the quotes. */
  readonly etag: string | undefined
  readonly body: unknown
  /** The code of an error. */
  readonly code: string | undefined
}

/** What of an OpenAPI document tests and papers look at. */
export interface ApiDescription {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, ApiSchema>> }
}

export interface ApiOperation {
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly ApiParameter[]
  readonly requestBody?: { readonly content: ApiContent }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: ApiContent }>>
}

interface ApiParameter {
  readonly name: string
  readonly in: string
  readonly description?: string
  readonly schema: ApiSchema
}

type ApiContent = Readonly<Record<string, { readonly schema: ApiSchema }>>

export interface ApiSchema {
  readonly $ref?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
}

const described = new Map<string, Promise<ApiDescription>>()
/** A schema takes much longer to compile than an answer to be looked at. */
const compiled = new WeakMap<ApiSchema, ValidateFunction>()

/** Calls the API of a server. Each answer has to be one that its OpenAPI document describes. */
export function documentsApi(url: string, headers: Readonly<Record<string, string>> = {}) {
  const call = async (method: string, path: string, request: ApiCall = {}): Promise<ApiAnswer> => {
    const { body, type = typeOf(body) } = request
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': type }), ...request.headers },
      ...(body !== undefined && { body: encoded(body) }),
    })
    const contentType = answer.headers.get('content-type')?.split(';')[0] ?? ''
    const content = await contentOf(answer, contentType)
    await expectDescribed(url, { method, path, status: answer.status, contentType, content })
    const etag = answer.headers.get('etag')?.replaceAll('"', '')
    return { status: answer.status, etag, body: content, code: codeIn(content) }
  }
  const at = (name: string, rest: string) => `api/documents/${encodeURIComponent(name)}/${rest}`
  return {
    call,
    read: (name: string, query = '', given: ApiCall = {}) => call('GET', at(name, `content${query}`), given),
    patch: (name: string, body: unknown, query = '', given: ApiCall = {}) =>
      call('PATCH', at(name, `content${query}`), { ...given, body }),
    readUpdate: (name: string, query = '') => call('GET', at(name, `update${query}`)),
    postUpdate: (name: string, body: Uint8Array) => call('POST', at(name, 'updates'), { body }),
  }
}

function typeOf(body: unknown): string {
  if (body instanceof Uint8Array) return 'application/octet-stream'
  const first: unknown = Array.isArray(body) ? body[0] : undefined
  if (typeof first === 'object' && first !== null && 'op' in first) return 'application/json-patch+json'
  return Array.isArray(body) ? 'application/json' : 'application/merge-patch+json'
}

function encoded(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return new Uint8Array(body)
  return typeof body === 'string' ? body : JSON.stringify(body)
}

async function contentOf(answer: Response, contentType: string): Promise<unknown> {
  if (contentType === 'application/octet-stream') return new Uint8Array(await answer.arrayBuffer())
  const text = await answer.text()
  if (text === '') return undefined
  return contentType === 'application/json' ? JSON.parse(text) : text
}

interface Answered {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly contentType: string
  readonly content: unknown
}

async function expectDescribed(url: string, { method, path, status, contentType, content }: Answered): Promise<void> {
  const known = described.get(url) ?? descriptionOf(url)
  described.set(url, known)
  const { paths, components } = await known
  const plain = `/${path.split('?')[0]}`
  const found = Object.entries(paths).find(([pattern]) =>
    new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(plain),
  )
  if (!found) throw new Error(`${plain} is not described`)
  const response = found[1][method.toLowerCase()]?.responses[status]
  expect(response, `${method} ${plain} answers ${status}: ${JSON.stringify(content)}`).toBeDefined()
  if (content === undefined) return
  const schema = response?.content?.[contentType]?.schema
  expect(schema, `${method} ${plain} answers ${status} as ${contentType}`).toBeDefined()
  if (schema === undefined || contentType !== 'application/json') return
  const validate = compiled.get(schema) ?? compile(schema, components)
  compiled.set(schema, validate)
  const isValid = validate(content)
  expect(isValid, JSON.stringify(validate.errors)).toBe(true)
}

function compile(schema: ApiSchema, components: ApiDescription['components']): ValidateFunction {
  return new Ajv2020({ strict: false, formats: { 'date-time': true } }).compile({ ...schema, components })
}

function codeIn(content: unknown): string | undefined {
  if (typeof content !== 'object' || content === null || !('error' in content)) return undefined
  const { error } = content
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined
}

async function descriptionOf(url: string): Promise<ApiDescription> {
  const answer = await fetch(`${url}api/openapi.json`)
  return await answer.json()
}
