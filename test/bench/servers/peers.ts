import { fileURLToPath } from 'node:url'
import { installPackages } from '../../support/installed.ts'

export const PEERS = fileURLToPath(new URL('../peers', import.meta.url))

/** Installs the other servers, on first use. */
export function installPeers(): Promise<void> {
  return installPackages(PEERS, 'the servers to compare with')
}
