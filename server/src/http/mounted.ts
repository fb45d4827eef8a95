import type { IncomingMessage } from 'node:http'

/**
 * Gives a request the path back that it came with, where a router has taken the base path off for who it mounts. Express,
 * Connect and what is made like them keep it as `originalUrl`.
 */
export function restorePath(request: IncomingMessage & { readonly originalUrl?: string }, basePath: string): void {
  const { url, originalUrl } = request
  if (!isBelow(url, basePath) && isBelow(originalUrl, basePath)) request.url = originalUrl
}

function isBelow(url = '', basePath: string): boolean {
  return url.startsWith(basePath) && /^[/?]?$/.test(url.charAt(basePath.length))
}
