import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { systemClock as clock } from '../../core/clock.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { MemoryCluster } from '../../test/simulation/memory-broker/cluster.ts'
import { annotation } from '../channel/children/deployment.ts'
import { isFalse } from '../channel/condition-texts.ts'
import { channelConditionTexts } from '../channel/conditions.ts'
import { childLabels, childName } from '../channel/names.ts'
import { upgradeBudget } from '../channel/workers/upgrade-budget.ts'
import { ApiError } from '../runtime/api/api-error.ts'
import type { ApiRequest, Requests } from '../runtime/api/connection.ts'
import { planOperator } from './plan.ts'

const channel = (name: string, more: object) => ({
  metadata: { namespace: 'shop', name, uid: name, generation: 1, resourceVersion: '1' },
  spec: { type: 'email', ...more },
})
const deployment = (name: string) => ({
  metadata: {
    name: childName({ namespace: 'shop', name }),
    namespace: 'system',
    labels: childLabels({ namespace: 'shop', name }),
    // Of the channel as it is: only the release is another.
    annotations: { [annotation.generation]: '1' },
    resourceVersion: '1',
  },
  spec: { replicas: 1, template: {} },
})
const sandbox = { providers: [{ name: 'primary', type: 'sandbox' }] }

/** An API server that holds channels, and Deployments of their workers of another release. There is no Secret. */
const apiServer = (channels: readonly { metadata: { name: string } }[]): Requests => ({
  async ask<T>({ method, path, body }: ApiRequest): Promise<T> {
    const { pathname, searchParams } = new URL(path, 'http://api')
    if (method !== 'GET') return body as T
    if (pathname.endsWith('/secrets/smtp')) throw new ApiError(404, 'NotFound', 'there is none')
    if (pathname === '/api/v1/namespaces/system') return { metadata: { name: 'system', uid: 'u' } } as T
    const all = pathname.endsWith('/notificationchannels')
      ? channels
      : pathname.endsWith('/deployments')
        ? channels.map(({ metadata }) => deployment(metadata.name))
        : []
    const one = searchParams.get('fieldSelector')?.replace('metadata.name=', '')
    const items = all.filter(({ metadata }) => one === undefined || metadata.name === one)
    const kind = pathname.endsWith('/deployments') ? 'DeploymentList' : 'List'
    return { kind, metadata: { resourceVersion: '1' }, items } as T
  },
  open: (_request, signal) => {
    const body = new Readable({ read() {}, signal: signal! })
    return Promise.resolve({ body }) as unknown as ReturnType<Requests['open']>
  },
})

/** What a dry run says on an empty Kafka. */
async function plan(channels: Parameters<typeof apiServer>[0]) {
  const cluster = new MemoryCluster({ clock, gaps: false })
  const broker = cluster.open({
    call: (_name, effect) => Promise.resolve(effect()),
    push: (handle) => void setImmediate(handle),
  })
  const platform = {
    image: 'carillon:1',
    namespace: 'system',
    topicPrefix: 'carillon',
    environment: {},
    secretEnvironment: {},
    secretFiles: {},
  }
  const log: string[] = []
  const logger = createLogger({ level: 'ERROR', destination: { write: (line) => void log.push(line) } })
  const parts = {
    connection: apiServer(channels),
    broker,
    platform,
    watchNamespaces: [],
    maxReplicas: 1,
    takeOverFrom: undefined,
  }
  const lines = await planOperator({ ...parts, clock, logger }, AbortSignal.timeout(30_000))
  expect(log).toEqual([])
  expect(await broker.admin.listTopics('')).toEqual([])
  return lines
}

it('says of a Kafka that is empty yet what would be made, and what stops a channel', async () => {
  const smtp = { host: 'smtp.example.com', from: 'shop@example.com' }
  const provider = { name: 'primary', type: 'smtp', smtp, secretRef: { name: 'smtp' } }
  const lines = await plan([channel('email', { providers: [provider] })])
  expect(lines).toContain('Topic carillon.shop.email created')
  expect(lines).toContain('NotificationChannel shop/email published')
  expect(lines).toContain(
    'NotificationChannel shop/email CredentialsReady=False SecretNotFound: provider primary: there is no Secret shop/smtp: no worker can start without it',
  )
})

it('says of a channel what has stopped it before', async () => {
  const broken = channel('email', { providers: [] })
  const isTold = (line: string) =>
    line.startsWith('NotificationChannel shop/email Accepted=False InvalidSpec: ')
  const told = (await plan([broken])).find(isTold)!
  const message = told.slice(told.indexOf('InvalidSpec: ') + 'InvalidSpec: '.length)
  const findings = { Accepted: isFalse('InvalidSpec', message) }
  const conditions = Object.entries(channelConditionTexts(findings, { suspend: false })).map(
    ([type, text]) => ({ type, ...text, observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z' }),
  )
  const status = { observedGeneration: 1, conditions }
  expect((await plan([{ ...broken, status } as typeof broken])).filter(isTold)).toEqual([told])
})

it('says of every channel what a new release would change, also of those that would have to wait', async () => {
  const names = Array.from({ length: upgradeBudget + 2 }, (_, index) => `email-${index}`)
  const lines = await plan(names.map((name) => channel(name, sandbox)))
  for (const name of names)
    expect(lines).toContainEqual(
      expect.stringMatching(`^Deployment system/${childName({ namespace: 'shop', name })} configured: `),
    )
})
