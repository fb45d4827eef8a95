/** The first element below `root` that matches. Throws where the page lacks what its code was written for. */
export function find<E extends Element>(root: ParentNode, selector: string, type: new () => E): E {
  const element = root.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`the page has no ${type.name} ${selector}`)
}
