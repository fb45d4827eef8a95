import * as Y from 'yjs'
import { bindTextarea } from '../../../client/src/binding/textarea.ts'
import { nextFrame, Scene, type SceneOptions } from './scene.ts'

export { bindTextarea, nextFrame, Y }

/** The scene of the page's test. */
export let scene: Scene

export function begin(text: string, options: SceneOptions = {}): void {
  scene = new Scene(text, options)
}

/** Binds the scene's element anew, behind an observer that answers edits with its own: a text has a "!" in front. */
export function bindBehindAnswers(): void {
  const { binding, mine, element } = scene
  binding.destroy()
  mine.observe(() => {
    if (!mine.toString().startsWith('!')) mine.insert(0, '!')
  })
  bindTextarea(element, mine)
}

declare global {
  /** What the page has of this module. */
  var harness: typeof import('./index.ts')
}
