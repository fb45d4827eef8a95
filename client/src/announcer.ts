import { addBlock } from './geometry.ts'
import type { Peer } from './peer.ts'
import type { Presence } from './presence.ts'

/** How long joins and leaves are collected before they are told together, in milliseconds. */
const COLLECTING_TIME = 1_000
/** Who comes behind these is counted. */
const MAX_NAMES = 3

/** Tells people who listen to the page who joins and who leaves; not of those who were here first. */
export class Announcer {
  readonly #region: HTMLElement
  readonly #presence: Presence
  /** As far as it was told. */
  #present: readonly Peer[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(parent: Node, presence: Presence) {
    this.#region = addBlock(parent, 'status')
    this.#region.role = 'status'
    this.#presence = presence
  }

  start(): void {
    this.#present = this.#presence.peers
    this.#presence.subscribe(() => {
      this.#timer ??= setTimeout(() => this.#tell(), COLLECTING_TIME)
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #tell(): void {
    this.#timer = undefined
    const news = describeChange(this.#present, this.#presence.peers)
    this.#present = this.#presence.peers
    if (news !== '') this.#region.textContent = news
  }
}

/** `Ann and Bo joined. Cy left.`; empty when nobody did. Who reloads a page does neither. */
export function describeChange(before: readonly Peer[], after: readonly Peer[]): string {
  const joined = newNames(before, after)
  const left = newNames(after, before)
  const sentences = [sentence(without(joined, left), 'joined'), sentence(without(left, joined), 'left')]
  return sentences.join(' ').trim()
}

function newNames(before: readonly Peer[], after: readonly Peer[]): string[] {
  const known = new Set(before.map(({ clientId }) => clientId))
  return after.filter(({ clientId }) => !known.has(clientId)).map(({ name }) => name)
}

function without(names: readonly string[], others: readonly string[]): string[] {
  return names.filter((name) => !others.includes(name))
}

function sentence(names: readonly string[], verb: string): string {
  if (names.length === 0) return ''
  const rest = names.length - MAX_NAMES
  const list = rest > 1 ? [...names.slice(0, MAX_NAMES), `${rest} others`] : names
  const last = list.at(-1)
  return `${list.length > 1 ? `${list.slice(0, -1).join(', ')} and ${last}` : last} ${verb}.`
}
