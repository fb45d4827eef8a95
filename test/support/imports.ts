import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** What a source file imports, types included: files of the same package by path, everything else by name. */
export interface Imports {
  readonly files: ReadonlySet<string>
  readonly packages: ReadonlySet<string>
}

const SPECIFIER = /(?:^|[\s;}])(?:import|from)\s*\(?\s*'([^']+)'/g

/** The import graph of a directory, by path relative to it. */
export function importGraph(directory: string): ReadonlyMap<string, Imports> {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))
  return new Map(files.map((file) => [file, importsOf(directory, file)]))
}

function importsOf(directory: string, file: string): Imports {
  const text = readFileSync(join(directory, file), 'utf8')
  const specifiers = [...text.matchAll(SPECIFIER)].map((match) => match[1] ?? '')
  return {
    files: new Set(
      specifiers
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative(directory, join(directory, dirname(file), specifier))),
    ),
    packages: new Set(specifiers.filter((specifier) => !specifier.startsWith('.')).map(packageName)),
  }
}

/** `hono/utils/mime` is part of `hono`, `@hono/node-server/conninfo` of `@hono/node-server`. */
function packageName(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** A circle of imports, as the files along it, or undefined where there is none. */
export function findCircle(graph: ReadonlyMap<string, Imports>): readonly string[] | undefined {
  const done = new Set<string>()
  const path: string[] = []

  function visit(file: string): readonly string[] | undefined {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    path.push(file)
    for (const next of graph.get(file)?.files ?? []) {
      const circle = visit(next)
      if (circle !== undefined) return circle
    }
    path.pop()
    done.add(file)
    return undefined
  }

  for (const file of graph.keys()) {
    const circle = visit(file)
    if (circle !== undefined) return circle
  }
  return undefined
}

/** All files that a file imports, directly or through others. */
export function closure(graph: ReadonlyMap<string, Imports>, file: string): ReadonlySet<string> {
  const reached = new Set<string>()
  const queue = [file]
  for (const next of queue) {
    for (const imported of graph.get(next)?.files ?? []) {
      if (reached.has(imported)) continue
      reached.add(imported)
      queue.push(imported)
    }
  }
  return reached
}
