import { bodyOf } from '../support/caller.ts'
import { Random } from '../support/random.ts'
import { harmBytes } from './hostile-bytes.ts'
import { UpdateSpoiler } from './hostile-updates.ts'
import type { Traffic } from './traffic.ts'

/** One request as it goes over the wire, but for its host. */
export interface HttpInput {
  readonly number: number
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
  /** Whether HTTP itself has nothing against it, so that it has to be answered with all that an answer has. */
  readonly isWellFormed: boolean
}

/** A request that honest services make. */
interface Draft {
  method: string
  path: string[]
  query: [string, string][]
  headers: [string, string][]
  body: Uint8Array
}

/** More than the servers that are attacked take. */
export const HOSTILE_BODY_BYTES = 70_000

const JSON_PATCH = 'application/json-patch+json'
const MERGE_PATCH = 'application/merge-patch+json'
const JSON_TYPE = 'application/json'
const BINARY = 'application/octet-stream'
const LONG = 'x'.repeat(HOSTILE_BODY_BYTES)
const DEEP = `${'['.repeat(5_000)}${']'.repeat(5_000)}`

/** Roots that no innocent edits. */
const ROOTS = ['content', 'map', 'list', 'text', 'array', 'xml', '__proto__', 'constructor', '😀'] as const
const KEYS = [
  ...['a', 'b', '__proto__', 'constructor', 'toString', 'hasOwnProperty'],
  ...['', '/', '~', '😀', '0', '-1'],
] as const
const POINTERS = [
  ...['', '/', '/a', '/a/b', '/0', '/-', '/1/0', '/-1', '/01', '/1e3', '/9007199254740993', '/__proto__/x'],
  ...['/constructor/prototype', 'a', '/~', '/~2', '/~0~1', `${'/a'.repeat(300)}`, '/😀', '/\ud800'],
] as const
/** As JSON, since some of it no value of JavaScript stands for. */
const VALUES = [
  ...['null', 'true', '-1', '0', '1e400', '-0', '1.5', '9007199254740993', '4294967296', '2147483648'],
  ...['""', '"\\ud800"', '"😀"', '"op"', `"${'y'.repeat(1_000)}"`],
  ...['[]', '{}', '{"__proto__":{"x":1}}', '[[[[[[]]]]]]', DEEP, '{"a":1,"a":2}'],
] as const
const NAMES = [
  ...['', '.', '..', '%2e%2e', '%00', '%ff', '%', '%zz', 'a%2Fb', '%F0%9F%98%80', '%5C', '%0d%0a', ';'],
  ...['x'.repeat(2_000), '__proto__', 'api', '*', '%20', '%ED%A0%80'],
  ...["'", '"', '|', '\\', '{}', 'a?b', 'a#b'],
] as const
const TAGS = [
  ...['"abc"', '"1-1"', '*', '', 'W/"x-1"', '"zz-999999999"', '"0-0"', '"1-99999999999999999"', '"', 'a,b'],
] as const
const TYPES = [
  ...[JSON_PATCH, MERGE_PATCH, JSON_TYPE, 'text/plain', BINARY],
  ...['', 'application/json; charset=utf-16', 'x/y'],
] as const
const QUERIES: readonly [string, string][] = [
  ...(['text', 'json', 'xml', 'update', '', '__proto__'] as const).map((as): [string, string] => ['as', as]),
  ...ROOTS.map((root): [string, string] => ['root', encodeURIComponent(root)]),
  ...[LONG.slice(0, 2_000), '%ff', '', '%', '1e9', '-1', '0.5'].flatMap((value): [string, string][] =>
    ['limit', 'after', 'prefix', 'since', 'presence', 'at', 'from', 'to', 'before', 'pause', 'sent'].map(
      (name): [string, string] => [name, value],
    ),
  ),
]
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const
/** Node refuses them by itself, or has no answer for them. */
const ODD_METHODS = ['CONNECT', 'get', 'FOO', 'QUERY', 'PRI'] as const
/** What a proxy and a server may read in different ways (RFC 9112 §6.3, §11.2). */
const FRAMINGS: readonly (readonly [string, string])[][] = [
  [
    ['Content-Length', '5'],
    ['Content-Length', '6'],
  ],
  [['Content-Length', '-1']],
  [['Content-Length', '1e3']],
  [['Content-Length', '99999999999999999999']],
  [
    ['Content-Length', '4'],
    ['Transfer-Encoding', 'chunked'],
  ],
  [
    ['Transfer-Encoding', 'chunked'],
    ['Transfer-Encoding', 'identity'],
  ],
  [['Transfer-Encoding', 'gzip']],
  [['Transfer-Encoding', 'chunked']],
  [['Expect', '200-maybe']],
  [
    ['Host', 'evil.example'],
    ['Host', 'localhost'],
  ],
  [
    ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
  ],
  [['X-Large', 'z'.repeat(20_000)]],
  [['Bad Name', 'x']],
]

