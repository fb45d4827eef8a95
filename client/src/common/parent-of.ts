/** The element that another one is in as it is drawn: by slots, and out of shadow trees. */
export function parentOf(element: Element): Element | null {
  const { assignedSlot, parentNode } = element
  return assignedSlot ?? (parentNode instanceof ShadowRoot ? parentNode.host : element.parentElement)
}
