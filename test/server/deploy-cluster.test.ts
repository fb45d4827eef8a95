import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parseAllDocuments, parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { configFromProcess } from '../../server/src/config/config.ts'
import { paper } from '../support/papers.ts'
import { startServer } from '../support/process.ts'

const release = onTestFinished
/** What the last steps of a stop may take: 2 s for peers to answer, 10 s for storage, 2 s for hooks. */
const LAST_STEPS_MS = 14_000
const SECRETS = {
  COEDIT_AUTH_SECRET: 's'.repeat(32),
  COEDIT_OWNER_PASSWORD: 'of-the-owner',
  COEDIT_DATABASE_PASSWORD: 'of-the-servers',
}

const environment = z.record(z.string(), z.string())

describe('compose.yaml', () => {
  const node = z.object({ environment, stop_grace_period: z.string(), depends_on: z.record(z.string(), z.unknown()) })
  const schema = z.object({
    services: z.object({
      postgres: z.object({ environment, healthcheck: z.unknown() }),
      migrate: z.object({ environment, command: z.array(z.string()), depends_on: z.unknown() }),
      one: node,
      two: node,
      three: node,
      nginx: z.object({ ports: z.array(z.string()) }),
    }),
    networks: z.object({
      default: z.object({ ipam: z.object({ config: z.array(z.object({ subnet: z.string() })) }) }),
    }),
  })
  let file: z.output<typeof schema>

  beforeAll(async () => {
    const text = (await paper('server/deploy/compose.yaml')).replace(/\$\{(\w+):\?\}/g, (_, name: string) => {
      const value = Object.entries(SECRETS).find(([known]) => known === name)?.[1]
      if (value === undefined) throw new Error(`nothing is known of the variable ${name}`)
      return value
    })
    file = schema.parse(parseYaml(text, { merge: true }))
  })

  test('runs three servers with names of their own as the role that only reads and writes, after the schema was made', () => {
    const { one, two, three, migrate } = file.services
    const configs = [one, two, three].map(({ environment }) =>
      // The container sets the first.
      configFromProcess([], { COEDIT_HOST: '0.0.0.0', ...environment }),
    )
    expect(configs.map(({ nodeName }) => nodeName)).toEqual(['one', 'two', 'three'])
    const [{ subnet }] = file.networks.default.ipam.config
    for (const { database, trustProxy, drainMs, shutdownSpreadMs } of configs) {
      expect(database).toBe('postgres://coedit:of-the-servers@postgres/coedit')
      expect(trustProxy).toBe(subnet)
      const [, seconds] = /^(\d+)s$/.exec(one.stop_grace_period) ?? []
      expect(Number(seconds) * 1_000).toBeGreaterThan(drainMs + shutdownSpreadMs + LAST_STEPS_MS)
    }
    expect(migrate.command).toEqual(['migrate', '--grant-to', 'coedit'])
    expect(migrate.environment).toEqual({ COEDIT_DATABASE: 'postgres://owner:of-the-owner@postgres/coedit' })
    expect(migrate.depends_on).toEqual({ postgres: { condition: 'service_healthy' } })
    for (const { depends_on } of [one, two, three]) {
      expect(depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } })
    }
  })

  test('shows nothing to the world but nginx, on loopback', () => {
    const open = Object.entries(file.services).filter(([, service]) => 'ports' in service)
    expect(open.map(([name]) => name)).toEqual(['nginx'])
    expect(file.services.nginx.ports).toEqual(['127.0.0.1:8080:80'])
  })
})

