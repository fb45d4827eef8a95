import { describe, expect, test } from 'vitest'
import { LINES, opacity, setOverlayStage, TEXTAREA } from './harness/overlay-stage.ts'

const stage = setOverlayStage()

describe('carets', () => {
  test('move with a local edit in the frame that shows it', async () => {
    const page = await stage.open('one two')
    const moved = await page.evaluate(async () => {
      const { scene } = overlays
      scene.peer('Ann').select(4)
      await overlays.painted()
      const before = scene.caret('Ann')?.left ?? 0
      scene.element.focus()
      scene.element.setSelectionRange(0, 0)
      document.execCommand('insertText', false, 'mmmm')
      const unpainted = scene.caret('Ann')?.left ?? 0
      await overlays.painted()
      return [unpainted - before, (scene.caret('Ann')?.left ?? 0) - before]
    })
    expect(moved[0]).toBe(0)
    expect(moved[1]).toBeGreaterThan(20)
  })

  test('move with a remote edit in the frame that shows it, and not before', async () => {
    const page = await stage.open('one two')
    const steps = await page.evaluate(async () => {
      const { scene } = overlays
      scene.peer('Ann').select(4)
      await overlays.painted()
      const steps: [string, number][] = []
      const look = () => steps.push([scene.element.value, Math.round(scene.caret('Ann')?.left ?? 0)])
      look()
      // Of another peer: it makes the overlay look for all cursors while the edit waits to be shown.
      scene.peer('Bo').edit((text) => text.insert(0, 'mmmm'))
      scene.peer('Bo').select(0)
      for (let frame = 0; frame < 3; frame++) {
        await overlays.painted()
        look()
      }
      return steps
    })
    const [text, left] = steps[0]
    for (const step of steps) if (step[0] === text) expect(step[1]).toBe(left)
    const after = steps.filter(([shown]) => shown === 'mmmmone two').map(([, at]) => at)
    expect(after.length).toBeGreaterThan(0)
    expect(new Set(after).size).toBe(1)
    expect(after[0]).toBeGreaterThan(left + 20)
  })

  test('are not drawn where the text is not seen, and come into view by scrolling', async () => {
    const page = await stage.open(LINES)
    const seen = await page.evaluate(async (offset) => {
      const { scene } = overlays
      scene.peer('Ann').select(offset)
      await overlays.painted()
      const before = scene.caret('Ann')
      scene.element.scrollTop = 1_000
      await overlays.painted()
      await overlays.painted()
      return [before !== null, scene.caret('Ann') !== null]
    }, LINES.indexOf('line 18'))
    expect(seen).toEqual([false, true])
  })

  test('are not drawn where an ancestor hides the text', async () => {
    const html = `<main style="height:60px;overflow:hidden">${TEXTAREA}</main>`
    const page = await stage.open(LINES, html)
    const seen = await page.evaluate(async (offset) => {
      overlays.scene.peer('Ann').select(0)
      overlays.scene.peer('Bo').select(offset)
      await overlays.painted()
      return [overlays.scene.caret('Ann') !== null, overlays.scene.caret('Bo') !== null]
    }, LINES.indexOf('line 6'))
    expect(seen).toEqual([true, false])
  })

  test('can be hidden and shown again', async () => {
    const page = await stage.open('text')
    const counts = await page.evaluate(async () => {
      const { overlay } = overlays.scene
      overlays.scene.peer('Ann').select(1)
      const counts: number[] = []
      for (const hidden of [false, true, false]) {
        overlay.hidden = hidden
        await overlays.painted()
        counts.push(overlays.scene.drawn('caret').length)
      }
      return counts
    })
    expect(counts).toEqual([1, 0, 1])
  })

  test('follow the element into a modal dialog, and inside of a shadow root', async () => {
    const html = '<dialog></dialog><div id=host></div>'
    const page = await stage.openMarkup(html)
    const places = await page.evaluate(async () => {
      const dialog = overlays.part('dialog')
      const shadow = overlays.part('#host').attachShadow({ mode: 'open' })
      const places: boolean[] = []
      for (const parent of [dialog, shadow]) {
        const element = document.createElement('textarea')
        parent.append(element)
        if (dialog instanceof HTMLDialogElement && parent === dialog) dialog.showModal()
        else if (dialog instanceof HTMLDialogElement) dialog.close()
        const scene = overlays.beginWith(element, 'text')
        scene.peer('Ann').select(0)
        await overlays.painted()
        const caret = scene.caret('Ann')
        const box = element.getBoundingClientRect()
        places.push(caret !== null && caret.left > box.left && caret.left < box.left + 6 && caret.top > box.top)
      }
      return places
    })
    expect(places).toEqual([true, true])
  })
})

