/** Computed properties that shape text. Others of the element (its border, its animations) must not be copied. */
const TEXT_PROPERTY =
  /^(font|text|letter|word|line|tab|white|hyphen|direction|unicode|overflow-wrap|-webkit-(text|locale))/
/** Whole lines of some length: shorter blocks make an edit cheaper, and longer ones the first layout. */
const BLOCK = /[\s\S]{0,2000}[^\n]*\n/g

/** The style of the node of `TextBlocks`, which has the class `mirror` and the name of the element. */
export const BLOCKS_STYLE = `
*,:before{position:absolute}
.mirror{visibility:hidden;contain:strict}
.mirror *{position:static;unicode-bidi:inherit}
.mirror *+*{text-indent:0}
.input{align-content:center;white-space:pre!important}
`

/**
 * Holds the text of a text control in plain blocks that are laid out alike, to measure where characters are, which
 * browsers do not tell. A block has some whole lines, so that an edit costs the layout of one block.
 */
export class TextBlocks {
  readonly #node: HTMLElement
  /** Each ends with a line feed, which makes the last line as high as others, and gives a caret there a character. */
  #blocks: readonly Text[] = []
  #css = ''

  constructor(node: HTMLElement) {
    this.#node = node
  }

  [Symbol.iterator](): Iterator<Text> {
    return this.#blocks[Symbol.iterator]()
  }

  /**
   * @param style the computed style of the element
   * @param box declarations that say where the node is and how wide
   */
  update(value: string, style: CSSStyleDeclaration, box: string): void {
    const names = [...style].filter((name) => TEXT_PROPERTY.test(name))
    const css = box + names.map((name) => `${name}:${style.getPropertyValue(name)}`).join(';')
    // Equal styles set anew would cost the layout of all blocks.
    if (css !== this.#css) this.#node.style.cssText = css
    this.#css = css
    this.#write(`${value}\n`)
  }

  /** Makes anew only the blocks that differ. */
  #write(text: string): void {
    const blocks = this.#blocks
    let head = 0
    let rest = text
    while (head < blocks.length && rest.startsWith(blocks[head].data)) rest = rest.slice(blocks[head++].length)
    let tail = blocks.length
    while (head < tail && endsWithLines(rest, blocks[tail - 1].data)) rest = rest.slice(0, -blocks[--tail].length)
    const next = blocks[tail]?.parentNode ?? null
    const { ownerDocument } = this.#node
    const fresh = Array.from(rest.match(BLOCK) ?? [], (lines) => {
      const block = ownerDocument.createElement('div')
      const characters = ownerDocument.createTextNode(lines)
      block.append(characters)
      this.#node.insertBefore(block, next)
      return characters
    })
    for (const { parentElement } of blocks.slice(head, tail)) parentElement?.remove()
    this.#blocks = [...blocks.slice(0, head), ...fresh, ...blocks.slice(tail)]
  }
}

function endsWithLines(text: string, lines: string): boolean {
  const start = text.length - lines.length
  return text.endsWith(lines) && (start === 0 || text[start - 1] === '\n')
}
