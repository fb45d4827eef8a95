/** Cuts a sequence into runs of at most `maxBytes`; what is larger is a run of its own. */
export function inGroups<T>(items: readonly T[], bytesOf: (item: T) => number, maxBytes: number): T[][] {
  const groups: T[][] = []
  let bytes = 0
  for (const item of items) {
    bytes += bytesOf(item)
    const group = groups.at(-1)
    if (group && bytes <= maxBytes) {
      group.push(item)
    } else {
      groups.push([item])
      bytes = bytesOf(item)
    }
  }
  return groups
}