describe('a selection', () => {
  test('of several lines is a box for each, as high as the line', async () => {
    const page = await stage.open('one\n\ntwo three', '<textarea rows=5 style="line-height:30px"></textarea>')
    const boxes = await page.evaluate(async () => {
      overlays.scene.peer('Ann').select(1, 8)
      await overlays.painted()
      return overlays.scene.drawn('selection').map((box) => box.getBoundingClientRect().toJSON())
    })
    const tops = [...new Set(boxes.map(({ top }) => Math.round(top)))]
    expect(tops).toHaveLength(3)
    expect(tops[2] - tops[0]).toBe(60)
    for (const { width, height } of boxes) {
      expect(Math.round(height)).toBe(30)
      expect(width).toBeGreaterThanOrEqual(4)
    }
  })

  test('of everything draws only what is seen', async () => {
    const page = await stage.open('line\n'.repeat(10_000))
    const count = await page.evaluate(async () => {
      overlays.scene.peer('Ann').select(0, 50_000)
      await overlays.painted()
      return overlays.scene.drawn('selection').length
    })
    expect(count).toBeGreaterThan(5)
    expect(count).toBeLessThan(40)
  })
})

describe('a name', () => {
  test('is shown for 1.5 s after its caret has moved, and then where one points at it', async () => {
    const page = await stage.open('some text')
    await page.evaluate(async () => {
      overlays.scene.peer('Ann').select(5)
      await overlays.painted()
    })
    expect(await opacity(page)).toBe(1)
    const left = await page.evaluate(() => {
      const [animation] = overlays.scene.name('Ann')?.getAnimations() ?? []
      const duration = Number(animation.effect?.getTiming().duration)
      animation.finish()
      return duration
    })
    expect(left).toBe(1_500)
    expect(await opacity(page)).toBe(0)

    const caret = await page.evaluate(() => overlays.scene.caret('Ann'))
    await page.mouse.move((caret?.left ?? 0) + 3, (caret?.top ?? 0) + 5)
    await page.evaluate(async () => {
      await overlays.painted()
      for (const animation of overlays.scene.name('Ann')?.getAnimations() ?? []) animation.finish()
    })
    expect(await opacity(page)).toBe(1)
    await page.mouse.move(400, 300)
    await page.evaluate(async () => {
      await overlays.painted()
      for (const animation of overlays.scene.name('Ann')?.getAnimations() ?? []) animation.finish()
    })
    expect(await opacity(page)).toBe(0)
  })

  // A clock that goes on between two peers, as on a slow machine, must not change whose name gets the better place.
  test.each([0, 1, 2, 3, 4])(
    'is above its caret and inside of the right edge, and beside that of who is at the same place, with a tick after %i peers',
    async (calls) => {
      const page = await stage.open(`${'x'.repeat(40)}\n`.repeat(6))
      const boxes = await page.evaluate(async (before) => {
        const { scene } = overlays
        let left = before
        performance.now = () => (left-- > 0 ? 0 : 1)
        scene.peer('To the right').select(4 * 41 + 38)
        for (const name of ['Ann', 'Bo', 'Cy']) scene.peer(name).select(4 * 41 + 10)
        await overlays.painted()
        return ['Ann', 'Bo', 'Cy', 'To the right'].map((name) => ({
          name: scene.name(name)?.getBoundingClientRect().toJSON(),
          caret: scene.caret(name),
          edge: scene.element.getBoundingClientRect().right,
        }))
      }, calls)
      const [ann, bo, cy, right] = boxes
      expect([bo.caret, cy.caret]).toEqual([ann.caret, ann.caret])
      for (const { name, caret } of boxes) {
        expect(name.bottom).toBeLessThanOrEqual(caret?.top ?? 0)
        expect((caret?.top ?? 0) - name.bottom).toBeLessThan(4)
      }
      const row = [ann.name, bo.name, cy.name].sort((a, b) => a.left - b.left)
      expect(Math.abs(row[0].left - (ann.caret?.left ?? 0))).toBeLessThan(2)
      for (const gap of [row[1].left - row[0].right, row[2].left - row[1].right]) {
        expect(gap).toBeGreaterThanOrEqual(0)
        expect(gap).toBeLessThan(2)
      }
      expect(right.name.right).toBeLessThanOrEqual(right.edge)
      expect(right.name.left).toBeLessThanOrEqual(right.caret?.left ?? 0)
    },
  )

  test('of the first line is above the element, and below its caret only where it would not be seen above', async () => {
    const clipped = `<main style="height:150px;overflow:hidden">${TEXTAREA}</main>`
    const places = []
    for (const html of [`<p>Above</p>${TEXTAREA}`, `<p>Above</p>${clipped}`, `<body style="margin:0">${TEXTAREA}`]) {
      const page = await stage.open('some text\nmore', html)
      places.push(
        await page.evaluate(async () => {
          overlays.scene.peer('Ann').select(5)
          await overlays.painted()
          const name = overlays.scene.name('Ann')?.getBoundingClientRect()
          const caret = overlays.scene.caret('Ann')
          return name && caret && (name.bottom <= caret.top ? 'above' : name.top >= caret.bottom && 'below')
        }),
      )
    }
    expect(places).toEqual(['above', 'below', 'below'])
  })

  test('of more people at one place than a row holds stays inside of the element, over no other', async () => {
    const page = await stage.open(`${'x'.repeat(40)}\n`.repeat(8))
    const boxes = await page.evaluate(async () => {
      const names = Array.from({ length: 9 }, (_, at) => `Somebody ${at}`)
      for (const name of names) overlays.scene.peer(name).select(7 * 41 + 5)
      await overlays.painted()
      const edge = overlays.scene.element.getBoundingClientRect().right
      return names.map((name) => ({ edge, ...overlays.scene.name(name)?.getBoundingClientRect().toJSON() }))
    })
    for (const box of boxes) {
      expect(box.right).toBeLessThanOrEqual(box.edge)
      const meets = boxes.filter(
        ({ left, right, top, bottom }) => left < box.right && right > box.left && top < box.bottom && bottom > box.top,
      )
      expect(meets).toEqual([box])
    }
  })
})

