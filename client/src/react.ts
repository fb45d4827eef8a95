'use client'

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { BindingOptions, TextareaBinding } from './binding/binding.ts'
import type { TextElement } from './binding/shown-text.ts'
import { bindTextarea } from './binding/textarea.ts'
import { connect } from './connection/connect.ts'
import type { Connection, ConnectOptions } from './connection/connection.ts'
import { type ConnectionState, INITIAL_STATE } from './connection/state.ts'
import { announcePeers } from './peers/announcer.ts'
import { showPeers } from './peers/overlay.ts'
import type { Peer } from './peers/peer.ts'
import { type Presence, watchPresence } from './peers/presence.ts'

/** Options of a binding in React. Its presence is the connection's; `readOnly` is a property of the element as ever. */
export type UseTextareaOptions = Omit<BindingOptions, 'awareness' | 'readOnly'>

export interface BoundTextarea {
  /** For the `ref` of a `<textarea>` or a text-like `<input>`, controlled or not. */
  readonly ref: (element: TextElement | null) => void
  /** Null until the element is in the page and there is a connection. */
  readonly binding: TextareaBinding | null
}

const NOBODY: readonly Peer[] = []
const nothingToEnd = () => undefined

/**
 * A connection that lasts as long as the component. It is null on the server and until the component is mounted. The
 * options may be written inline: another `user.id`, a token where there was none, or another value of any other option
 * but `token` and `user` makes another connection; all else is followed. It ends with the component: where edits may be
 * under way, `await connection.flush()` before. Throws what `connect` throws, to the next error boundary.
 */
export function useConnection(options: ConnectOptions): Connection | null {
  const { token, user, ...others } = options
  const fixed = useStable(others)
  const userId = user?.id
  const hasToken = token !== undefined
  const latest = useLatest(options)
  const [connection, setConnection] = useState<Connection | null>(null)

  // biome-ignore lint/correctness/useExhaustiveDependencies: what this user's connection keeps is not for another one
  useEffect(() => {
    const { token, user } = latest.current
    const opened = connect({
      ...fixed,
      ...(user && { user }),
      ...(token && { token: () => (latest.current.token ?? token)() }),
    })
    setConnection(opened)
    return () => {
      setConnection(null)
      opened.destroy()
    }
  }, [fixed, userId, hasToken, latest])

  const name = user?.name
  const color = user?.color
  useEffect(() => {
    if (name !== undefined) connection?.setUser({ name, ...(color !== undefined && { color }) })
  }, [connection, name, color])

  return connection
}

/**
 * The state of a connection; the first one of all where there is none yet.
 *
 * Typing changes it before React hears of what was typed, and a rendering at that moment would make React take it out of
 * a controlled element again. So it renders when the event is over, as whoever calls `setState` in an observer of
 * `connection.doc` should.
 */
export function useConnectionState(connection: Connection | null): ConnectionState {
  const subscribe = useCallback(
    (listener: () => void) => connection?.subscribe(() => setTimeout(listener)) ?? nothingToEnd,
    [connection],
  )
  return useSyncExternalStore(
    subscribe,
    () => connection?.state ?? INITIAL_STATE,
    () => INITIAL_STATE,
  )
}

/**
 * Binds the element that gets the `ref` to the text of the connection, for as long as there are both. What `bindTextarea`
 * throws for an unsuitable element is uncaught.
 */
export function useTextarea(connection: Connection | null, options: UseTextareaOptions = {}): BoundTextarea {
  const fixed = useStable(options)
  const [element, ref] = useState<TextElement | null>(null)
  const [binding, setBinding] = useState<TextareaBinding | null>(null)

  useEffect(() => {
    if (connection === null || element === null) return
    let bound: TextareaBinding | null = null
    let isEnded = false
    // The binding waits for React's commit, which would undo what is written to a controlled element during it.
    queueMicrotask(() => {
      if (isEnded) return
      bound = bindTextarea(element, connection.text, { ...fixed, awareness: connection.awareness })
      element.dispatchEvent(new Event('input', { bubbles: true }))
      setBinding(bound)
    })
    return () => {
      isEnded = true
      setBinding(null)
      bound?.destroy()
    }
  }, [connection, element, fixed])

  return { ref, binding }
}

/** Shows the carets and selections of others over a bound textarea. Pass null as the binding to hide them. */
export function useCarets(connection: Connection | null, binding: TextareaBinding | null): void {
  useEffect(() => {
    if (connection === null || binding === null) return
    const overlay = showPeers(binding, connection.awareness)
    const endAnnouncements = announcePeers(connection.awareness)
    return () => {
      endAnnouncements()
      overlay.destroy()
    }
  }, [connection, binding])
}

/** Everybody else who has the document open. A new array per change. */
export function usePeers(connection: Connection | null): readonly Peer[] {
  const [presence, setPresence] = useState<Presence | null>(null)
  useEffect(() => {
    if (connection === null) return
    const watched = watchPresence(connection.awareness)
    setPresence(watched)
    return () => {
      setPresence(null)
      watched.destroy()
    }
  }, [connection])

  const subscribe = useCallback((listener: () => void) => presence?.subscribe(listener) ?? nothingToEnd, [presence])
  return useSyncExternalStore(
    subscribe,
    () => presence?.peers ?? NOBODY,
    () => NOBODY,
  )
}

/** Gives the first of equal objects: one written inline is a new one at each rendering. */
function useStable<T extends object>(value: T): T {
  const [stable, setStable] = useState(value)
  if (hasSameFields(stable, value)) return stable
  setStable(value)
  return value
}

function hasSameFields(a: object, b: object): boolean {
  const fields = new Map(Object.entries(a))
  const others = Object.entries(b)
  return fields.size === others.length && others.every(([name, value]) => Object.is(fields.get(name), value))
}

/** Keeps what the last rendering that came to the page had, for functions that are called later. */
function useLatest<T>(value: T): { readonly current: T } {
  const ref = useRef(value)
  useEffect(() => {
    ref.current = value
  })
  return ref
}
