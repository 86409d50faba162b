import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { BrokerError, type Broker, type ConsumerHandlers } from '../core/broker/broker.ts'
import { createLogger } from '../core/observability/logger.ts'
import { Source, type Work } from './source.ts'
import { createSourceMetrics } from './source-metrics.ts'

/** A source on a broker whose doings the test writes; `tick` ends a wait for the next commit. */
async function world() {
  const registry = new Registry()
  const taken: Work[] = []
  const ticks: (() => void)[] = []
  const time = { ms: 0 }
  let handlers!: ConsumerHandlers
  let refusal: BrokerError | undefined
  const consumer: Broker['consumer'] = (options) => {
    handlers = options.handlers
    return {
      start: async () => {},
      stop: async () => {},
      pause() {},
      resume() {},
      async commit() {
        if (refusal) throw refusal
      },
    }
  }
  const source = new Source({
    broker: { consumer } as Broker,
    group: 'g',
    topics: ['t'],
    clock: {
      after: (_milliseconds, callback) => (ticks.push(callback), () => {}),
      now: () => time.ms,
      monotonic: () => time.ms,
    },
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics: createSourceMetrics(registry),
    bounds: { records: 3, bytes: 1_000 },
    onRecord: (_record, work) => taken.push(work),
  })
  await source.start()
  const value = async (name: string) => {
    const { values } = await registry.getSingleMetric(`carillon_${name}`)!.get()
    return values.find(({ labels }) => !('le' in labels))?.value
  }
  const deliver = (count: number) =>
    handlers.onRecords({
      epoch: 1,
      topic: 't',
      partition: 0,
      records: Array.from({ length: count }, (_, offset) => ({
        topic: 't',
        partition: 0,
        offset,
        key: null,
        value: Buffer.alloc(10),
        headers: {},
        timestamp: 0,
      })),
    })
  return {
    handlers,
    time,
    registry,
    taken,
    value,
    deliver,
    refuse: (error: BrokerError) => (refusal = error),
    async tick() {
      ticks.shift()!()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

it('tells what it has, what of it is unfinished, and what is paused', async () => {
  const { handlers, taken, value, deliver, tick } = await world()
  const partitions = [0, 1].map((partition) => ({ topic: 't', partition }))
  handlers.onAssigned({ epoch: 1, partitions })
  expect([await value('kafka_assigned_partitions'), await value('kafka_rebalances_total')]).toEqual([2, 1])
  deliver(4)
  taken[0]!.done()
  await tick()
  expect(await value('worker_inflight')).toBe(3)
  expect(await value('worker_queue_bytes')).toBe(30)
  expect(await value('kafka_paused_partitions')).toBe(1)
  handlers.onRevoked(1)
  expect([await value('kafka_assigned_partitions'), await value('worker_inflight')]).toEqual([0, 0])
})

it('counts the commits that fail, and not those that came too late', async () => {
  const { handlers, taken, value, deliver, refuse, tick } = await world()
  handlers.onAssigned({ epoch: 1, partitions: [{ topic: 't', partition: 0 }] })
  deliver(1)
  taken[0]!.done()
  refuse(new BrokerError('stale_epoch', 'the assignment is over'))
  await tick()
  expect(await value('kafka_commit_failures_total')).toBeUndefined()
  refuse(new BrokerError('unavailable', 'away'))
  await tick()
  expect(await value('kafka_commit_failures_total')).toBe(1)
})

it('measures for how long a rebalance leaves it without partitions', async () => {
  const { handlers, time, registry } = await world()
  handlers.onAssigned({ epoch: 1, partitions: [{ topic: 't', partition: 0 }] })
  handlers.onRevoked(1)
  time.ms += 3_000
  handlers.onAssigned({ epoch: 2, partitions: [{ topic: 't', partition: 0 }] })
  expect(await registry.getSingleMetricAsString('carillon_kafka_rebalance_duration_seconds')).toContain(
    'carillon_kafka_rebalance_duration_seconds_sum{group="g"} 3',
  )
})