describe('hostile presence', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['numbers', { anchor: 1, head: 2 }],
    ['an empty position', { anchor: {}, head: {} }],
    ['ids that nobody has', { anchor: { item: { client: 9, clock: 9 } }, head: { item: { client: 9, clock: 9 } } }],
    ['a type that nobody has', { anchor: { type: { client: 9, clock: 9 } }, head: { type: { client: 9, clock: 9 } } }],
    ['another text', { anchor: { tname: 'other' }, head: { tname: 'other' } }],
    ['a negative clock', { anchor: { item: { client: 1, clock: -1 } }, head: { item: { client: 1, clock: -1 } } }],
    ['the prototype of all', { anchor: { tname: '__proto__' }, head: { tname: 'constructor' } }],
  ])('with a cursor of %s draws nothing, and makes no type of the document', async (_title, cursor) => {
    const page = await stage.open('text')
    const found = await page.evaluate(async (hostile) => {
      const { scene } = overlays
      const before = scene.doc.share.size
      scene.peer('Eve').say({ user: { name: 'Eve' }, cursor: hostile })
      scene.peer('Ann').select(1)
      await overlays.painted()
      return [scene.drawn('name').map(({ textContent }) => textContent), scene.doc.share.size - before]
    }, cursor)
    expect(found).toEqual([['Ann'], 0])
  })

  test('shows names as text, and colours only where they are colours', async () => {
    const page = await stage.open('text')
    const drawn = await page.evaluate(async () => {
      const { scene } = overlays
      scene.peer('<img src=x onerror=alert(1)>').color('red;background:url(https://evil.example/)').select(1)
      await overlays.painted()
      const [caret] = scene.drawn('caret')
      return [
        scene.drawn('name')[0].textContent,
        scene.root.querySelector('img'),
        caret.style.background,
        getComputedStyle(caret).backgroundImage,
      ]
    })
    expect(drawn).toEqual(['<img src=x onerror=alert(1)>', null, '', 'none'])
  })

  test('of 1,000 peers draws those 100 that moved last', async () => {
    const page = await stage.open('text '.repeat(100))
    const names = await page.evaluate(async () => {
      const { scene } = overlays
      for (let peer = 0; peer < 1_000; peer++) scene.peer(`Peer ${peer}`).select(peer % 100)
      await overlays.painted()
      scene.peer('Peer 7').select(50)
      await overlays.painted()
      return scene.drawn('name').map(({ textContent }) => textContent)
    })
    expect(names).toHaveLength(100)
    expect(names).toContain('Peer 7')
  })

  test('whose text was deleted draws nothing', async () => {
    const page = await stage.openMarkup(TEXTAREA)
    const drawn = await page.evaluate(() => overlays.deletedText())
    expect(drawn).toBe(0)
  })
})
