import { describe, expect, onTestFinished, test } from 'vitest'
import { encodePresence } from '../../server/src/protocol/wire/awareness.ts'
import { type ClusterNode, type PresenceClient, PresenceCluster, Seat } from '../support/presence-cluster.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const release = onTestFinished

/** Two servers, and one client at each. */
async function couple() {
  const cluster = new PresenceCluster()
  release(() => cluster.close())
  const nodes = [cluster.addNode(), cluster.addNode()]
  const [ada, bob] = ['Ada', 'Bob'].map((name, index) => {
    const client = cluster.addClient(name)
    client.connect(nodes[index])
    return client
  })
  await cluster.pass(500)
  return { cluster, nodes, ada, bob }
}

function stateOf(client: PresenceClient, other: PresenceClient): unknown {
  return client.others.get(other.id)
}

function impostorAt(node: ClusterNode, victim: PresenceClient): Seat {
  const impostor = new Seat(node, false, () => undefined)
  node.enter(impostor)
  const clock = (victim.awareness.meta.get(victim.id)?.clock ?? 0) + 1
  impostor.send(encodePresence([{ clientId: victim.id, clock, state: Buffer.from('"stolen"') }]))
  return impostor
}

describe('R47 presence at several servers', () => {
  test('clients at different servers see each other, their moves, and that they leave', async () => {
    const { cluster, ada, bob } = await couple()
    expect([stateOf(ada, bob), stateOf(bob, ada)]).toEqual([
      { name: 'Bob', cursor: '' },
      { name: 'Ada', cursor: '' },
    ])
    ada.move(1)
    await cluster.pass(200)
    expect(stateOf(bob, ada)).toEqual({ name: 'Ada', cursor: 1 })
    bob.disconnect(true)
    await cluster.pass(200)
    expect(stateOf(ada, bob)).toBeUndefined()
  })

  test('who comes for a moment and leaves is gone at once, whether or not its server has heard of the others', async () => {
    const shown: unknown[] = []
    for (let stayMs = 20; stayMs <= 200; stayMs += 20) {
      const { cluster, ada, bob } = await couple()
      const visitor = cluster.addClient('Cleo')
      visitor.connect(cluster.addNode())
      await cluster.pass(stayMs)
      shown.push(stateOf(ada, visitor))
      visitor.disconnect(true)
      await cluster.pass(300)
      expect([stateOf(ada, visitor), stateOf(bob, visitor)], `after ${stayMs} ms`).toEqual([undefined, undefined])
    }
    // Otherwise nobody has been there to be gone.
    expect(shown.filter((state) => state !== undefined).length).toBeGreaterThan(5)
  })

  test('a client that comes back sees all at once, whatever clocks it remembers', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    for (const node of [nodes[0], nodes[1], nodes[0]]) {
      ada.disconnect(true)
      ada.connect(node)
      await cluster.pass(300)
      expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: '' })
      expect(stateOf(bob, ada)).toEqual({ name: 'Ada', cursor: '' })
    }
  })

  test('also where another client was at its server all the time, which is not shown anybody anew', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const stays = cluster.addClient('Eve')
    stays.connect(nodes[0])
    await cluster.pass(500)
    let updates = 0
    stays.awareness.on('update', () => updates++)
    ada.disconnect(false)
    ada.connect(nodes[0])
    await cluster.pass(500)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: '' })
    expect(updates).toBeLessThanOrEqual(1)
  })

  test('a server where it was before shows a client above what another one has counted since', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    ada.disconnect(true)
    await cluster.pass(500)
    ada.connect(nodes[1])
    await cluster.pass(500)
    for (let cursor = 0; cursor < 5; cursor++) {
      ada.move(cursor)
      await cluster.pass(200)
    }
    ada.disconnect(true)
    await cluster.pass(200)
    nodes[1].state = 'dead'
    bob.disconnect(false)
    bob.connect(nodes[0])
    ada.connect(nodes[0])
    await cluster.pass(500)
    expect(stateOf(bob, ada)).toEqual({ name: 'Ada', cursor: 4 })
  })

  test('those at a server that is dead are gone within 5 s, and not before 3.5 s', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    nodes[1].state = 'dead'
    await cluster.pass(2_900)
    expect(stateOf(ada, bob)).toBeDefined()
    await cluster.pass(2_000)
    expect(stateOf(ada, bob)).toBeUndefined()
  })

  test('who moves on from a dead server is seen to move again within 1 s, and never gone', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const third = cluster.addClient('Eve')
    third.connect(cluster.addNode())
    await cluster.pass(500)
    const removed: number[] = []
    for (const client of [ada, third]) client.onRemoved((clientId) => removed.push(clientId))
    nodes[1].state = 'dead'
    bob.disconnect(false)
    await cluster.pass(200)
    bob.connect(nodes[0])
    bob.move('elsewhere')
    await cluster.pass(1_000)
    for (const client of [ada, third]) expect(stateOf(client, bob)).toEqual({ name: 'Bob', cursor: 'elsewhere' })
    expect(stateOf(bob, ada)).toBeDefined()
    await cluster.pass(10_000)
    expect(removed).toEqual([])
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: 'elsewhere' })
  })

  test('of a server that stops nobody is gone who moves on within 4 s, and all others are', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const stays = cluster.addClient('Eve')
    stays.connect(nodes[1])
    await cluster.pass(500)
    const removed: number[] = []
    ada.onRemoved((clientId) => removed.push(clientId))
    await nodes[1].close()
    await cluster.pass(3_000)
    expect(removed).toEqual([])
    bob.disconnect(false)
    bob.connect(nodes[0])
    await cluster.pass(2_000)
    expect(removed).toEqual([stays.id])
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: '' })
  })

  test('a third server believes the one that has held an id longer, while that one is there', async () => {
    const { cluster, ada, bob } = await couple()
    const third = cluster.addNode()
    // It knows of nobody yet when it is told that the id is its own.
    const impostor = impostorAt(third, bob)
    const seen: unknown[] = []
    ada.awareness.on('change', () => seen.push(stateOf(ada, bob)))
    await cluster.pass(3_000)
    bob.move('still here')
    await cluster.pass(200)
    impostor.cut(true)
    await cluster.pass(6_000)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: 'still here' })
    expect(seen).not.toContain('stolen')
    expect(seen).not.toContain(undefined)
  })

  test('who moves on from a dead server to one that has never heard of it is seen within 1 s', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const third = cluster.addNode()
    nodes[1].state = 'dead'
    bob.disconnect(false)
    bob.connect(third)
    bob.move('elsewhere')
    await cluster.pass(1_000)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: 'elsewhere' })
  })

  test('who is dropped without a goodbye and comes back elsewhere is never gone', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const removed: number[] = []
    ada.onRemoved((clientId) => removed.push(clientId))
    bob.disconnect(false)
    bob.connect(nodes[0])
    await cluster.pass(4_000)
    bob.move('elsewhere')
    await cluster.pass(2_000)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: 'elsewhere' })
    expect(removed).toEqual([])
  })

  test('nor when its old server sees that its connection is dead before it was asked', async () => {
    const { cluster, ada, bob } = await couple()
    const removed: number[] = []
    ada.onRemoved((clientId) => removed.push(clientId))
    const { seat } = bob
    bob.disconnect(false)
    bob.connect(cluster.addNode())
    await cluster.pass(300)
    if (seat) seat.node.leave(seat)
    await cluster.pass(5_000)
    expect(removed).toEqual([])
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: '' })
  })

  test('nobody can take the id of a client at another server, and an echo of it claims nothing', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const impostor = impostorAt(nodes[0], bob)
    const seen: unknown[] = []
    ada.awareness.on('change', () => seen.push(stateOf(ada, bob)))
    await cluster.pass(3_000)
    bob.move('still here')
    await cluster.pass(300)
    impostor.cut(true)
    await cluster.pass(6_000)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: 'still here' })
    expect(JSON.stringify(seen)).not.toContain('stolen')
  })

  test('nor while its server hears nobody', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const seen: unknown[] = []
    ada.awareness.on('change', () => seen.push(stateOf(ada, bob)))
    nodes[1].isDeaf = true
    const impostor = impostorAt(nodes[0], bob)
    await cluster.pass(3_000)
    impostor.cut(true)
    await cluster.pass(1_000)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: '' })
    expect(seen).not.toContain('stolen')
  })

  test('nor while its server stands still: it gets it back', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    nodes[1].state = 'frozen'
    impostorAt(nodes[0], bob)
    await cluster.pass(8_000)
    nodes[1].state = 'lives'
    await cluster.pass(3_000)
    expect(stateOf(ada, bob)).toEqual({ name: 'Bob', cursor: '' })
    expect(stateOf(bob, ada)).toBeDefined()
  })

  test('while a listener is down nobody is taken for dead; then what was missed is there', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    const removed: number[] = []
    for (const client of [ada, bob]) client.onRemoved((clientId) => removed.push(clientId))
    for (const index of [0, 1, 0]) {
      nodes[index].isDeaf = true
      await cluster.pass(8_000)
      ada.move(`${index} ${cluster.now}`)
      bob.move(`${index} ${cluster.now}`)
      await cluster.pass(1_000)
      nodes[index].isDeaf = false
      await cluster.pass(500)
      expect(stateOf(ada, bob)).toEqual(bob.awareness.getLocalState())
      expect(stateOf(bob, ada)).toEqual(ada.awareness.getLocalState())
    }
    expect(removed).toEqual([])
  })

  test('what is lost on the way is asked for', async () => {
    const { cluster, nodes, ada, bob } = await couple()
    nodes[0].isMute = true
    ada.move('unheard')
    await cluster.pass(300)
    expect(stateOf(bob, ada)).toEqual({ name: 'Ada', cursor: '' })
    nodes[0].isMute = false
    await cluster.pass(1_500)
    expect(stateOf(bob, ada)).toEqual({ name: 'Ada', cursor: 'unheard' })
  })
})