describe('kubernetes.yaml', () => {
  const probe = z.object({
    httpGet: z.object({ path: z.string(), port: z.literal('http') }),
    periodSeconds: z.number(),
    failureThreshold: z.number(),
  })
  const variable = z.object({
    name: z.string(),
    value: z.string().optional(),
    valueFrom: z
      .object({
        secretKeyRef: z.object({ name: z.string(), key: z.string() }).optional(),
        fieldRef: z.object({ fieldPath: z.string() }).optional(),
      })
      .optional(),
  })
  const container = z.object({
    image: z.string(),
    args: z.array(z.string()).optional(),
    env: z.array(variable),
    securityContext: z.unknown(),
  })
  const pod = <C extends z.ZodType>(containers: C) =>
    z.object({
      spec: z.object({
        containers: z.tuple([containers]),
        securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.literal(1000) }).loose(),
        terminationGracePeriodSeconds: z.number().optional(),
      }),
    })
  const job = z.object({ kind: z.literal('Job'), spec: z.object({ template: pod(container) }) })
  const deployment = z.object({
    kind: z.literal('Deployment'),
    spec: z.object({
      replicas: z.number(),
      selector: z.object({ matchLabels: z.unknown() }),
      strategy: z.unknown(),
      template: pod(
        container.extend({
          ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
          startupProbe: probe,
          readinessProbe: probe,
          livenessProbe: probe,
          lifecycle: z.object({
            preStop: z.object({ exec: z.object({ command: z.tuple([z.literal('sleep'), z.string()]) }) }),
          }),
        }),
      ).extend({ metadata: z.object({ labels: z.unknown() }) }),
    }),
  })
  const budget = z.object({
    kind: z.literal('PodDisruptionBudget'),
    spec: z.object({ maxUnavailable: z.number(), selector: z.object({ matchLabels: z.unknown() }) }),
  })
  const service = z.object({
    kind: z.literal('Service'),
    spec: z.object({ selector: z.unknown(), ports: z.array(z.unknown()) }).loose(),
  })
  let parts: [z.output<typeof job>, z.output<typeof deployment>, z.output<typeof budget>, z.output<typeof service>]

  beforeAll(async () => {
    const documents = parseAllDocuments(await paper('server/deploy/kubernetes.yaml'), { merge: true })
    parts = z.tuple([job, deployment, budget, service]).parse(documents.map((part) => part.toJS()))
  })

  /** What the variables are when the cluster has filled them in. */
  function environmentOf(env: readonly z.output<typeof variable>[]): Record<string, string> {
    return Object.fromEntries(
      env.map(({ name, value, valueFrom }) => {
        const { secretKeyRef: secret, fieldRef: field } = valueFrom ?? {}
        if (secret?.key === 'database') return [name, `postgres://${secret.name}@db.example.com/app`]
        if (secret?.key === 'auth-secret') return [name, SECRETS.COEDIT_AUTH_SECRET]
        return [name, field?.fieldPath === 'metadata.name' ? 'coedit-7d4b9-x2x8v' : (value ?? '')]
      }),
    )
  }

  test('all parts are about the same servers', () => {
    const [{ spec: migration }, { spec: servers }, { spec: budget }, { spec: service }] = parts
    const labels = { app: 'coedit' }
    expect([servers.selector.matchLabels, servers.template.metadata.labels]).toEqual([labels, labels])
    expect([budget.selector.matchLabels, service.selector]).toEqual([labels, labels])
    const [one] = servers.template.spec.containers
    expect(one.image).toBe(migration.template.spec.containers[0].image)
    expect(one.ports).toEqual([{ name: 'http', containerPort: 1234 }])
    expect(service.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }])
    expect(service).not.toHaveProperty('sessionAffinity')
  })

  test('servers are given what they need to start, and only the job what the owner may', () => {
    const [{ spec: migration }, { spec: servers }] = parts
    const [container] = servers.template.spec.containers
    const config = configFromProcess([], { COEDIT_HOST: '0.0.0.0', ...environmentOf(container.env) })
    expect(config).toMatchObject({ database: 'postgres://coedit@db.example.com/app', nodeName: 'coedit-7d4b9-x2x8v' })
    const [job] = migration.template.spec.containers
    expect(job.args).toEqual(['migrate', '--grant-to', 'coedit'])
    expect(environmentOf(job.env)).toEqual({ COEDIT_DATABASE: 'postgres://coedit-owner@db.example.com/app' })
  })

  test('one server after the other is replaced, and has the time that a stop takes', () => {
    const [, { spec: servers }, { spec: budget }] = parts
    expect(servers.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } })
    expect([servers.replicas, budget.maxUnavailable]).toEqual([3, 1])
    const { containers, terminationGracePeriodSeconds = 30 } = servers.template.spec
    const [, waits] = containers[0].lifecycle.preStop.exec.command
    const { drainMs, shutdownSpreadMs } = configFromProcess([], {
      COEDIT_HOST: '0.0.0.0',
      ...environmentOf(containers[0].env),
    })
    const stopMs = Number(waits) * 1_000 + drainMs + shutdownSpreadMs + LAST_STEPS_MS
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(stopMs)
    // A probe notices before connections are closed.
    const { periodSeconds, failureThreshold } = containers[0].readinessProbe
    expect(Number(waits)).toBeGreaterThan(periodSeconds * failureThreshold)
  })

  test('probes ask for what a real server answers; that PostgreSQL is down is no reason to start it anew', async () => {
    const [, { spec: servers }] = parts
    const [{ startupProbe, readinessProbe, livenessProbe }] = servers.template.spec.containers
    const server = await startServer({ release })
    for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) {
      expect((await fetch(new URL(httpGet.path, server.url))).status).toBe(200)
    }
    expect(readinessProbe.httpGet.path).toBe('/ready')
    expect(['/health', '/ready']).not.toContain(livenessProbe.httpGet.path)
  })
})
