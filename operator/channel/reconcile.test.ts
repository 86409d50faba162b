import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { BrokerError, type TopicDescription, type TopicSpec } from '../../core/broker/broker.ts'
import { PrefixTaken } from '../../core/ownership/ownership.ts'
import type { TopicMark } from '../../core/ownership/records.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { ApiError } from '../runtime/api/api-error.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'
import type { RecordEvent } from '../runtime/events.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { SecretVersions } from '../secret-versions.ts'
import { createClaims } from './claims.ts'
import { TopicTeller } from './corrections.ts'
import { createChannelReconciler } from './reconcile.ts'
import { type ChannelObject, createStatusWriter } from './status.ts'
import type { WorkersKept } from './workers/condition.ts'

const away = new BrokerError('unavailable', 'no broker answers')
const conflict = new ApiError(409, 'Conflict', 'the object has been modified')
const broken = new ApiError(500, 'InternalError', 'etcd has no leader')

type Step = 'secrets' | 'topics' | 'publish' | 'workers' | 'status'

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
  const published: NotificationChannel[] = []
  const logged: string[] = []
  const events: string[] = []
  /** What workers were made for. */
  const served: NotificationChannel[] = []
  const workers: WorkersKept = { waitsFor: undefined, scalingRefusal: undefined }
  const api = {
    get: async () => {
      fail('secrets')
      return { data: { username: 'dQ==', password: 'cA==' } }
    },
    apply: async (_kind: unknown, { status }: KubernetesObject & { status?: ChannelObject['status'] }) => {
      fail('status')
      const { metadata } = channels.list()[0]!
      const resourceVersion = String(Number(metadata.resourceVersion) + 1)
      channels.put({ ...object, metadata: { ...metadata, resourceVersion }, ...(status && { status }) })
    },
  } as never
  const writer = {
    foreignSource: () => undefined,
    channel: () => published.at(-1),
    async publish(channel: NotificationChannel) {
      fail('publish')
      published.push(channel)
      return `r${published.length}`
    },
  } as never
  const topics: TopicDescription[] = []
  const marks = new Map<string, TopicMark>()
  const recordEvent: RecordEvent = (_, { type, reason, action }) =>
    void events.push(`${type} ${action} ${reason}`)
  const reconcile = createChannelReconciler({
    api,
    admin: {
      describeTopics: async (names: string[]) => {
        fail('topics')
        return topics.filter(({ name }) => names.includes(name))
      },
      async createTopics(specs: TopicSpec[]) {
        topics.push(...specs)
        return []
      },
      async alterConfig(name: string, config: Record<string, string>) {
        const index = topics.findIndex((topic) => topic.name === name)
        const topic = topics[index]!
        topics[index] = { ...topic, config: { ...topic.config, ...config } }
      },
    } as never,
    ownership: {
      marks,
      assertOurs: () => {},
      async mark(changes: [string, TopicMark][]) {
        for (const [topic, mark] of changes) marks.set(topic, mark)
      },
    } as never,
    prefix: 'p',
    writer,
    channels,
    credentials: new Cache(),
    deployments: { get: () => ({ spec: { replicas: 2 }, status: { readyReplicas: 1 } }) } as never,
    pods: new Cache(),
    claims: createClaims({ channels, catalog: { published: () => new Map() }, writer, prefix: 'p' }),
    ensureWorkers: async (channel) => {
      fail('workers')
      served.push(channel)
      return workers
    },
    remove: async () => {},
    platform: { topicPrefix: 'p', namespace: 'system' } as never,
    maxReplicas: 3,
    statusWriter: createStatusWriter({
      api,
      objects: channels,
      clock,
      recordEvent,
    }),
    topicTeller: new TopicTeller({
      recordEvent,
      tellCorrection: ({ what }) => void events.push(what),
      logger: pino({ level: 'silent' }),
    }),
    secretVersions: new SecretVersions(),
  })
  /** When it is to be looked at again after each look that did not fail. */
  const again: (number | undefined)[] = []
  const look = (signal = new AbortController().signal) =>
    reconcile(
      { namespace: 'shop', name: 'email' },
      { logger: pino({}, { write: (line: string) => void logged.push(line) }), signal },
    ).then(
      ({ requeueAfter }) => {
        again.push(requeueAfter)
        return 'done'
      },
      (error: unknown) => error,
    )
  const condition = (type: string) =>
    channels.list()[0]!.status?.conditions?.find((each) => each.type === type)
  const edit = (spec: object) => {
    Object.assign(object.spec, spec)
    const generation = (object.metadata.generation! += 1)
    const last = channels.list()[0]!
    const resourceVersion = String(Number(last.metadata.resourceVersion) + 1)
    channels.put({ ...last, metadata: { ...last.metadata, generation, resourceVersion } })
  }
  /** Somebody sets how long a topic keeps messages. */
  const retain = (index: number, milliseconds: string) => {
    const topic = topics[index]!
    topics[index] = { ...topic, config: { ...topic.config, 'retention.ms': milliseconds } }
  }
  const status = () => channels.list()[0]!.status
  const parts = { clock, failing, workers, topics, retain, marks }
  return { ...parts, look, again, edit, condition, status, published, served, events, logged }
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
  expect(published).toHaveLength(1)
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

