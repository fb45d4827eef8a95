import { bindTextarea, type ConnectOptions, connect, type OverlayOptions, showPeers } from '@coedit/client'

export function share(textarea: HTMLTextAreaElement, options: ConnectOptions & OverlayOptions) {
  const connection = connect(options)
  const { awareness, text } = connection
  const binding = bindTextarea(textarea, text, { awareness, readOnly: options.access === 'read' })
  const overlay = showPeers(binding, awareness, options)
  return { connection, binding, overlay }
}