/** What a request is made of. */
interface Making {
  /** It is written to, but not deleted, set back, or its connections closed: innocents edit it. */
  readonly document: string
  /** A document that may be harmed. */
  readonly own: string
  readonly number: string
  readonly update: Uint8Array
  readonly messages: Uint8Array
  readonly base: Uint8Array
  readonly random: Random
}

/** Every operation of the API as services ask for it: its method, its path below `/api`, and what its body is. */
const REQUESTS: readonly ((making: Making) => readonly [string, string, string?, (string | Uint8Array)?])[] = [
  () => ['GET', 'documents'],
  () => ['GET', 'events'],
  () => ['GET', 'status'],
  () => ['GET', 'openapi.json'],
  ({ document }) => ['GET', `documents/${document}`],
  ({ document }) => ['GET', `documents/${document}/content`],
  ({ document }) => ['GET', `documents/${document}/update`],
  ({ document }) => ['GET', `documents/${document}/presence`],
  ({ document }) => ['GET', `documents/${document}/connections`],
  ({ document }) => ['GET', `documents/${document}/events`],
  ({ document }) => ['GET', `documents/${document}/history`],
  ({ document }) => ['GET', `documents/${document}/history/changes`],
  ({ document }) => ['GET', `documents/${document}/history/content`],
  ({ document }) => ['GET', `documents/${document}/history/update`],
  ({ document }) => ['GET', `documents/${document}/versions`],
  ({ document, number }) => ['PUT', `documents/${document}/versions/v${number}`, JSON_TYPE, '{"at":1}'],
  ({ document, number }) => ['DELETE', `documents/${document}/versions/v${number}`],
  ({ own }) => ['POST', `documents/${own}/history/restore`, JSON_TYPE, '{"to":1}'],
  ({ own }) => ['POST', `documents/${own}/history/restore`, JSON_TYPE, '{"since":1,"author":{"name":"ada"}}'],
  ({ own }) => ['PUT', `documents/${own}`, JSON_TYPE, '{"content":"text","map":{"a":[1,{"b":null}]},"list":[1,"x"]}'],
  ({ own, base }) => ['PUT', `documents/${own}`, BINARY, base],
  ({ own }) => ['PUT', `documents/${own}`, 'text/plain', 'hello'],
  ({ own }) => ['DELETE', `documents/${own}`],
  ({ own }) => ['POST', `documents/${own}/disconnect`, JSON_TYPE, '{"user":"ada"}'],
  ({ document, number }) => ['PUT', `documents/${document}/presence/s${number}`, JSON_TYPE, SHOWN],
  ({ document, number }) => ['DELETE', `documents/${document}/presence/s${number}`],
  ({ document, update }) => ['POST', `documents/${document}/updates`, BINARY, update],
  ({ document, update }) => ['POST', `documents/${document}/updates`, BINARY, update],
  ({ document, messages }) => ['POST', `documents/${document}/messages`, BINARY, messages],
  () => ['POST', 'webhooks', JSON_TYPE, WEBHOOK],
  () => ['GET', 'webhooks'],
  ({ number }) => ['GET', `webhooks/${number}`],
  ({ number }) => ['DELETE', `webhooks/${number}`],
  ({ number }) => ['GET', `webhooks/${number}/failures`],
  ({ number }) => ['POST', `webhooks/${number}/retry`, JSON_TYPE, '{}'],
  ({ document }) => ['PATCH', `documents/${document}/content`, MERGE_PATCH, '{"a":{"b":1},"c":null}'],
  ({ document, random }) => ['PATCH', `documents/${document}/content`, JSON_TYPE, textEdits(random)],
  ({ document, random }) => ['PATCH', `documents/${document}/content`, JSON_TYPE, textEdits(random)],
  ({ document, random }) => ['PATCH', `documents/${document}/content`, JSON_PATCH, operations(random)],
  ({ document, random }) => ['PATCH', `documents/${document}/content`, JSON_PATCH, operations(random)],
  ({ document, random }) => ['PATCH', `documents/${document}/content`, JSON_PATCH, operations(random)],
]

