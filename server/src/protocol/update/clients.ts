import { CoeditError } from '../../common/errors.ts'
import type { Steps } from '../../common/turns.ts'
import { ByteReader } from '../wire/reader.ts'
import { ByteWriter } from '../wire/writer.ts'
import { scanUpdate } from './scan.ts'

interface Entry {
  readonly update: Uint8Array
}

/** A document as it is stored. */
export interface Written {
  readonly snapshot: { readonly chunks: readonly Uint8Array[] } | null
  readonly tail: readonly Entry[]
  readonly quarantined?: readonly Entry[]
  readonly formerClients?: Uint8Array
}

/**
 * Encodes who wrote something of a document, now or before it was deleted: the ids of clients in ascending order, each as
 * the distance to the one before it. An update that is malformed is left out.
 */
export function* encodeClients({ snapshot, tail, quarantined = [], formerClients }: Written): Steps<Uint8Array> {
  const clients = new Set(decodeClients(formerClients))
  for (const update of [...(snapshot?.chunks ?? []), ...[...tail, ...quarantined].map(({ update }) => update)]) {
    for (const client of writersOf(update)) clients.add(client)
    yield
  }
  const writer = new ByteWriter()
  let last = 0
  for (const client of Float64Array.from(clients).sort()) {
    writer.varUint(client - last)
    last = client
  }
  return writer.finish()
}

/** @throws CoeditError STORAGE_DAMAGED */
export function decodeClients(bytes: Uint8Array = new Uint8Array()): ReadonlySet<number> {
  const reader = new ByteReader(bytes, 0, 'STORAGE_DAMAGED')
  const clients = new Set<number>()
  for (let last = 0; reader.remaining > 0; ) {
    last += reader.varUint()
    clients.add(last)
  }
  return clients
}

function writersOf(update: Uint8Array): readonly number[] {
  try {
    return scanUpdate(update).sections.map(({ client }) => client)
  } catch (error) {
    if (error instanceof CoeditError) return []
    throw error
  }
}
