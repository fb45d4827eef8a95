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

/** Tells what happens to the page until `signal` is aborted. Does nothing where there is no page. */
export function watchPage({ onHide, onShow, onWake, onOffline }: PageEvents, signal: AbortSignal): void {
  if (typeof window === 'undefined') return
  const options = { signal }
  window.addEventListener('pagehide', onHide, options)
  window.addEventListener('pageshow', (event) => event.persisted && onShow(), options)
  window.addEventListener('online', onWake, options)
  window.addEventListener('offline', onOffline, options)
  const onVisibility = () => document.visibilityState === 'visible' && onWake()
  document.addEventListener('visibilitychange', onVisibility, options)
}
