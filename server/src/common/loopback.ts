import { isIPv4 } from 'node:net'

/**
 * Whether only programs on this machine reach, or come from, a host in lower case: `localhost` and all names below it
 * (RFC 6761 §6.3), 127.0.0.0/8 or ::1.
 */
export function isLoopback(host: string): boolean {
  if (host === '::1' || host === '[::1]') return true
  return host === 'localhost' || host.endsWith('.localhost') || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether nobody on the way can change what an URL answers: it is of https, or of this machine. Empty text is good, too. */
export function isPrivateUrl(text: string): boolean {
  if (text === '') return true
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
}
