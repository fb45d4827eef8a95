/**
 * Whether the server at `root` answers over HTTP. Asked when no WebSocket comes about: then something between blocks
 * WebSockets.
 */
export async function answersHttp(root: string): Promise<boolean> {
  try {
    await fetch(new URL('health', root), { cache: 'no-store' })
    return true
  } catch {
    return false
  }
}
