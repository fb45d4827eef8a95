/** Yjs updates (v1) as bytes: checked, taken apart and put together without Yjs. */
export { diffUpdate, encodeNews, mergeEntries } from './compose.ts'
export { type HeldBack, holdBack, isParted, joinPieceBytes, splitDifference, splitSnapshot } from './hold-back.ts'
export { isJson } from './json.ts'
export { type IdRanges, readInParts } from './ranges.ts'
export { type ScannedUpdate, scanUpdate } from './scan.ts'
export { splitUpdate } from './split.ts'
export { type Clocks, coversState, coversStateVector, decodeStateVector, KnownState, Overlay } from './state.ts'
export { type News, type Taken, takeNews } from './take.ts'
