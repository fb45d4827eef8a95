import type { TextareaBinding } from '../binding/binding.ts'
import { bindTextarea } from '../binding/textarea.ts'
import { connect } from '../connection/connect.ts'
import type { Connection, User } from '../connection/connection.ts'
import type { ConnectionState } from '../connection/state.ts'
import { announcePeers } from '../peers/announcer.ts'
import { showPeers } from '../peers/overlay.ts'
import { connectionKey, type ElementSettings, type OwnOptions } from './element-settings.ts'

/** A textarea that is connected to its document until `close`. */
export interface ElementSession {
  readonly connection: Connection
  readonly binding: TextareaBinding
  /** Whether `follow` can do what these settings ask for. Otherwise it takes another session. */
  fits(settings: ElementSettings): boolean
  follow(settings: ElementSettings): void
  close(): void
}

/** A connection for as long as a session lasts. */
interface Line {
  readonly connection: Connection
  fits(settings: ElementSettings): boolean
  follow(settings: ElementSettings): void
  close(): void
}

function openLine(settings: ElementSettings): Line {
  return 'given' in settings ? givenLine(settings.given) : ownLine(settings.options)
}

/** The connection is the page's, who ends it. */
function givenLine(connection: Connection): Line {
  return {
    connection,
    fits: (next) => 'given' in next && next.given === connection,
    follow: () => undefined,
    close: () => undefined,
  }
}

/** Throws what `connect` throws. */
function ownLine(initial: OwnOptions): Line {
  let options = initial
  const { token } = initial
  const connection = connect({
    ...initial,
    // The latest function is called: one written inline is another at each rendering.
    ...(token && { token: () => (options.token ?? token)() }),
  })
  return {
    connection,
    fits: (next) => 'options' in next && connectionKey(next.options) === connectionKey(options),
    follow(next) {
      if (!('options' in next)) return
      if (!looksAlike(options.user, next.options.user)) connection.setUser(next.options.user)
      options = next.options
    },
    close: () => connection.destroy(),
  }
}

/** Throws what `connect` throws. */
export function openSession(textarea: HTMLTextAreaElement, settings: ElementSettings): ElementSession {
  const line = openLine(settings)
  const { connection } = line
  const binding = bindTextarea(textarea, connection.text, { awareness: connection.awareness })
  const carets = new Carets(connection, binding)
  const lock = new ReadOnlyLock(textarea)
  const obey = ({ access }: ConnectionState) => lock.set(access !== 'write')

  const endObeying = connection.subscribe(obey)
  obey(connection.state)
  carets.set(settings.carets)
  return {
    connection,
    binding,
    fits: line.fits,
    follow(next) {
      line.follow(next)
      carets.set(next.carets)
    },
    close() {
      endObeying()
      carets.set(false)
      binding.destroy()
      line.close()
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
