import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { type BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'
import { addressList } from '../common/addresses.ts'
import { CoeditError } from '../common/errors.ts'

/** Looks up all addresses of a name. */
export type LookUp = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** IANA's IPv4 Special-Purpose Address Registry, and multicast: what is not on the public internet. */
const SPECIAL_IPV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/3'],
].join(',')

/** What of IPv6 is on the public internet at all (RFC 4291 §2.4), and what of that is not: IANA's registry of the same name. */
const GLOBAL_IPV6 = '2000::/3'
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].join(',')
/** Prefixes before IPv4 addresses (RFC 4291 §2.5.5.2, RFC 6052 §2.1). */
const EMBEDDING = ['::ffff:0:0/96', '64:ff9b::/96'].join(',')

const specialIpv4 = addressList(SPECIAL_IPV4)
const globalIpv6 = addressList(GLOBAL_IPV6)
const specialIpv6 = addressList(SPECIAL_IPV6)
const embedding = addressList(EMBEDDING)

/**
 * Which addresses webhooks may lead to: those on the public internet by https, and those that an option names. What is behind a name
 * is looked up for each connection, and the connection is made to an address that was looked at.
 */
export class Reach {
  readonly #allowed: BlockList
  readonly #lookUp: LookUp

  /** @param allowed the option `webhookAddresses` */
  constructor(allowed: string, lookUp: LookUp = systemLookup) {
    this.#allowed = addressList(allowed)
    this.#lookUp = lookUp
  }

  /**
   * Looks at what the URL itself says: what a name in it leads to is not known before.
   * @throws CoeditError WEBHOOK_ADDRESS
   */
  check({ hostname, protocol }: URL): void {
    const address = hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(address) !== 0) this.#expect(address, address, protocol === 'https:')
  }

  /** A `lookup` for node:net that fails with WEBHOOK_ADDRESS where any of the addresses may not be reached. */
  lookup({ protocol }: Pick<URL, 'protocol'>): LookupFunction {
    return (hostname, options, callback) => {
      this.#lookUp(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, [])
        try {
          for (const { address } of addresses) this.#expect(address, hostname, protocol === 'https:')
        } catch (refusal) {
          return callback(refusal instanceof Error ? refusal : new Error(String(refusal)), [])
        }
        const [first] = addresses
        if (options.all || !first) callback(null, addresses)
        else callback(null, first.address, first.family)
      })
    }
  }

  #expect(address: string, host: string, isTls: boolean): void {
    if (contains(this.#allowed, address)) return
    // What a name stands for inside of the network is no affair of whoever makes webhooks.
    if (!isPublic(address)) {
      throw new CoeditError('WEBHOOK_ADDRESS', `${host} is not on the public internet: webhookAddresses may allow it`)
    }
    if (!isTls) throw new CoeditError('WEBHOOK_ADDRESS', `${host} is reached without TLS: expected https`)
  }
}

function isPublic(address: string): boolean {
  if (!isIPv6(address)) return !contains(specialIpv4, address)
  if (contains(embedding, address)) return isPublic(embeddedIn(address))
  return contains(globalIpv6, address) && !contains(specialIpv6, address)
}

/** The IPv4 address at the end of an IPv6 one. */
function embeddedIn(address: string): string {
  const [dotted] = /\d+\.\d+\.\d+\.\d+$/.exec(address) ?? []
  if (dotted !== undefined) return dotted
  // The URL parser has the shortest form of any address, whose last two groups are there unless they are zero.
  const { hostname } = new URL(`http://[${address}]`)
  const [high = '', low = ''] = hostname.slice(1, -1).split(':').slice(-2)
  const bytes = [high, low]
    .map((group) => Number.parseInt(group || '0', 16))
    .flatMap((group) => [group >> 8, group & 255])
  return bytes.join('.')
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