/** Since when a client must have been left alone for its presence to be certain. */
const CALM_MS = 9_000

test.each(Array.from({ length: runs(20) }, (_, seed) => seed))(
  'whatever befalls servers and clients, nobody who is left alone disappears, and all end by seeing who is there, seed %i',
  (seed) => play(new Random(seed), seed % 2 === 0),
)

/** @param isCalm whether all servers answer all the time, and no message is lost */
async function play(random: Random, isCalm: boolean): Promise<void> {
  const cluster = new PresenceCluster()
  release(() => cluster.close())
  for (let count = 2 + random.below(3); count > 0; count--) cluster.addNode()
  const clients = Array.from({ length: 5 }, (_, index) => cluster.addClient(`${index}`))
  const living = () => cluster.nodes.filter(({ state }) => state === 'lives')
  const impostors = new Set<Seat>()
  /** Whose id somebody claimed while it was not certain. */
  const victims = new Set<PresenceClient>()
  const isLeftAlone = (client: PresenceClient) =>
    client.seat !== undefined && cluster.now - client.disturbedAt > CALM_MS && !victims.has(client)
  for (const client of clients) {
    client.onRemoved((clientId) => {
      const other = clients.find(({ id }) => id === clientId)
      if (other && isLeftAlone(other) && isLeftAlone(client)) {
        throw new Error(`${other.name} has disappeared for ${client.name}, though both are there`)
      }
    })
    client.awareness.on('change', () => {
      for (const other of clients) {
        if (!isCalm || !isLeftAlone(other) || !isLeftAlone(client) || client.seat?.node.isDeaf) continue
        expect(stateOf(client, other)).not.toBe('stolen')
      }
    })
  }
  const disturb = (node: ClusterNode) => {
    for (const client of clients) if (client.seat?.node === node) client.disturbedAt = cluster.now
  }
  const actions: Record<string, () => void | Promise<void>> = {
    connect: () => {
      const client = random.pick(clients)
      if (client.seat) client.disconnect(random.chance(0.5))
      client.connect(random.pick(living()))
    },
    disconnect: () => random.pick(clients).disconnect(random.chance(0.5)),
    move: () => random.pick(clients).move(random.below(1_000_000)),
    steal: () => {
      const victim = random.pick(clients)
      impostors.add(impostorAt(random.pick(living()), victim))
      const isCertain = isCalm && isLeftAlone(victim) && !cluster.nodes.some(({ isDeaf }) => isDeaf)
      if (!isCertain) victims.add(victim)
    },
    giveUp: async () => {
      for (const impostor of impostors) impostor.cut(random.chance(0.5))
      impostors.clear()
      await cluster.pass(6_000)
      if (cluster.nodes.some(({ isDeaf }) => isDeaf)) return
      for (const victim of victims) {
        victim.disturbedAt = cluster.now
        if (victim.seat) victim.move('again')
      }
      victims.clear()
    },
    listener: () => {
      const node = random.pick(cluster.nodes)
      node.isDeaf = !node.isDeaf
    },
    wait: () => cluster.pass(random.below(6_000)),
    loss: async () => {
      if (isCalm) return
      const node = random.pick(living())
      node.isMute = true
      await cluster.pass(random.below(2_000))
      node.isMute = false
      await cluster.pass(1_500)
    },
    freeze: async () => {
      const node = random.pick(living())
      if (isCalm || living().length === 1) return
      node.state = 'frozen'
      for (const end = cluster.now + random.below(10_000); cluster.now < end; ) {
        disturb(node)
        await cluster.pass(500)
      }
      node.state = 'lives'
      disturb(node)
    },
    die: () => {
      if (!random.chance(0.3) || living().length === 1) return
      const node = random.pick(living())
      node.state = 'dead'
      for (const client of clients) if (client.seat?.node === node) client.disconnect(false)
      if (random.chance(0.7)) cluster.addNode()
    },
  }
  for (let step = 0; step < 60; step++) {
    await random.pick(Object.values(actions))()
    await cluster.pass(random.below(400))
  }

  for (const node of cluster.nodes) node.isDeaf = false
  for (const impostor of impostors) impostor.cut(true)
  await cluster.pass(8_000)
  for (const client of clients) {
    if (!client.seat) client.connect(random.pick(living()))
    client.move('at last')
  }
  await cluster.pass(4_000)
  for (const client of clients) client.move('really')
  await cluster.pass(1_000)
  for (const client of clients) {
    const expected = clients.filter((other) => other !== client).map(({ id, name }) => [id, { name, cursor: 'really' }])
    expect(client.others).toEqual(new Map(expected.map(([id, state]) => [id, state])))
  }
}
