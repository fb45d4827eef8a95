import { CoeditError } from '../../common/errors.ts'
import { MAX_CLIENTS } from '../wire/reader.ts'
import { MAX_NESTING } from './json.ts'
import { type IdRanges, readDeleteSet } from './ranges.ts'
import { StructReader } from './structs.ts'

/** Bytes of the smallest section: its struct count, client and clock, and a struct of two bytes. */
const SMALLEST_SECTION = 5
const SMALLEST_STRUCT = 2

/** An update whose bytes are known to be well-formed, and where its parts lie. */
export interface ScannedUpdate {
  readonly bytes: Uint8Array
  /** By client, descending. */
  readonly sections: readonly Section[]
  readonly deletes: IdRanges
  /** Offset of the delete set, which reaches to the end. */
  readonly deletesStart: number
}

/** The consecutive structs of one client. */
export interface Section {
  readonly client: number
  /** The first id's clock, and the clock after the last id. */
  readonly clock: number
  readonly end: number
  readonly count: number
  /** Offsets of the first struct and of what follows the last. */
  readonly from: number
  readonly to: number
}

/**
 * Checks an untrusted update: what passes is well-formed Yjs v1 that no client throws on while reading it, and each
 * struct refers only to earlier ids of its own client. Linear in the bytes; no Yjs call.
 * @throws CoeditError UPDATE_MALFORMED naming what is wrong at which byte; UPDATE_TOO_DEEP for one that is well-formed
 */
export function scanUpdate(bytes: Uint8Array): ScannedUpdate {
  const reader = new StructReader(bytes, true)
  const scanned = readUpdate(reader)
  if (!reader.isTooDeep) return scanned
  throw new CoeditError('UPDATE_TOO_DEEP', `values are nested deeper than ${MAX_NESTING}`)
}

/** Finds the parts of an update that was checked before, without looking into its strings. */
export function indexUpdate(bytes: Uint8Array): ScannedUpdate {
  return readUpdate(new StructReader(bytes, false))
}

function readUpdate(reader: StructReader): ScannedUpdate {
  const sections = readSections(reader)
  const deletesStart = reader.position
  const deletes = readDeleteSet(reader)
  reader.expectEnd()
  return { bytes: reader.bytes, sections, deletes, deletesStart }
}

function readSections(reader: StructReader): Section[] {
  const count = reader.count(SMALLEST_SECTION, 'clients')
  if (count > MAX_CLIENTS) reader.fail(`${count} clients, more than ${MAX_CLIENTS}`, 0)
  const sections: Section[] = []
  let previous = Number.POSITIVE_INFINITY
  for (let i = 0; i < count; i++) {
    const at = reader.position
    const section = readSection(reader)
    if (section.client >= previous) reader.fail(`client ${section.client} after ${previous}, expected descending`, at)
    previous = section.client
    sections.push(section)
  }
  return sections
}

function readSection(reader: StructReader): Section {
  const at = reader.position
  const count = reader.count(SMALLEST_STRUCT, 'structs')
  if (count === 0) reader.fail('a client without structs', at)
  const client = reader.varUint()
  const clock = reader.varUint()
  const from = reader.position
  let end = clock
  for (let i = 0; i < count; i++) {
    reader.read(client, end)
    end = reader.end
  }
  return { client, clock, end, count, from, to: reader.position }
}
