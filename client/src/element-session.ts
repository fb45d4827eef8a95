import { type Connection, connect, type User } from './connect.ts'
import { connectionKey, type ElementSettings } from './element-settings.ts'
import { type Overlay, showPeers } from './overlay.ts'
import { bindTextarea, type TextareaBinding } from './textarea.ts'

/** A textarea that is connected to its document until `close`. */
export interface ElementSession {
  readonly connection: Connection
  readonly binding: TextareaBinding
  /** Whether `follow` can do what these settings ask for. Otherwise it takes another session. */
  fits(settings: ElementSettings): boolean
  follow(settings: ElementSettings): void
  close(): void
}

/** Throws what `connect` throws. */
export function openSession(textarea: HTMLTextAreaElement, initial: ElementSettings): ElementSession {
  let settings = initial
  const { token } = initial.options
  const connection = connect({
    ...initial.options,
    // The function of the moment: one written inline is another at each rendering.
    ...(token && { token: () => (settings.options.token ?? token)() }),
  })
  const binding = bindTextarea(textarea, connection.text, { awareness: connection.awareness })
  const authorsReadOnly = textarea.readOnly
  let overlay: Overlay | undefined

  function showUser(user: User): void {
    const former = settings.options.user
    if (user.name !== former.name || user.color !== former.color) connection.setUser(user)
  }

  function showCarets(carets: boolean): void {
    if (carets === (overlay !== undefined)) return
    overlay?.destroy()
    overlay = carets ? showPeers(binding, connection.awareness) : undefined
  }

  const obey = () => {
    textarea.readOnly = authorsReadOnly || connection.state.access !== 'write'
  }
  connection.subscribe(obey)
  obey()
  showCarets(settings.carets)

  return {
    connection,
    binding,
    fits: (next) => connectionKey(next) === connectionKey(settings),
    follow(next) {
      showUser(next.options.user)
      showCarets(next.carets)
      settings = next
    },
    close() {
      showCarets(false)
      binding.destroy()
      connection.destroy()
      textarea.readOnly = authorsReadOnly
    },
  }
}
