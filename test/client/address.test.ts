import { describe, expect, test } from 'vitest'
import { documentPath, pathSegment, socketAddress } from '../../client/src/connection/address.ts'

describe('socketAddress', () => {
  test.each([
    ['ws://host:1234', 'ws://host:1234'],
    ['wss://host/', 'wss://host'],
    ['http://127.0.0.1:1234/', 'ws://127.0.0.1:1234'],
    ['https://host/base/', 'wss://host/base'],
    ['https://host/a/b//', 'wss://host/a/b'],
  ])('%s becomes %s', (base, address) => {
    expect(socketAddress(base)).toBe(address)
  })

  test.each(['', '/base', 'ftp://host', 'ws://host?token=1', 'ws://host/#here'])('"%s" is refused', (base) => {
    expect(() => socketAddress(base)).toThrow(expect.objectContaining({ code: 'URL_INVALID' }))
  })
})

describe('pathSegment', () => {
  test.each(['notes', 'a/b', '100%', 'ein Blatt', '?a#b', 'été', '...', '😀'])('"%s" survives a URL', (name) => {
    const { pathname } = new URL(`ws://host/base/${pathSegment(name)}`)
    expect(decodeURIComponent(pathname.slice('/base/'.length))).toBe(name)
    expect(pathname.split('/')).toHaveLength(3)
  })

  test.each(['', '.', '..', '\ud83d', undefined])('"%s" is refused', (name) => {
    expect(() => pathSegment(name)).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }))
  })
})

describe('documentPath', () => {
  test.each([
    ['notes', 'notes'],
    ['a/b/ü 1', 'a/b/%C3%BC%201'],
    ['a%2Fb', 'a%252Fb'],
    ['a//b', 'a%2F%2Fb'],
    ['/a', '%2Fa'],
    ['a/', 'a%2F'],
    ['a/../b', 'a%2F..%2Fb'],
    ['./a', '.%2Fa'],
    ['a/.b/c..', 'a/.b/c..'],
  ])('of "%s" is %s, which is that name again', (name, path) => {
    expect(documentPath(name)).toBe(path)
    expect(new URL(`ws://host/base/${path}`).pathname).toBe(`/base/${path}`)
    expect(decodeURIComponent(path)).toBe(name)
  })
})
