import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from '../../server/src/index.ts'
import type { ApiDescription, ApiOperation, ApiSchema } from './documents-api.ts'

/** The operations of the API as a real server describes them, in Markdown. */
export async function apiReference(): Promise<string> {
  const { paths, components } = await describedByServer()
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationText(method, path, operation)),
  )
  const schemas = Object.entries(components.schemas).map(([name, schema]) => schemaText(name, schema))
  return [...operations, '## Schemas', ...schemas].join('\n\n')
}

async function describedByServer(): Promise<ApiDescription> {
  const data = await mkdtemp(join(tmpdir(), 'coedit-'))
  const server = createServer({ data, port: 0, logLevel: 'silent' })
  await server.listen()
  try {
    const answer = await fetch(`${server.url}api/openapi.json`)
    return await answer.json()
  } finally {
    await server.close()
    await rm(data, { recursive: true })
  }
}

function operationText(method: string, path: string, operation: ApiOperation): string {
  const { summary, description, parameters = [], requestBody, responses } = operation
  const given = parameters.map(({ name, in: place, schema, description: text = schema.description ?? '' }) => {
    const fallback = schema.default === undefined || schema.default === '' ? '' : ` Default: \`${schema.default}\`.`
    const values = schema.enum ? ` One of ${schema.enum.map((value) => `\`${value}\``).join(', ')}.` : ''
    return `- \`${name}\` (${place}): ${text}${values}${fallback}`.trimEnd()
  })
  const bodies = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => `- \`${type}\`${named(schema)}`)
  const answers = Object.entries(responses).map(([status, answer]) => `| ${status} | ${answer.description} |`)
  return [
    `## ${method.toUpperCase()} ${path}`,
    [summary, description].filter(Boolean).join(' '),
    ...(given.length > 0 ? [given.join('\n')] : []),
    ...(bodies.length > 0 ? [`The body is one of:\n\n${bodies.join('\n')}`] : []),
    ['| status | answer |', '| --- | --- |', ...answers].join('\n'),
  ].join('\n\n')
}

function named({ $ref }: ApiSchema): string {
  return $ref === undefined ? '' : `: ${$ref.split('/').at(-1)}`
}

function schemaText(name: string, schema: ApiSchema): string {
  return `### ${name}\n\n\`\`\`json\n${JSON.stringify(schema, null, 2)}\n\`\`\``
}
