import { once } from 'node:events'
import { type ClusterNode, startClusterNginx, startNodes } from '../support/cluster.ts'
import { installEmbeddedPostgres } from '../support/embedded-postgres.ts'
import { findPostgres, startPostgres } from '../support/postgres.ts'
import { findProgram } from '../support/programs.ts'
import { inScope } from '../support/scope.ts'
import type { Release } from '../support/temporary.ts'

/** Runs three servers on a PostgreSQL of its own, behind nginx where there is one, until SIGINT or SIGTERM. */
async function main(release: Release): Promise<void> {
  const stopped = Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)))
  if (findPostgres() === undefined) await installEmbeddedPostgres()
  const postgres = await startPostgres(release)
  const nodes = await startNodes({ release, flags: ['--database', postgres.url('postgres')] })
  console.log(await describe(release, nodes))
  await stopped
  // Each closes its clients in order; the release kills what is left.
  await Promise.all(nodes.map((node) => node.kill('SIGTERM')))
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
