/** A window that is lower than this, in CSS px, has no room but for the text and its state. */
const SHORT = 480

/**
 * Tells the style sheets how much of the window is seen: `--seen`, and `data-short` where that is little. A keyboard on the
 * screen covers the lower part of a window, which stays as high as it is in most browsers.
 */
export function followViewport(root: HTMLElement, viewport: VisualViewport | null): void {
  if (viewport === null) return
  const follow = () => {
    // Zooming with two fingers shows less of the page, and covers nothing of it.
    const height = viewport.height * viewport.scale
    root.style.setProperty('--seen', `${height}px`)
    root.toggleAttribute('data-short', height < SHORT)
  }
  viewport.addEventListener('resize', follow)
  follow()
}