it('tells of its topics that the prefix was taken over', async () => {
  const { failing, look, condition } = setUp()
  failing['publish'] = new PrefixTaken('the prefix p was taken over by them')
  await look()
  for (const each of ['TopicsReady', 'Ready'])
    expect(condition(each)).toMatchObject({ status: 'False', reason: 'PrefixTaken' })
})

it('fails with what came first, and logs that the status cannot be written either', async () => {
  const { failing, look, logged } = setUp()
  failing['publish'] = away
  failing['status'] = broken
  expect(await look()).toBe(away)
  expect(logged.join()).toContain('etcd has no leader')
  delete failing['publish']
  expect(await look()).toBe(broken)
})

describe('of whose topics one is gone', () => {
  it('has it made again, and that is told once', async () => {
    const { look, topics, events } = setUp()
    await look()
    expect(events).toEqual(['Normal Ready Ready'])
    topics.splice(0, 1)
    await look()
    await look()
    expect(topics.map(({ name }) => name)).toContain('p.shop.email')
    expect(events).toEqual(['Normal Ready Ready', 'Warning Create TopicRecreated'])
  })

  it('is not told of the topics of a tier that it did not have', async () => {
    const { look, edit, events } = setUp()
    await look()
    edit({ delivery: { retryTiers: ['7s'] } })
    await look()
    expect(events).toEqual(['Normal Ready Ready'])
  })
})

describe('whose topics are no longer its own', () => {
  function lose() {
    const parts = setUp()
    return {
      ...parts,
      async publishAndLose() {
        await parts.look()
        parts.marks.clear()
      },
    }
  }

  it('goes on with the spec that was published before, and says so', async () => {
    const { publishAndLose, edit, look, condition, status, published, served } = lose()
    await publishAndLose()
    const before = published.at(-1)
    edit({ delivery: { retryTiers: ['7s'] } })
    expect(await look()).toBe('done')
    expect(published.at(-1)).toEqual(before)
    expect(served.at(-1)).toEqual(before)
    expect(condition('TopicsReady')).toMatchObject({ status: 'False', reason: 'TopicNotOwned' })
    expect(condition('TopicsReady')?.message).toContain('the spec that was published before serves')
    expect(condition('WorkersReady')).toMatchObject({ reason: 'SomeWorkersReady' })
    expect(status()).toMatchObject({ workers: { desired: 2, ready: 1 } })
  })

  it('is suspended, and woken again', async () => {
    const { publishAndLose, edit, look, published, served } = lose()
    await publishAndLose()
    for (const suspend of [true, false]) {
      edit({ suspend, delivery: { retryTiers: ['7s'] } })
      await look()
      for (const channel of [published.at(-1), served.at(-1)]) {
        expect(channel?.spec.suspend).toBe(suspend)
        expect(channel?.spec.delivery.retryTiers).not.toEqual(['7s'])
      }
    }
  })

  it('is not published when it never was', async () => {
    const { topics, look, published, condition, events } = lose()
    topics.push({ name: 'p.shop.email', partitions: 3, replicas: 1, config: {} })
    await look()
    expect(published).toEqual([])
    expect(condition('WorkersReady')).toMatchObject({ reason: 'NotChecked' })
    expect(condition('Durable')).toMatchObject({ status: 'Unknown', reason: 'NotChecked' })
    expect(events).toEqual(['Warning TopicsReady TopicNotOwned'])
  })
})

