import { describe, expect, test } from 'vitest'
import { isAddressList, TrustedProxies } from '../../server/src/common/addresses.ts'

describe('whose request it is', () => {
  const proxies = new TrustedProxies('10.0.0.0/8, 192.0.2.1,2001:db8:1::/48')

  test.each([
    ['203.0.113.7', undefined, '203.0.113.7'],
    ['::ffff:203.0.113.7', undefined, '203.0.113.7'],
    ['203.0.113.7', '198.51.100.1', '203.0.113.7'],
    ['127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['::1', '198.51.100.1', '198.51.100.1'],
    ['::ffff:127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '8.8.8.8, 198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '8.8.8.8, 198.51.100.1 ,10.1.2.3,192.0.2.1', '198.51.100.1'],
    ['2001:db8:1:2::3', '198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', 'unknown', 'unknown'],
  ])('from %s for %s it is that of %s', (remote, forwardedFor, client) => {
    expect(proxies.client(remote, forwardedFor)).toBe(client)
  })

  test.each([
    ['127.0.0.1', undefined],
    ['::1', undefined],
    ['10.1.2.3', undefined],
    ['127.0.0.1', '10.1.2.3, 192.0.2.1'],
    ['127.0.0.1', ''],
    [undefined, undefined],
  ])('from %s for %s it is a proxy’s own', (remote, forwardedFor) => {
    expect(proxies.client(remote, forwardedFor)).toBeUndefined()
  })

  test.each([
    ['2001:db8:2:3:4:5:6:7', '2001:db8:2:3::/64'],
    ['2001:db8:2:3::', '2001:db8:2:3::/64'],
    ['2001:0DB8:0002:0003::7', '2001:db8:2:3::/64'],
    ['2001:db8::7', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::7', '0:0:0:0::/64'],
  ])('%s counts as its network %s', (address, network) => {
    expect(proxies.client(address, undefined)).toBe(network)
  })
})

test.each(['', ' ', '10.0.0.1', '10.0.0.0/8', '10.0.0.0/8, ::1', '2001:db8::/32', '10.0.0.0/0'])(
  'a list: "%s"',
  (list) => {
    expect(isAddressList(list)).toBe(true)
    expect(() => new TrustedProxies(list)).not.toThrow()
  },
)

test.each([
  'loopback',
  '10.0.0',
  '10.0.0.0/33',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '10.0.0.0/-1',
  '::/129',
  ',',
  '10.0.0.1,',
])('no list: "%s"', (list) => expect(isAddressList(list)).toBe(false))
