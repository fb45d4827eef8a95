/**
 * Takes from a page what at least one of the oldest browsers lacks that the client's README names (Chrome 109,
 * Firefox 115, Safari 16.4), and some things that are only a little older. Runs in the page, before its scripts.
 */
export function removeYoungerApis(): void {
  const byOwner: readonly (readonly [object, readonly string[]])[] = [
    [Array, ['fromAsync']],
    [Array.prototype, ['toSorted', 'toReversed', 'toSpliced', 'with', 'findLast', 'findLastIndex']],
    [Object.getPrototypeOf(Uint8Array.prototype), ['toSorted', 'toReversed', 'with', 'findLast', 'findLastIndex']],
    [Uint8Array, ['fromBase64', 'fromHex']],
    [Uint8Array.prototype, ['toBase64', 'toHex', 'setFromBase64', 'setFromHex']],
    [ArrayBuffer.prototype, ['transfer', 'transferToFixedLength', 'resize']],
    [Set.prototype, ['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf']],
    [Map.prototype, ['getOrInsert', 'getOrInsertComputed']],
    [Object.getPrototypeOf(Object.getPrototypeOf([].values())), ['map', 'filter', 'take', 'drop', 'flatMap', 'reduce']],
    [Object.getPrototypeOf(Object.getPrototypeOf([].values())), ['toArray', 'forEach', 'some', 'every', 'find']],
    [String.prototype, ['isWellFormed', 'toWellFormed']],
    [Object, ['groupBy']],
    [Map, ['groupBy']],
    [Promise, ['withResolvers', 'try']],
    [RegExp, ['escape']],
    [URL, ['canParse', 'parse']],
    [URLSearchParams.prototype, ['size']],
    [AbortSignal, ['any', 'timeout']],
    [Intl, ['Segmenter', 'DurationFormat']],
    [Document.prototype, ['caretPositionFromPoint', 'startViewTransition']],
    [Element.prototype, ['checkVisibility', 'moveBefore', 'setHTMLUnsafe', 'getHTML', 'computedStyleMap', 'role']],
    [Element.prototype, Object.keys(Element.prototype).filter((name) => name.startsWith('aria'))],
    [HTMLElement.prototype, ['popover', 'showPopover', 'hidePopover', 'togglePopover']],
    [IDBFactory.prototype, ['databases']],
    [CSS, ['registerProperty', 'highlights']],
    [Navigator.prototype, ['userActivation', 'userAgentData', 'connection']],
    [
      globalThis,
      ['structuredClone', 'Iterator', 'requestIdleCallback', 'cancelIdleCallback', 'scheduler', 'navigation'],
    ],
    [globalThis, ['CloseWatcher', 'Highlight', 'WebSocketStream', 'Float16Array', 'cookieStore', 'trustedTypes']],
  ]
  for (const [owner, names] of byOwner) for (const name of names) Reflect.deleteProperty(owner, name)

  // Addresses of http and https are younger, too.
  const Native = WebSocket
  Object.defineProperty(globalThis, 'WebSocket', {
    value: class extends Native {
      constructor(url: string | URL, protocols?: string | string[]) {
        if (!/^wss?:/.test(String(url))) throw new SyntaxError(`the scheme of ${url} is not allowed`)
        super(url, protocols)
      }
    },
  })
}
