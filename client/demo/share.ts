import { bindTextarea, type ConnectOptions, connect, showPeers } from '@coedit/client'

export function share(textarea: HTMLTextAreaElement, options: ConnectOptions) {
  const connection = connect(options)
  const { awareness, text } = connection
  const binding = bindTextarea(textarea, text, { awareness, readOnly: options.access === 'read' })
  const overlay = showPeers(binding, awareness)
  return { connection, binding, overlay }
}
