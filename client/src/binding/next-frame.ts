/** What nobody notices, in ms: the bound of the standard "Long Tasks". */
const SHORT_MS = 50
/** A machine that was busy with something else must not make a task rest for long, in ms. */
const MAX_REST_MS = 5000

export interface NextFrame {
  request(): void
  /** Runs what is requested now: to be called as well when the page is hidden, and its frame will not come. */
  flush(): void
}

/**
 * Runs a task in the next animation frame, once however often it is requested; soon, in a page that has none now.
 *
 * @param rest how long a task that takes more than 50 ms rests after each time, in times of what it took: with 3 it takes
 * a quarter of the time
 */
export function nextFrame(document: Document, task: () => void, rest = 0): NextFrame {
  let isRequested = false
  let restsUntil = 0
  const flush = () => {
    if (!isRequested) return
    isRequested = false
    const begin = performance.now()
    task()
    const end = performance.now()
    const took = end - begin
    if (took > SHORT_MS) restsUntil = end + Math.min(MAX_REST_MS, rest * took)
  }
  const waitForFrame = () => {
    if (document.hidden) setTimeout(flush)
    else requestAnimationFrame(flush)
  }
  const request = () => {
    if (isRequested) return
    isRequested = true
    const left = restsUntil - performance.now()
    if (left > 0) setTimeout(waitForFrame, left)
    else waitForFrame()
  }
  return { request, flush }
}
