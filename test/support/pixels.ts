import type { Page } from 'playwright-core'

/** In CSS px, relative to the viewport. */
export interface PixelBox {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** The smallest box around all that is painted in pure red; null where nothing is. */
export async function redBox(page: Page): Promise<PixelBox | null> {
  const png = await page.screenshot({ caret: 'initial', scale: 'device' })
  return page.evaluate(findRed, png.toString('base64'))
}

/** Runs in the browser, which can read PNG. */
async function findRed(base64: string): Promise<PixelBox | null> {
  const image = new Image()
  image.src = `data:image/png;base64,${base64}`
  await image.decode()
  const { width, height } = image
  const canvas = new OffscreenCanvas(width, height).getContext('2d')
  if (canvas === null) throw new Error('the browser has no canvas')
  canvas.drawImage(image, 0, 0)
  const { data } = canvas.getImageData(0, 0, width, height)
  const [xs, ys]: [number[], number[]] = [[], []]
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] < 250 || data[at + 1] > 5 || data[at + 2] > 5) continue
    xs.push((at / 4) % width)
    ys.push(Math.floor(at / 4 / width))
  }
  if (xs.length === 0) return null
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs) + 1, Math.min(...ys), Math.max(...ys) + 1]
  const ratio = devicePixelRatio
  return { left: left / ratio, right: right / ratio, top: top / ratio, bottom: bottom / ratio }
}
