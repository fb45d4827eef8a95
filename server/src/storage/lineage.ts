import type { Lineage } from './document-store.ts'

/** The lineage alone, of something that has one. */
export function lineageOf({ incarnation, earlierIncarnations = [] }: Lineage): Lineage {
  return earlierIncarnations.length > 0 ? { incarnation, earlierIncarnations } : { incarnation }
}

/** The last number of an incarnation that stands for the same entry now: infinite of the present one, 0 for none. */
export function lastStanding(incarnation: number, { incarnation: present, earlierIncarnations = [] }: Lineage): number {
  if (incarnation === present) return Number.POSITIVE_INFINITY
  return earlierIncarnations.find((earlier) => earlier.incarnation === incarnation)?.last ?? 0
}
