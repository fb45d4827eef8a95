/** Whether a name is one of the patterns, or begins with what one has before a `*` at its end. */
export function isOneOf(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
}
