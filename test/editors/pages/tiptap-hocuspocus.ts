import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { showOver } from '../page.ts'
import { createTiptap } from './tiptap-editor.ts'

/** As applications of Tiptap have it. */
showOver((url, name, document) => {
  // Pauses between attempts are shortened, so that a test does not wait for them.
  const socket = new HocuspocusProviderWebsocket({ url, delay: 100, minDelay: 100, maxDelay: 100, jitter: false })
  const provider = new HocuspocusProvider({ websocketProvider: socket, name, document })
  provider.attach()
  return {
    provider,
    isOnline: () => socket.status === 'connected',
    disconnect: () => socket.disconnect(),
    connect: () => void socket.connect(),
  }
}, createTiptap)
