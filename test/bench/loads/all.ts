import { bigDocument } from '../content/big-document.ts'
import { writtenTrace } from '../content/trace.ts'
import type { Scale } from '../scale.ts'
import { bigLoad } from './big.ts'
import { echo } from './echo.ts'
import { allTyping, burst, fanOut } from './fan-out.ts'
import { idle } from './idle.ts'
import type { Load } from './load.ts'
import { manyDocuments } from './many-documents.ts'
import { presence } from './presence.ts'
import { traceLoad } from './trace.ts'
import { patch, watchers } from './watchers.ts'

/** Every load, in the order of the report. What they write is made on first use and kept. */
export function allLoads(scale: Scale): readonly Load[] {
  const trace = (name: string, file: string): Load =>
    traceLoad(
      name,
      once(() => writtenTrace(file, scale.trace.edits)),
    )
  return [
    fanOut,
    burst,
    allTyping,
    manyDocuments,
    echo,
    trace('trace', 'sveltecomponent'),
    trace('longtrace', 'automerge-paper'),
    idle,
    bigLoad(once(() => bigDocument(scale.big.bytes))),
    presence,
    watchers,
    patch,
  ]
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
