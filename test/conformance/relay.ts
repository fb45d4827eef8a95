import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Relay } from '../../server/src/storage/relay.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { Random } from '../support/random.ts'
import type { NewSharedHost } from './shared-storage.ts'
import { random } from './storage-scene.ts'

/** What the docstrings of storage.ts promise of what servers that share an engine tell each other. */
export function relayConformance(name: string, newHost: NewSharedHost): void {
  describe(`${name} carries what servers tell each other`, () => {
    let storages: Storage[]
    let ears: Ear[]

    beforeEach(async () => {
      const host = await newHost(onTestFinished, new Random(1))
      storages = [await host.open(), await host.open(), await host.open()]
      ears = storages.map((storage) => new Ear(relayOf(storage)))
      await Promise.all(ears.map((ear) => ear.connected()))
    })

    test('a message reaches all that listen, its sender too', async () => {
      await relayOf(storages[0]).publish(Uint8Array.of(1, 0, 255))
      for (const ear of ears) expect(await ear.heard(1)).toEqual([Uint8Array.of(1, 0, 255)])
    })

    test.each([0, 1, 5_799, 5_800, 5_801, 200_000])('a message of %i bytes arrives as it was', async (length) => {
      const message = random(length)
      await relayOf(storages[1]).publish(message)
      expect(await ears[0].heard(1)).toEqual([message])
    })

    test('what several send at once arrives everywhere in one order, and that of each in its own', async () => {
      const sent = storages.flatMap((storage, sender) =>
        Array.from({ length: 20 }, (_, number) =>
          relayOf(storage).publish(
            Uint8Array.from({ length: number % 2 === 0 ? 2 : 9_000 }, () => 20 * sender + number),
          ),
        ),
      )
      await Promise.all(sent)
      const [first, ...others] = await Promise.all(ears.map((ear) => ear.heard(60)))
      for (const other of others) expect(other).toEqual(first)
      for (const sender of [0, 1, 2]) {
        const numbers = first.map(([value = 0]) => value).filter((value) => Math.floor(value / 20) === sender)
        expect(numbers).toEqual(Array.from({ length: 20 }, (_, number) => 20 * sender + number))
      }
    })

    test('a message is what it was when it was given', async () => {
      const message = Uint8Array.of(1)
      const publishing = relayOf(storages[0]).publish(message)
      message[0] = 2
      await publishing
      expect(await ears[1].heard(1)).toEqual([Uint8Array.of(1)])
    })

    test('nothing is reported after it was unsubscribed, nor within the call', async () => {
      const unsubscribed = new Ear(relayOf(storages[0]))
      expect(unsubscribed.connections).toBe(0)
      unsubscribed.leave()
      await relayOf(storages[1]).publish(Uint8Array.of(1))
      await ears[0].heard(1)
      expect([unsubscribed.messages, unsubscribed.connections]).toEqual([[], 0])
    })

    test('publishing after close resolves, and reaches nobody', async () => {
      await storages[0].close()
      await relayOf(storages[0]).publish(Uint8Array.of(1))
      await relayOf(storages[1]).publish(Uint8Array.of(2))
      expect(await ears[2].heard(1)).toEqual([Uint8Array.of(2)])
      expect(ears[0].messages).toEqual([])
    })

    test('revocations that others store are told, and can be loaded then', async () => {
      const changes = storages.map(() => 0)
      const told = storages.slice(1).map(
        (storage, index) =>
          new Promise<void>((resolve) => {
            storage.revocations.followRevocations?.(() => {
              changes[index + 1]++
              void storage.revocations.loadRevocations().then((stored) => stored.length > 0 && resolve())
            })
          }),
      )
      const unfollow = storages[2].revocations.followRevocations?.(() => changes[0]++)
      unfollow?.()
      await storages[0].revocations.storeRevocations([{ target: 'ada', time: 1 }], [])
      await Promise.all(told)
      expect(changes[0]).toBe(0)
      for (const storage of storages)
        expect(await storage.revocations.loadRevocations()).toEqual([{ target: 'ada', time: 1 }])
    })
  })
}

/** Notes what comes through a relay. */
class Ear {
  readonly messages: Uint8Array[] = []
  readonly leave: () => void
  connections = 0
  #look: () => void = () => undefined

  constructor(relay: Relay) {
    this.leave = relay.subscribe({
      onMessage: (message) => {
        this.messages.push(message)
        this.#look()
      },
      onConnected: () => {
        this.connections++
        this.#look()
      },
      onDisconnected: () => undefined,
    })
  }

  async connected(): Promise<void> {
    await this.#until(() => this.connections > 0)
  }

  async heard(count: number): Promise<readonly Uint8Array[]> {
    await this.#until(() => this.messages.length >= count)
    return this.messages
  }

  #until(isReached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (isReached()) resolve()
      }
      this.#look()
    })
  }
}

function relayOf({ relay }: Storage): Relay {
  if (!relay) throw new Error('a storage that others share has no relay')
  return relay
}
