import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, it, onTestFinished } from 'vitest'
import { BrokerError } from '../../core/broker/broker.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import type { DeploymentObject } from '../channel/children/deployment.ts'
import { childName } from '../channel/names.ts'
import type { ChannelObject } from '../channel/status.ts'
import { ApiError } from '../runtime/api/api-error.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { OptionalCache } from '../runtime/watch/optional-cache.ts'
import { Autoscaler } from './autoscaler.ts'
import { createAutoscalerMetrics } from './metrics.ts'

const channel = (name: string, mode = 'Native'): NotificationChannel =>
  channelResource(
    { name, namespace: 'shop' },
    { type: 'email', providers: [{ name: 'a', type: 'sandbox' }], scaling: { mode } },
  )
const metadata = (name: string, namespace: string) => ({ name, namespace, uid: name, resourceVersion: '1' })

/** An autoscaler that sees the channels that it is given, each with one worker that did 25 deliveries a second and so much lag on each partition; undefined while that cannot be read. */
function setUp(
  names: readonly string[],
  {
    lag = () => 0,
    api = {},
    beats = () => true,
    gone = () => undefined,
  }: {
    lag?: () => number | undefined
    api?: object
    beats?: () => true | undefined
    /** A topic that does not exist. */
    gone?: () => string | undefined
  } = {},
) {
  const clock = manualClock()
  const registry = new Registry()
  const served = { channels: names.map((name) => channel(name)) }
  const objects = new Cache<ChannelObject>()
  const workloads = new Cache<DeploymentObject>()
  for (const name of names) {
    objects.put({ ...channel(name), metadata: metadata(name, 'shop') } as unknown as ChannelObject)
    workloads.put({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: metadata(childName({ namespace: 'shop', name }), 'system'),
      spec: { replicas: 1, selector: {}, template: {} },
    })
  }
  const told: string[] = []
  const topicless: string[] = []
  const autoscaler = new Autoscaler({
    api: api as never,
    admin: {
      async lag(subscriptions) {
        return subscriptions.flatMap(({ group, topics }) =>
          topics.flatMap((topic) => {
            if (topic === gone()) throw new BrokerError('unknown_topic', `topic ${topic} does not exist`)
            return [0, 1, 2].flatMap((partition) => {
              const each = lag()
              const log = each !== undefined && { beginning: 0, end: each, committed: 0, lag: each }
              return log ? [{ group, topic, partition, ...log }] : []
            })
          }),
        )
      },
      offsetsAt: async () => [],
    },
    channels: () => served.channels,
    objects,
    workloads,
    liveWorkers: {
      list: () => beats() && [{ capacity: 25, providers: [{ name: 'a', circuit: 'closed' }] } as never],
    },
    podAutoscalers: new Cache(),
    scaledObjects: new OptionalCache(),
    prefix: 'p',
    namespace: 'system',
    writeStatus: async (_, { scaling }) => void told.push(`${scaling.status} ${scaling.reason}`),
    onTopicless: ({ name }) => void topicless.push(name),
    recordEvent: () => {},
    clock,
    logger: pino({ level: 'silent' }),
    metrics: createAutoscalerMetrics(registry),
  })
  autoscaler.start()
  onTestFinished(() => autoscaler.stop())
  /** `desired_replicas email`: what there is a gauge of. */
  const gauges = async () => {
    clock.advance(5_000)
    const text = await registry.metrics()
    return [...text.matchAll(/^carillon_scaler_(\w+)\{namespace="shop",channel="(\w+)"\}/gm)]
      .map(([, gauge, name]) => `${gauge} ${name}`)
      .toSorted()
  }
  return { clock, told, topicless, served, gauges }
}
const both = (name: string) => [`capacity_per_replica ${name}`, `desired_replicas ${name}`]

it('says nothing more of a channel that is gone, or that it no longer scales', async () => {
  const { served, gauges } = setUp(['gone', 'handed', 'kept'])
  await expect
    .poll(gauges, { timeout: 10_000 })
    .toEqual([...both('gone'), ...both('handed'), ...both('kept')].toSorted())
  served.channels = [channel('handed', 'None'), channel('kept')]
  await expect.poll(gauges, { timeout: 10_000 }).toEqual(both('kept'))
})

it.each(['p.shop.b', 'p.shop.b.retry.5m', 'p.shop.b.dlq'])(
  'says of which channel a topic is gone, at every look until it is there again: %s',
  async (topic) => {
    let gone: string | undefined = topic
    const { clock, told, topicless } = setUp(['a', 'b', 'c'], { gone: () => gone })
    const look = () => (clock.advance(5_000), topicless.length)
    await expect.poll(look, { timeout: 10_000 }).toBeGreaterThanOrEqual(2)
    expect(new Set(topicless)).toEqual(new Set(['b']))
    gone = undefined
    // One that had begun before may still tell of it.
    const looks = (count: number) => {
      const seen = told.length
      return expect
        .poll(() => (clock.advance(5_000), told.length), { timeout: 10_000 })
        .toBeGreaterThan(seen + count * 3)
    }
    await looks(2)
    const before = topicless.length
    await looks(2)
    expect(topicless).toHaveLength(before)
  },
)

it('says that it may not scale, and tries again at the next look', async () => {
  let asked = 0
  const merge = async () => {
    asked++
    throw new ApiError(403, 'Forbidden', 'deployments/scale is forbidden')
  }
  let lag: number | undefined = 1_000_000
  const { clock, told } = setUp(['email'], { lag: () => lag, api: { merge } })
  const look = () => (clock.advance(5_000), asked)
  await expect.poll(look, { timeout: 10_000 }).toBeGreaterThanOrEqual(2)
  await expect.poll(() => told.slice(0, 2)).toEqual(Array(2).fill('False APIServerRefused'))
  // Longer than `fallback.after`: the lag has been read all the same.
  for (const end = clock.now() + 300_000; clock.now() < end; await turn()) clock.advance(5_000)
  lag = undefined
  const next = () => (clock.advance(5_000), told.at(-1))
  await expect.poll(next, { timeout: 10_000 }).toBe('False LagUnreadable')
}, 30_000)

it('begins once it has the heartbeats, or has waited long enough', async () => {
  let asked = 0
  const { clock, told } = setUp(['email'], { beats: () => (++asked > 5 ? true : undefined) })
  await expect.poll(() => (clock.advance(100), told.length), { timeout: 10_000 }).toBeGreaterThan(0)
  expect(asked).toBeGreaterThan(5)
  const { clock: later, told: blind } = setUp(['email'], { beats: () => undefined })
  await expect.poll(() => (later.advance(1_000), blind.length), { timeout: 10_000 }).toBeGreaterThan(0)
}, 30_000)
