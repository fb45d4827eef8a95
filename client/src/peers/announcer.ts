import type { Awareness } from 'y-protocols/awareness'
import { addBlock } from './geometry.ts'
import { type Peer, readPeers } from './peer.ts'

/** How long joins and leaves are collected before they are told together, in milliseconds. */
const COLLECTING_TIME = 1_000
/** So many are named; others are counted. */
const MAX_NAMES = 3

/** The region is heard and not seen. One that is not displayed would not be read out either. */
const REGION_STYLE = 'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap'

/**
 * Tells users of screen readers who joins and who leaves, politely and several at a time; not of those who were here
 * first. Adds one element to `parent` that takes no space. Returns what ends that.
 */
export function announcePeers(awareness: Awareness, parent: ParentNode = document.body): () => void {
  const region = addBlock(parent, '', REGION_STYLE)
  // As attributes: Firefox has such properties since 119 only.
  region.setAttribute('role', 'status')
  let told = readPeers(awareness)
  let timer: ReturnType<typeof setTimeout> | undefined
  const tell = () => {
    const peers = readPeers(awareness)
    const news = [describe(told, peers, 'joined'), describe(peers, told, 'left')].filter(Boolean).join('. ')
    if (news) region.textContent = news
    told = peers
    timer = undefined
  }
  const onChange = () => {
    timer ??= setTimeout(tell, COLLECTING_TIME)
  }
  awareness.on('change', onChange)
  return () => {
    awareness.off('change', onChange)
    clearTimeout(timer)
    region.remove()
  }
}

/** `Ann, Bo and 2 more joined` by those who are in `after` only; empty for nobody. */
export function describe(before: readonly Peer[], after: readonly Peer[], what: string): string {
  const known = new Set(before.map(({ clientId }) => clientId))
  const names = after.filter(({ clientId }) => !known.has(clientId)).map(({ name }) => name)
  const more = names.length - MAX_NAMES
  return names.length ? `${names.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''} ${what}` : ''
}
