import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, it, onTestFinished } from 'vitest'
import { kinds } from '../../core/catalog/kinds.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import type { DeploymentObject } from '../channel/children/deployment.ts'
import { childName } from '../channel/names.ts'
import type { ChannelObject } from '../channel/status.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { OptionalCache } from '../runtime/watch/optional-cache.ts'
import { Autoscaler } from './autoscaler.ts'
import { createAutoscalerMetrics } from './metrics.ts'

const channel = (name: string, mode = 'Native'): NotificationChannel =>
  kinds.NotificationChannel.parse({
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationChannel',
    metadata: { name, namespace: 'shop' },
    spec: { type: 'email', providers: [{ name: 'a', type: 'sandbox' }], scaling: { mode } },
  })
const metadata = (name: string, namespace: string) => ({ name, namespace, uid: name, resourceVersion: '1' })

/** An autoscaler that sees an empty Kafka and the channels that it is given, each with one worker that did 25 deliveries a second. */
function setUp(names: readonly string[]) {
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
  const autoscaler = new Autoscaler({
    api: {} as never,
    admin: {
      lag: async (subscriptions) =>
        subscriptions.flatMap(({ group, topics }) =>
          topics.map((topic) => ({ group, topic, partition: 0, beginning: 0, end: 0, committed: 0, lag: 0 })),
        ),
      offsetsAt: async () => [],
    },
    channels: () => served.channels,
    objects,
    workloads,
    liveWorkers: { list: () => [{ capacity: 25, providers: [] } as never] },
    podAutoscalers: new Cache(),
    scaledObjects: new OptionalCache(),
    prefix: 'p',
    namespace: 'system',
    writeStatus: async () => {},
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
  return { served, gauges }
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
