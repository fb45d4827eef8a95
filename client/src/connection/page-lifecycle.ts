import { listen } from '../common/events.ts'

export interface PageEvents {
  /** The page is left, for good or for the back/forward cache, where it may hold no socket. */
  onHide(): void
  /** The page is back out of the back/forward cache. */
  onShow(): void
  /** The network is back, or somebody looks at the page again: sockets may have died unnoticed. */
  onWake(): void
  /** The browser says that the network is gone, which it does not know of a server on this computer. */
  onOffline(): void
}

/** Tells what happens to the page, or to the worker, until `ended` is aborted. Where nothing tells, it does nothing. */
export function watchPage({ onHide, onShow, onWake, onOffline }: PageEvents, ended: AbortSignal): void {
  const page = globalThis.document
  listen(globalThis, 'pagehide', onHide, ended)
  listen(globalThis, 'pageshow', (event) => 'persisted' in event && event.persisted && onShow(), ended)
  listen(globalThis, 'online', onWake, ended)
  listen(globalThis, 'offline', onOffline, ended)
  listen(page, 'visibilitychange', () => page.visibilityState === 'visible' && onWake(), ended)
}
