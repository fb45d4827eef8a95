import { fanOutOver } from './fan-out.ts'
import { hot } from './hot.ts'
import type { Load } from './load.ts'
import { across, documentsOver } from './many-documents.ts'

/** Every load for so many nodes that share the work, in the order of the report. */
export function clusterLoads(nodes: number): readonly Load[] {
  return [across(nodes), fanOutOver(nodes), documentsOver(nodes), hot(nodes)]
}
