import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { Random } from '../../support/random.ts'
import { markEnd, recordUpdates, textOf } from './text.ts'
import { randomText } from './words.ts'

/** What one person wrote, as updates in order, and the text and the encoded document that they end in. */
export interface Trace {
  readonly name: string
  readonly edits: readonly Uint8Array[]
  readonly text: string
  readonly encodedBytes: number
}

/** `[position, deleted characters, inserted text]` */
type Patch = readonly [number, number, string]

const WRITER = 4_711
const GENERATED_EDITS = 50_000

/**
 * Reads recorded keystrokes in the format of josephg/editing-traces, `NAME.json.gz`; where the file is missing, types
 * something itself and says so in the name. At most `limit` edits.
 */
export function loadTrace(directory: string, name: string, limit: number): Trace {
  const file = join(directory, `${name}.json.gz`)
  if (!existsSync(file)) return replay(`generated for want of ${name}`, generatedEdits(limit))
  return replay(name, readEdits(file, limit))
}

function replay(name: string, edits: Iterable<readonly Patch[]>): Trace {
  const document = new Y.Doc()
  document.clientID = WRITER
  const text = textOf(document)
  const updates = recordUpdates(document, () => {
    for (const patches of edits) document.transact(() => applyPatches(text, patches))
    markEnd(document)
  })
  return { name, edits: updates, text: text.toString(), encodedBytes: Y.encodeStateAsUpdate(document).length }
}

function applyPatches(text: Y.Text, patches: readonly Patch[]): void {
  for (const [position, deleted, inserted] of patches) {
    if (deleted > 0) text.delete(position, deleted)
    if (inserted !== '') text.insert(position, inserted)
  }
}

/** Positions are code points in the format, and UTF-16 code units here: equal in all traces of that collection. */
function readEdits(file: string, limit: number): (readonly Patch[])[] {
  const trace: unknown = JSON.parse(gunzipSync(readFileSync(file)).toString())
  if (typeof trace !== 'object' || trace === null || !('txns' in trace) || !Array.isArray(trace.txns)) {
    throw new Error(`${file} holds no trace.`)
  }
  return trace.txns.slice(0, limit).map(({ patches }: { patches: readonly Patch[] }) => patches)
}

/** Words typed at a place that now and then changes, one in eight characters taken back. */
function* generatedEdits(limit: number): Iterable<readonly Patch[]> {
  const random = new Random(1)
  let length = 0
  let at = 0
  for (let edit = 0; edit < Math.min(limit, GENERATED_EDITS); edit += 1) {
    if (random.below(60) === 0) at = random.below(length + 1)
    const back = at > 0 && random.below(8) === 0
    if (back) yield [[at - 1, 1, '']]
    else yield [[at, 0, randomText(random, 1)]]
    at += back ? -1 : 1
    length += back ? -1 : 1
  }
}