/** Parameters without which there is no answer to look at. */
const QUERIES_BY_PATH: readonly (readonly [RegExp, string, string])[] = [
  [/history\/(content|update)$/, 'at', '1'],
  [/history\/changes$/, 'from', '1'],
  [/history\/changes$/, 'to', '2'],
]

/** An endless row of requests to the API, each of which is known by the seed and its number alone. */
export class HttpInputs {
  readonly #seed: number
  readonly #traffic: Traffic
  readonly #spoiler: UpdateSpoiler

  constructor(seed: number, traffic: Traffic) {
    this.#seed = seed
    this.#traffic = traffic
    this.#spoiler = new UpdateSpoiler(traffic.clocks)
  }

  /** @param document that innocents edit: it is written to, but not deleted, and nobody is disconnected from it */
  at(number: number, document: string): HttpInput {
    const random = Random.at(this.#seed, number)
    const draft = this.#draft(random, document)
    for (let ways = random.below(3); ways > 0; ways--) this.#spoil(draft, random)
    const framing = random.chance(0.05) ? random.pick(FRAMINGS) : undefined
    const isOdd = random.chance(0.02)
    const method = isOdd ? random.pick(ODD_METHODS) : draft.method
    const query = draft.query.map(([name, value]) => `${name}=${value}`).join('&')
    const target = `/${draft.path.join('/')}${query === '' ? '' : `?${query}`}`
    const isChunked = random.chance(0.1) && draft.body.length > 0
    const headers = [...draft.headers, ...(framing ?? lengthOf(draft.body, isChunked))]
    const isSound = !isOdd && !framing && draft.body.length < HOSTILE_BODY_BYTES
    const isWellFormed =
      isSound && [target, ...headers.flat()].every((part) => /^[\x20-\x7e]*$/.test(part)) && !target.includes(' ')
    return {
      number,
      method,
      target,
      headers,
      body: isChunked && !framing ? chunked(draft.body) : draft.body,
      isWellFormed,
    }
  }

  #draft(random: Random, document: string): Draft {
    const own = `own-${random.below(20)}`
    const [method, path, type = '', body = ''] = random.pick(REQUESTS)({
      document: encodeURIComponent(document),
      own,
      number: String(random.below(9)),
      update: this.#spoiler.spoil(random.pick(this.#traffic.updates), random),
      messages: framed(this.#traffic.messages.slice(random.below(100), 100)),
      base: this.#traffic.base,
      random,
    })
    return {
      method,
      path: ['api', ...path.split('/')],
      query: QUERIES_BY_PATH.filter(([pattern]) => pattern.test(path)).map(([, name, value]) => [name, value]),
      headers: [
        ...(type === '' ? [] : [['Content-Type', type] as [string, string]]),
        ...(path.endsWith('/messages') ? [['Coedit-Client', `service ${own} with a secret`] as [string, string]] : []),
      ],
      body: Buffer.from(body),
    }
  }

  #spoil(draft: Draft, random: Random): void {
    switch (random.below(9)) {
      case 0:
        draft.body = harmBytes(draft.body, random, this.#traffic.updates)
        break
      case 1:
      case 2:
        draft.body = Buffer.from(spoiltJson(Buffer.from(draft.body).toString(), random))
        break
      case 3:
        draft.query.push(random.pick(QUERIES))
        break
      case 4:
        draft.headers.push([random.pick(['If-Match', 'If-None-Match', 'Last-Event-ID']), random.pick(TAGS)])
        break
      case 5:
        draft.headers.push(['Idempotency-Key', random.pick(['a', 'b', '', 'k'.repeat(300), '😀'])])
        break
      case 6:
        draft.headers = [
          ...draft.headers.filter(([name]) => name !== 'Content-Type'),
          ['Content-Type', random.pick(TYPES)],
        ]
        break
      case 7:
        draft.path[random.below(draft.path.length)] = random.pick(NAMES)
        break
      default:
        this.#spoilMore(draft, random)
    }
  }

  /** What would reach others if it did not go to a document of its own. */
  #spoilMore(draft: Draft, random: Random): void {
    if (random.chance(0.3)) draft.body = Buffer.from(random.pick([LONG, DEEP, 'null', '', '"x"']))
    else {
      draft.method = random.pick(METHODS)
      if (draft.method === 'DELETE' && draft.path[3] === undefined) draft.path[2] = `own-${random.below(20)}`
    }
  }
}

