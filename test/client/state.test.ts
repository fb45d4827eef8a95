import { expect, test } from 'vitest'
import { type ConnectionState, INITIAL_STATE, StateStore } from '../../client/src/connection/state.ts'
import { nextUncaughtException } from '../support/uncaught.ts'

const ONLINE: ConnectionState = { ...INITIAL_STATE, connection: 'online' }

test('listeners hear each change once, and nothing where nothing changed', () => {
  const store = new StateStore()
  const heard: ConnectionState[] = []
  store.subscribe((state) => heard.push(state))
  store.change({})
  store.change({ connection: 'online' })
  store.change({ connection: 'online' })
  expect(heard).toEqual([ONLINE])
  expect(store.current).toBe(heard[0])
})

test('one function subscribed twice is called twice and ends each by itself', () => {
  const store = new StateStore()
  let calls = 0
  const listener = () => {
    calls += 1
  }
  const end = store.subscribe(listener)
  store.subscribe(listener)
  store.change({ connection: 'online' })
  end()
  store.change({ connection: 'offline' })
  expect(calls).toBe(3)
})

test('a listener that changes the state leaves the others with the last one', () => {
  const store = new StateStore()
  const heard: string[] = []
  store.subscribe(({ connection }) => connection === 'online' && store.change({ connection: 'offline' }))
  store.subscribe(({ connection }) => heard.push(connection))
  store.change({ connection: 'online' })
  expect(heard.at(-1)).toBe('offline')
  expect(heard).not.toContain('online')
})

test('a listener that throws keeps no other from its call, and its error is reported as uncaught', async () => {
  const uncaught = nextUncaughtException()
  const store = new StateStore()
  const heard: ConnectionState[] = []
  store.subscribe(() => {
    throw new Error('of the listener')
  })
  store.subscribe((state) => heard.push(state))
  store.change({ connection: 'online' })
  expect(heard).toEqual([ONLINE])
  expect(await uncaught).toMatchObject({ message: 'of the listener' })
})
