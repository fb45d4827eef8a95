/** Yjs updates (v1) as bytes: checked, taken apart and put together without Yjs. */
export {
  type Brought,
  decodeShares,
  decodeWriters,
  encodeAuthors,
  encodeWriter,
  type Ids,
  type Writer,
} from './authorship.ts'
export { decodeClients, encodeClients } from './clients.ts'
export { diffUpdate, EMPTY_UPDATE, encodeNews, mergeEntries } from './compose.ts'
export { holdsDeleted } from './deleted-content.ts'
export { type HeldBack, holdBack, isParted, joinPieceBytes, splitDifference, splitSnapshot } from './hold-back.ts'
export { isJson } from './json.ts'
export { type IdRanges, readInParts, unionOf } from './ranges.ts'
export { indexUpdate, type ScannedUpdate, scanUpdate } from './scan.ts'
export { splitUpdate } from './split.ts'
export { type Clocks, coversState, coversStateVector, decodeStateVector, KnownState, Overlay } from './state.ts'
export { type News, type Taken, takeNews } from './take.ts'
export { withoutTooDeep } from './too-deep.ts'
export { trimEntry } from './trim.ts'
