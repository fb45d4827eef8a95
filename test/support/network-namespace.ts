import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Random } from './random.ts'
import type { Release } from './temporary.ts'

const run = promisify(execFile)

/** A line between this system and a namespace: the addresses of both ends. */
export interface Line {
  readonly here: string
  readonly there: string
  /** The name of this end. */
  readonly device: string
}

/** A part of this machine with a network of its own, to which lines lead that can be pulled out. */
export class NetworkNamespace {
  readonly #release: Release
  readonly #random: Random
  readonly #name: string
  #lines = 0

  private constructor(release: Release, random: Random, name: string) {
    this.#release = release
    this.#random = random
    this.#name = name
  }

  /** Rejects without root and iproute2. */
  static async create(release: Release, random: Random): Promise<NetworkNamespace> {
    const name = `coedit-${process.pid}`
    await run('ip', ['netns', 'add', name])
    release(async () => void (await run('ip', ['netns', 'delete', name])))
    return new NetworkNamespace(release, random, name)
  }

  /** What runs a program of Node in it. */
  get runtime(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name, process.execPath]
  }

  /** Lays a line to it. */
  async connect(): Promise<Line> {
    const device = `coedit${process.pid % 10_000}-${this.#lines}`
    const inside = `line${this.#lines++}`
    const network = `10.${100 + this.#random.below(100)}.${this.#random.below(256)}`
    const [here, there] = [`${network}.1`, `${network}.2`]
    await run('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', inside, 'netns', this.#name])
    this.#release(async () => void (await run('ip', ['link', 'delete', device])))
    await run('ip', ['address', 'add', `${here}/30`, 'dev', device])
    await run('ip', ['link', 'set', device, 'up'])
    await run('ip', ['-n', this.#name, 'address', 'add', `${there}/30`, 'dev', inside])
    await run('ip', ['-n', this.#name, 'link', 'set', inside, 'up'])
    return { here, there, device }
  }
}

/** Packets that enter a line are lost, and nobody is told, until it is plugged in again. */
export async function unplug({ device }: Line): Promise<void> {
  await run('ip', ['link', 'set', device, 'down'])
}

export async function plugIn({ device }: Line): Promise<void> {
  await run('ip', ['link', 'set', device, 'up'])
}
