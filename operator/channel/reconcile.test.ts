import { pino } from 'pino'
import { expect, it } from 'vitest'
import { BrokerError } from '../../core/broker/broker.ts'
import type { TopicMark } from '../../core/ownership/records.ts'
import { manualClock } from '../../test/harness/manual-clock.ts'
import { ApiError } from '../runtime/api-error.ts'
import { Cache } from '../runtime/cache.ts'
import type { KubernetesObject } from '../runtime/resource-kind.ts'
import { SecretVersions } from '../secret-versions.ts'
import { createClaims } from './claims.ts'
import { createChannelReconciler } from './reconcile.ts'
import { type ChannelObject, createStatusWriter } from './status.ts'

const away = new BrokerError('unavailable', 'no broker answers')
const conflict = new ApiError(409, 'Conflict', 'the object has been modified')
const broken = new ApiError(500, 'InternalError', 'etcd has no leader')

type Step = 'secrets' | 'topics' | 'publish' | 'workers'

/** One channel, and what of the world around it fails at present. */
function setUp() {
  const clock = manualClock()
  const failing: Partial<Record<Step, unknown>> = {}
  const fail = (step: Step) => {
    if (step in failing) throw failing[step]
  }
  const object = {
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationChannel',
    metadata: { name: 'email', namespace: 'shop', uid: 'a', generation: 1, resourceVersion: '1' },
    spec: {
      type: 'email',
      providers: [
        { name: 'a', type: 'smtp', smtp: { host: 'h', from: 'a@example.com' }, secretRef: { name: 's' } },
      ],
    },
  } as ChannelObject
  const channels = new Cache<ChannelObject>()
  channels.put(object)
  const published: string[] = []
  const events: string[] = []
  const api = {
    get: async () => {
      fail('secrets')
      return { data: { username: 'dQ==', password: 'cA==' } }
    },
    apply: async (_kind: unknown, { status }: KubernetesObject & { status?: ChannelObject['status'] }) => {
      const { metadata } = channels.list()[0]!
      const resourceVersion = String(Number(metadata.resourceVersion) + 1)
      channels.put({ ...object, metadata: { ...metadata, resourceVersion }, ...(status && { status }) })
    },
  } as never
  const writer = {
    foreignSource: () => undefined,
    async publish() {
      fail('publish')
      published.push('email')
      return 'r1'
    },
  } as never
  const marks = new Map<string, TopicMark>()
  const reconcile = createChannelReconciler({
    api,
    admin: {
      describeTopics: async () => {
        fail('topics')
        return []
      },
      createTopics: async () => [],
    } as never,
    ownership: {
      marks,
      async mark(changes: [string, TopicMark][]) {
        for (const [topic, mark] of changes) marks.set(topic, mark)
      },
    } as never,
    prefix: 'p',
    writer,
    channels,
    deployments: new Cache(),
    pods: new Cache(),
    claims: createClaims({ channels, catalog: { published: () => new Map() }, writer, prefix: 'p' }),
    ensureWorkers: async () => {
      fail('workers')
      return { waitsFor: undefined, scalingRefusal: undefined }
    },
    remove: async () => {},
    platform: { topicPrefix: 'p', namespace: 'system' } as never,
    maxReplicas: 3,
    statusWriter: createStatusWriter({
      api,
      clock,
      recordEvent: (_, { type, reason, action }) => events.push(`${type} ${action} ${reason}`),
    }),
    secretVersions: new SecretVersions(),
    beforeWrite: () => {},
  })
  const look = (signal = new AbortController().signal) =>
    reconcile({ namespace: 'shop', name: 'email' }, { logger: pino({ level: 'silent' }), signal }).then(
      () => 'done',
      (error: unknown) => error,
    )
  const condition = (type: string) =>
    channels.list()[0]!.status?.conditions?.find((each) => each.type === type)
  return { clock, failing, look, condition, published, events }
}

it.each<[Step, unknown, string, string, string]>([
  ['topics', away, 'TopicsReady', 'KafkaUnavailable', 'no broker answers'],
  ['publish', away, 'TopicsReady', 'KafkaUnavailable', 'no broker answers'],
  ['secrets', broken, 'CredentialsReady', 'APIServerFailed', 'etcd has no leader; it is tried again'],
  [
    'secrets',
    Object.assign(new Error('socket'), { code: 'ECONNREFUSED' }),
    'CredentialsReady',
    'APIServerUnavailable',
    'the API server cannot be reached (ECONNREFUSED); it is tried again',
  ],
  ['workers', conflict, 'WorkersReady', 'Conflict', 'the object has been modified; it is tried again'],
  [
    'workers',
    new TypeError('x is not a function'),
    'WorkersReady',
    'OperatorFailed',
    'the operator failed, its log says how; it is tried again',
  ],
])('tells in plain words why it cannot go on: %s, %s', async (step, error, type, reason, message) => {
  const { failing, look, condition } = setUp()
  failing[step] = error
  expect(await look()).toBe(error)
  for (const each of [type, 'Ready'])
    expect(condition(each)).toMatchObject({ status: 'Unknown', reason, message })
})

it('says that it ran out of time, though its time is over', async () => {
  const { failing, look, condition } = setUp()
  const late = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  failing['publish'] = late
  await look(AbortSignal.abort(late))
  expect(condition('Ready')).toMatchObject({ status: 'Unknown', reason: 'TimedOut' })
})

it('says nothing more when the operator ends', async () => {
  const { failing, look, condition } = setUp()
  failing['publish'] = new Error('aborted')
  await look(AbortSignal.abort())
  expect(condition('Ready')).toBeUndefined()
})

it('publishes a channel whose Secret the API server cannot read at present', async () => {
  const { failing, look, condition, published } = setUp()
  failing['secrets'] = broken
  expect(await look()).toBe(broken)
  expect(published).toEqual(['email'])
  expect(condition('TopicsReady')).toMatchObject({ status: 'True' })
})

it('tells the beginning and the end of a failure once, and since when it has been', async () => {
  const { clock, failing, look, condition, events } = setUp()
  await look()
  events.length = 0
  clock.advance(60_000)
  failing['topics'] = away
  for (let count = 0; count < 3; count++) {
    await look()
    clock.advance(10_000)
  }
  expect(condition('Ready')).toMatchObject({ lastTransitionTime: '2026-01-01T00:01:00Z' })
  expect(events).toEqual(['Warning Ready KafkaUnavailable'])
  delete failing['topics']
  await look()
  expect(condition('TopicsReady')).toMatchObject({
    status: 'True',
    lastTransitionTime: '2026-01-01T00:01:30Z',
  })
})
