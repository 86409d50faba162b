import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import type { ConsumedRecord } from '../../../core/broker/broker.ts'
import { header } from '../../../core/notification/envelope.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { scriptedBroker } from '../../../test/harness/fakes/scripted-broker.ts'
import { createSourceMetrics } from '../../source-metrics.ts'
import { RetrySource } from './retry-source.ts'

it('forgets at a rebalance what was not yet due: whoever reads it again holds it, and nobody releases it twice', async () => {
  const clock = manualClock()
  const { broker, consumers } = scriptedBroker()
  const due: string[] = []
  const source = new RetrySource({
    broker,
    group: 'g',
    topics: ['t'],
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics: createSourceMetrics(new Registry()),
    bounds: { records: 100, bytes: 100_000 },
    onRevoked: () => due.push('revoked'),
    onDue: ({ offset }, work) => due.push(`${offset}${work.abandoned() ? ' abandoned' : ''}`),
  })
  await source.start(new AbortController().signal)
  const handlers = consumers.get('g')!
  const records = [0, 1].map(
    (offset): ConsumedRecord => ({
      topic: 't',
      partition: 0,
      offset,
      key: 'k',
      value: null,
      headers: { [header.due]: String(clock.now() + 1_000 * (offset + 1)) },
      timestamp: clock.now(),
    }),
  )
  const partition = { topic: 't', partition: 0 }
  handlers.onAssigned({ epoch: 1, partitions: [partition] })
  handlers.onRecords({ ...partition, epoch: 1, records })
  clock.advance(1_000)
  expect(due).toEqual(['0'])

  handlers.onRevoked(1)
  clock.advance(1_000)
  expect(due).toEqual(['0', 'revoked'])

  // The watermark was never committed, so both come again; the first is overdue.
  handlers.onAssigned({ epoch: 2, partitions: [partition] })
  handlers.onRecords({ ...partition, epoch: 2, records: [records[0]!] })
  expect(due).toEqual(['0', 'revoked', '0'])
  handlers.onRecords({ ...partition, epoch: 2, records: [records[1]!] })
  expect(due).toEqual(['0', 'revoked', '0', '1'])
  clock.advance(60_000)
  expect(due).toHaveLength(4)
  await source.stop()
})
