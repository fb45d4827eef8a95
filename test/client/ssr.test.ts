import { useCarets, useConnection, useConnectionState, usePeers, useTextarea } from '@coedit/client/react'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const ENTRIES = [
  '@coedit/client',
  '@coedit/client/element',
  '@coedit/client/react',
  '@coedit/client/hocuspocus',
  '@coedit/client/y-websocket',
  '@coedit/client/standalone',
]
const BROWSER_GLOBALS = [
  'window',
  'document',
  'customElements',
  'HTMLElement',
  'CSSStyleSheet',
  'WebSocket',
  'BroadcastChannel',
  'indexedDB',
  'localStorage',
]

/** The globals that modules of the client have looked at. Those of its dependencies may: they ask where they are. */
let touched: string[]

beforeEach(() => {
  touched = []
  for (const name of BROWSER_GLOBALS) watch(name)
  vi.resetModules()
})

afterEach(() => vi.unstubAllGlobals())

function watch(name: string): void {
  vi.stubGlobal(name, undefined)
  const get = () => {
    if (new Error().stack?.includes('/client/src/')) touched.push(name)
    return undefined
  }
  Object.defineProperty(globalThis, name, { get, configurable: true })
}

test.each(ENTRIES)('importing %s where there is no browser touches nothing of one', async (entry) => {
  expect(Object.keys(await import(entry))).not.toEqual([])
  expect(touched).toEqual([])
})

test('what is defined by a call only touches the browser when it is called', async () => {
  const { defineCoeditTextarea } = await import('@coedit/client/element')
  expect(() => defineCoeditTextarea()).toThrow(TypeError)
  expect(touched).toEqual(['customElements'])
})

test('hooks render on a server without a connection', () => {
  function Editor() {
    const connection = useConnection({ url: 'ws://127.0.0.1:1', document: 'notes' })
    const { connection: progress } = useConnectionState(connection)
    const { ref, binding } = useTextarea(connection)
    useCarets(connection, binding)
    const title = `${progress}, ${usePeers(connection).length} others`
    return createElement('textarea', { ref, title, defaultValue: 'from the server' })
  }
  expect(renderToString(createElement(Editor))).toBe(
    '<textarea title="connecting, 0 others">from the server</textarea>',
  )
  expect(touched).toEqual([])
})
