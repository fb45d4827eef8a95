import { bindTextarea } from '@coedit/client'
import { Scene } from './scene.ts'

export { bindTextarea }

/** The scene of the page's test. */
export let scene: Scene

export function begin(text: string): void {
  scene = new Scene(text)
}

declare global {
  /** What the page has of this module. */
  var harness: typeof import('./index.ts')
}