/** Nobody listens where it leads (RFC 863), and no document is called so. */
const WEBHOOK = '{"url":"http://127.0.0.1:9/hook","prefixes":["nothing/"],"events":["document.changed"],"quietMs":0}'
const SHOWN = '{"name":"service","color":"#30bced","cursor":{"root":"content","anchor":1},"ttl":1}'

function textEdits(random: Random): string {
  const edits = Array.from({ length: 1 + random.below(3) }, () =>
    random.chance(0.5)
      ? { index: random.below(40), delete: random.below(4), insert: random.pick(['x', '😀', '\ud800', '']) }
      : { find: random.pick(['x', '😀', 'a']), replace: random.pick(['', 'y', '😀']), all: random.chance(0.5) },
  )
  return JSON.stringify(edits)
}

function operations(random: Random): string {
  const all = Array.from({ length: 1 + random.below(4) }, () => {
    const op = random.pick(['add', 'replace', 'remove', 'test', 'move', 'copy'])
    const [path, from] = [JSON.stringify(random.pick(POINTERS)), JSON.stringify(random.pick(POINTERS))]
    const root = random.chance(0.5) ? `,"root":${JSON.stringify(random.pick(ROOTS))}` : ''
    return `{"op":"${op}","path":${path},"from":${from},"value":${random.pick(VALUES)}${root}}`
  })
  return `[${all.join(',')}]`
}

/** Puts something else in the place of a value or a key, without looking at what holds them. */
function spoiltJson(text: string, random: Random): string {
  const places = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+|true|false|null|\{\}|\[\]/g)]
  const place = places.length > 0 ? random.pick(places) : undefined
  if (!place) return random.pick(VALUES)
  const isKey = /^\s*:/.test(text.slice(place.index + place[0].length))
  const spoilt = isKey ? JSON.stringify(random.pick(KEYS)) : random.pick(VALUES)
  return `${text.slice(0, place.index)}${spoilt}${text.slice(place.index + place[0].length)}`
}

/** Messages as the body of one request has them, each behind its length. */
function framed(messages: readonly Uint8Array[]): Uint8Array {
  return bodyOf(messages.filter((message) => message.length < 1_000).slice(0, 10))
}

function lengthOf(body: Uint8Array, isChunked: boolean): readonly (readonly [string, string])[] {
  if (body.length === 0) return []
  return isChunked ? [['Transfer-Encoding', 'chunked']] : [['Content-Length', String(body.length)]]
}

function chunked(body: Uint8Array): Uint8Array {
  const half = body.length >> 1
  const parts = [body.subarray(0, half), body.subarray(half)].filter(({ length }) => length > 0)
  return Buffer.concat([
    ...parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
    Buffer.from('0\r\n\r\n'),
  ])
}
