/** Ben has a provider of y-websocket, and all others have one of Hocuspocus. */
const isBen = new URLSearchParams(location.search).get('name') === 'Ben'
await (isBen ? import('./tiptap.ts') : import('./tiptap-hocuspocus.ts'))

export {}
