import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { createLogger } from '../../core/observability/logger.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { createReader } from './reader.ts'

it('leaves no time series behind: every replay has a group of its own', async () => {
  const { broker, consumers } = scriptedBroker()
  const clock = manualClock()
  const registry = new Registry()
  const reader = createReader({
    broker,
    group: 'p.replay.1',
    topics: ['t.dlq'],
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics: createSourceMetrics(registry),
  })
  await reader.start(new AbortController().signal)
  const handlers = consumers.get('p.replay.1')!
  const partition = { topic: 't.dlq', partition: 0 }
  handlers.onAssigned({ epoch: 1, partitions: [partition] })
  const record = { ...partition, offset: 0, key: null, value: null, headers: {}, timestamp: 0 }
  handlers.onRecords({ ...partition, epoch: 1, records: [record] })
  for (const { work } of await reader.next(1, 1_000, new AbortController().signal)) work.done()
  clock.advance(500)
  expect(await registry.metrics()).toContain('p.replay.1')
  handlers.onRevoked(1)
  await reader.stop()
  expect(await registry.metrics()).not.toContain('p.replay.1')
})