describe('whose spec is no longer accepted', () => {
  async function refused() {
    const parts = setUp()
    await parts.look()
    parts.edit({ type: 'pigeon', delivery: { retryTiers: ['7s'] } })
    return parts
  }

  it('goes on with the spec that was published before, and says so', async () => {
    const { look, published, served, condition, status } = await refused()
    const [before] = published
    expect(await look()).toBe('done')
    for (const channel of [published.at(-1), served.at(-1)]) expect(channel).toEqual(before)
    for (const type of ['Accepted', 'Ready']) {
      expect(condition(type)).toMatchObject({ status: 'False', reason: 'InvalidSpec' })
      expect(condition(type)?.message).toContain('the spec that was published before serves')
    }
    expect(condition('WorkersReady')).toMatchObject({ reason: 'SomeWorkersReady' })
    expect(status()).toMatchObject({ workers: { desired: 2, ready: 1 } })
  })

  it('has its topics kept, as that spec asks, and its Secrets read', async () => {
    const { look, topics, retain, condition, events } = await refused()
    await look()
    events.length = 0
    const [main] = topics.splice(0, 1)
    retain(0, '1')
    await look()
    expect(topics).toContainEqual(main)
    expect(topics.every(({ config }) => config['retention.ms'] === '604800000')).toBe(true)
    expect(events).toEqual([
      'Warning Create TopicRecreated',
      'topic p.shop.email.retry.30s: put back retention.ms=604800000',
    ])
    for (const type of ['TopicsReady', 'CredentialsReady', 'Durable'])
      expect(condition(type)).toMatchObject({ status: 'True' })
  })

  it('has its turn in an upgrade no later than others', async () => {
    const { look, again, workers, condition } = await refused()
    await look()
    workers.waitsFor = ['shop/sms']
    await look()
    expect(condition('WorkersReady')).toMatchObject({ reason: 'UpgradeWaits' })
    expect(again.slice(-2)).toEqual([120_000, 5_000])
  })

  it('is suspended, and woken again', async () => {
    const { edit, look, published, served } = await refused()
    for (const suspend of [true, false]) {
      edit({ suspend })
      await look()
      for (const channel of [published.at(-1), served.at(-1)])
        expect(channel?.spec).toMatchObject({ suspend, type: 'email' })
    }
  })

  it('is not published when it never was', async () => {
    const { edit, look, published, served, condition } = setUp()
    edit({ type: 'pigeon', suspend: true })
    await look()
    expect([published, served]).toEqual([[], []])
    expect(condition('Ready')?.message).not.toContain('published before')
  })
})

describe('whose messages', () => {
  it.each<[object, string, string]>([
    [{}, 'True', 'Durable'],
    [{ replicas: 1 }, 'False', 'NotReplicated'],
    [{ replicas: 2 }, 'False', 'NotReplicated'],
    [{ config: { 'min.insync.replicas': '1' } }, 'False', 'NotReplicated'],
    [{ config: { 'unclean.leader.election.enable': 'true' } }, 'False', 'UncleanElection'],
  ])('may be lost with a broker or not, with the topic %j: Durable is %s', async (topic, status, reason) => {
    const { edit, look, condition } = setUp()
    edit({ topic })
    await look()
    expect(condition('Durable')).toMatchObject({ status, reason })
    // It is told on its own: messages are delivered all the same.
    expect(condition('Ready')).toMatchObject({ status: 'True' })
  })
})
