import type { TextareaBinding } from '../binding/binding.ts'
import { bindTextarea } from '../binding/textarea.ts'
import { connect } from '../connection/connect.ts'
import type { Connection, User } from '../connection/connection.ts'
import type { ConnectionState } from '../connection/state.ts'
import { announcePeers } from '../peers/announcer.ts'
import { showPeers } from '../peers/overlay.ts'
import { connectionKey, type ElementSettings } from './element-settings.ts'

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
    // The latest function is called: one written inline is another at each rendering.
    ...(token && { token: () => (settings.options.token ?? token)() }),
  })
  const binding = bindTextarea(textarea, connection.text, { awareness: connection.awareness })
  const carets = new Carets(connection, binding)
  const lock = new ReadOnlyLock(textarea)
  const obey = ({ access }: ConnectionState) => lock.set(access !== 'write')

  connection.subscribe(obey)
  obey(connection.state)
  carets.set(settings.carets)
  return {
    connection,
    binding,
    fits: (next) => connectionKey(next) === connectionKey(settings),
    follow(next) {
      if (!looksAlike(settings.options.user, next.options.user)) connection.setUser(next.options.user)
      carets.set(next.carets)
      settings = next
    },
    close() {
      carets.set(false)
      binding.destroy()
      connection.destroy()
      lock.set(false)
    },
  }
}

function looksAlike(one: User, other: User): boolean {
  return one.name === other.name && one.color === other.color
}

/** The overlay over a binding and the announcements, while they are wanted. */
class Carets {
  readonly #connection: Connection
  readonly #binding: TextareaBinding
  #end: (() => void) | null = null

  constructor(connection: Connection, binding: TextareaBinding) {
    this.#connection = connection
    this.#binding = binding
  }

  set(isWanted: boolean): void {
    if (isWanted) {
      this.#end ??= this.#show()
    } else {
      this.#end?.()
      this.#end = null
    }
  }

  #show(): () => void {
    const { awareness } = this.#connection
    const overlay = showPeers(this.#binding, awareness)
    const endAnnouncements = announcePeers(awareness)
    return () => {
      endAnnouncements()
      overlay.destroy()
    }
  }
}

/** Makes a textarea read-only for a while, and then what its author wants again. */
class ReadOnlyLock {
  readonly #textarea: HTMLTextAreaElement
  /** What the author wants; null while it is not locked. */
  #authors: boolean | null = null

  constructor(textarea: HTMLTextAreaElement) {
    this.#textarea = textarea
  }

  set(isLocked: boolean): void {
    if (isLocked && this.#authors === null) {
      this.#authors = this.#textarea.readOnly
      this.#textarea.readOnly = true
    } else if (!isLocked && this.#authors !== null) {
      this.#textarea.readOnly = this.#authors
      this.#authors = null
    }
  }
}
