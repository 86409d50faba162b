import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { systemClock as clock } from '../../core/clock.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { MemoryCluster } from '../../test/simulation/memory-broker/cluster.ts'
import { childLabels, childName } from '../channel/names.ts'
import { ApiError } from '../runtime/api-error.ts'
import type { ApiRequest, Requests } from '../runtime/connection.ts'
import { planOperator } from './plan.ts'

const name = { namespace: 'shop', name: 'email' }
const channel = {
  metadata: { ...name, uid: 'c', generation: 1, resourceVersion: '1' },
  spec: {
    type: 'email',
    providers: [
      {
        name: 'primary',
        type: 'smtp',
        smtp: { host: 'smtp.example.com', from: 'shop@example.com' },
        secretRef: { name: 'smtp' },
      },
    ],
  },
}
const deployment = {
  metadata: { name: childName(name), namespace: 'system', labels: childLabels(name), resourceVersion: '1' },
  spec: { replicas: 1, template: {} },
}

/** An API server that holds a channel, whose Secret is gone, and the Deployment of its workers. */
const connection: Requests = {
  async ask<T>({ method, path, body }: ApiRequest): Promise<T> {
    const { pathname } = new URL(path, 'http://api')
    if (method !== 'GET') return body as T
    if (pathname.endsWith('/secrets/smtp')) throw new ApiError(404, 'NotFound', 'there is none')
    if (pathname === '/api/v1/namespaces/system') return { metadata: { name: 'system', uid: 'u' } } as T
    const items = pathname.endsWith('/notificationchannels')
      ? [channel]
      : pathname.endsWith('/deployments')
        ? [deployment]
        : []
    return { kind: 'List', metadata: { resourceVersion: '1' }, items } as T
  },
  open: (_request, signal) => {
    const body = new Readable({ read() {}, signal: signal! })
    return Promise.resolve({ body }) as unknown as ReturnType<Requests['open']>
  },
}

it('says of a Kafka that is empty yet what would be made, and what stops a channel', async () => {
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
  const parts = { connection, broker, platform, watchNamespaces: [], maxReplicas: 1, takeOverFrom: undefined }
  const lines = await planOperator({ ...parts, clock, logger }, AbortSignal.timeout(30_000))
  expect(log).toEqual([])
  expect(lines).toContain('Topic carillon.shop.email created')
  expect(lines).toContain('NotificationChannel shop/email published')
  expect(lines).toContain(
    'NotificationChannel shop/email CredentialsReady=False SecretNotFound: provider primary: there is no Secret smtp',
  )
  expect(await broker.admin.listTopics('')).toEqual([])
})
