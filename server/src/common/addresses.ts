import { BlockList, isIP, isIPv6 } from 'node:net'

/** IPv6 gives every network at least a /64: whoever has one address of it has all. */
const NETWORK_GROUPS = 4

/** Most addresses whose client is remembered: finding one out takes longer than much of a request. */
const MAX_REMEMBERED = 1_000

/** Which proxies are trusted, and whom they speak for. */
export class TrustedProxies {
  readonly #proxies: BlockList
  /** By address, for requests that say nothing else. */
  readonly #known = new Map<string, string | undefined>()

  /** @param list IP addresses and ranges, see `isAddressList`; loopback is trusted anyway */
  constructor(list: string) {
    const proxies = addressList(list)
    proxies.addSubnet('127.0.0.0', 8, 'ipv4')
    proxies.addAddress('::1', 'ipv6')
    this.#proxies = proxies
  }

  /**
   * Whose request it is, as a key to count by: an IPv4 address, or the network of an IPv6 one. Undefined for a proxy that
   * speaks for itself, such as whatever runs on this machine.
   * @param remote the other end of the socket
   * @param forwardedFor the header `X-Forwarded-For`: to it each proxy adds at the end whom it speaks for
   */
  client(remote = '', forwardedFor?: string): string | undefined {
    if (forwardedFor !== undefined) return this.#find(remote, forwardedFor)
    if (!this.#known.has(remote)) {
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear()
      this.#known.set(remote, this.#find(remote))
    }
    return this.#known.get(remote)
  }

  #find(remote: string, forwardedFor?: string): string | undefined {
    const hops = [...(forwardedFor?.split(',') ?? []), remote].map((hop) => plain(hop.trim()))
    const client = hops.findLast((hop) => !this.#isTrusted(hop))
    return client === undefined || client === '' ? undefined : network(client)
  }

  #isTrusted(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }
}

/** Whether the text is empty, or holds IP addresses and ranges such as `10.0.0.0/8` with commas between them. */
export function isAddressList(text: string): boolean {
  return rangesOf(text).every(({ address, prefix, bits }) => isIP(address) !== 0 && prefix >= 0 && prefix <= bits)
}

/** @param list see `isAddressList` */
export function addressList(list: string): BlockList {
  const addresses = new BlockList()
  for (const { address, prefix, family } of rangesOf(list)) addresses.addSubnet(address, prefix, family)
  return addresses
}

interface Range {
  readonly address: string
  readonly prefix: number
  /** Of an address of the family. */
  readonly bits: number
  readonly family: 'ipv4' | 'ipv6'
}

function rangesOf(list: string): Range[] {
  if (list.trim() === '') return []
  return list.split(',').map((range) => {
    const [address = '', prefix] = range.trim().split(/\/(.*)/, 2)
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    const bits = family === 'ipv6' ? 128 : 32
    return { address, prefix: prefix === undefined ? bits : digits(prefix), bits, family }
  })
}

function digits(text: string): number {
  return /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN
}

/** Undoes the mapping of IPv4 into IPv6 that dual-stack sockets show. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}

function network(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = withoutZone(address).split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  while (groups.length + last.length < 8) groups.push('0')
  const significant = [...groups, ...last].slice(0, NETWORK_GROUPS)
  return `${significant.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, '')
}
