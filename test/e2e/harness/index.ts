import * as Y from 'yjs'
import { bindTextarea } from '../../../client/src/textarea.ts'
import { nextFrame, Scene, type SceneOptions } from './scene.ts'

export { bindTextarea, nextFrame, Y }

/** The scene of the page's test. */
export let scene: Scene

export function begin(text: string, options: SceneOptions = {}): void {
  scene = new Scene(text, options)
}

declare global {
  /** What the page has of this module. */
  var harness: typeof import('./index.ts')
}
