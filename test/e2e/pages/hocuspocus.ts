import { connectionOf } from '@coedit/client/hocuspocus'
import { HocuspocusProvider } from '@hocuspocus/provider'
import { type Start, show } from './provided.ts'

export const start: Start = (kind, url, name, userName) => {
  const provider = new HocuspocusProvider({ url: url.replace(/^http/, 'ws'), name })
  show(kind, () => connectionOf(provider, { user: { name: userName } }))
}
