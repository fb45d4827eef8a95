import { once } from 'node:events'
import { type ClusterNode, startClusterNginx, startNodes } from '../support/cluster.ts'
import { installEmbeddedPostgres } from '../support/embedded-postgres.ts'
import { findPostgres, startPostgres } from '../support/postgres.ts'
import { findProgram } from '../support/programs.ts'
import { inScope } from '../support/scope.ts'
import type { Release } from '../support/temporary.ts'

/** Runs three servers on a PostgreSQL of its own, behind nginx where there is one, until SIGINT or SIGTERM. */
async function main(release: Release): Promise<void> {
  let isStopped = false
  const stopped = Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal))).then(() => {
    isStopped = true
  })
  try {
    const nodes = await start(release)
    await stopped
    // Each closes its clients in order; the release kills what is left.
    await Promise.all(nodes.map((node) => node.kill('SIGTERM')))
  } catch (error) {
    // A terminal sends the signal to all processes: those that were starting end before they are ready.
    if (!isStopped) throw error
  }
}

async function start(release: Release): Promise<readonly ClusterNode[]> {
  if (findPostgres() === undefined) await installEmbeddedPostgres()
  const postgres = await startPostgres(release)
  const nodes = await startNodes({ release, flags: ['--database', postgres.url('postgres')] })
  console.log(await describe(release, nodes))
  return nodes
}

async function describe(release: Release, nodes: readonly ClusterNode[]): Promise<string> {
  const own = nodes.map(({ name, url }) => `  ${name}: ${url}`).join('\n')
  if (findProgram('nginx') === undefined) {
    return `three servers on one PostgreSQL; install nginx to have one address for them\n${own}`
  }
  const { url } = await startClusterNginx({ release, nodes, file: 'nginx-cluster.conf' })
  return `three servers on one PostgreSQL, behind nginx: ${url}\n${own}`
}

await inScope(main)
