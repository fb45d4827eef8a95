import { isIPv4 } from 'node:net'

/**
 * Whether only programs on this machine reach, or come from, a host in lower case: `localhost` and all names below it
 * (RFC 6761 §6.3), 127.0.0.0/8 or ::1.
 */
export function isLoopback(host: string): boolean {
  if (host === '::1' || host === '[::1]') return true
  return host === 'localhost' || host.endsWith('.localhost') || (isIPv4(host) && host.startsWith('127.'))
}
