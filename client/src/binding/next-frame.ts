export interface NextFrame {
  request(): void
  /** Runs what is requested now: to be called as well when the page is hidden, and its frame will not come. */
  flush(): void
}

/** Runs a task in the next animation frame, once however often it is requested; soon, in a page that has none now. */
export function nextFrame(document: Document, task: () => void): NextFrame {
  let isRequested = false
  const flush = () => {
    if (!isRequested) return
    isRequested = false
    task()
  }
  const request = () => {
    if (isRequested) return
    isRequested = true
    if (document.hidden) setTimeout(flush)
    else requestAnimationFrame(flush)
  }
  return { request, flush }
}
