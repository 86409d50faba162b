import pg from 'pg'
import type { LedgerDelivery } from '../harness/balance/balance.ts'
import { readLedger, startLoad, until } from '../harness/balance/load.ts'
import { hooksChannel } from '../harness/process/install.ts'
import { promisedBy } from './fault.ts'
import { hooks, withBroker } from './record-faults.ts'
import { rateLimit, type World } from './world.ts'

const messages = 60

/**
 * A channel is suspended for longer than its topic keeps records: Kafka deletes what waits. Answers what the ledger says of it in the end, after the
 * channel was resumed. Only the two hours that the sweeper would have waited are made up, in the rows.
 */
export async function outliveRetention(world: World, name: string): Promise<LedgerDelivery[]> {
  await world.ready()
  const { sink } = world
  await suspend(world, true)
  const load = startLoad({
    url: () => world.api.url(),
    to: sink.url,
    name,
    recipients: messages,
    messages: 1,
    interval: 100,
  })
  load.finish()
  await load.done
  const promised = promisedBy(load)
  const read = () => readLedger(world.api.url()!, promised)
  // After the fault before, some of it may wait in the store for its topic first.
  const isWritten = ({ reason }: LedgerDelivery) => reason !== 'topic_unavailable'
  const isPlanned = async () => (await read()).filter(isWritten).length === promised.length
  await until(isPlanned, 'everything is planned and on its topic', 120_000)

  const { main, group } = hooks(world)
  await withBroker(world, async ({ admin }) => {
    await admin.alterConfig(main, { 'retention.ms': '1' })
    const isEmpty = async () => {
      const lags = await admin.lag([{ group, topics: [main] }])
      return lags.every(({ beginning, end }) => beginning === end)
    }
    await until(isEmpty, 'Kafka has deleted what waited', 120_000)
    await admin.alterConfig(main, { 'retention.ms': '604800000' })
  })
  await age(world)
  const isOver = async () => (await read()).every(({ status }) => status !== 'queued')
  await until(isOver, 'the sweeper has ended what was deleted', 120_000)
  await suspend(world, false)
  return read()
}

async function suspend({ install, workers }: World, suspended: boolean): Promise<void> {
  const stops = () => workers[0]!.output().match(/has drained and stopped/g)?.length ?? 0
  const before = stops()
  await install.declare(hooksChannel({ partitions: 6, rateLimit, suspend: suspended }))
  const { code, output } = await install.apply()
  if (code !== 0) throw new Error(`apply: ${output}`)
  if (suspended) await until(() => stops() > before, 'the worker has stopped consuming')
}

async function age({ postgres }: World): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    await client.query(
      "UPDATE deliveries SET created_at = created_at - interval '2 hours', updated_at = updated_at - interval '2 hours' WHERE status = 'queued'",
    )
  } finally {
    await client.end()
  }
}
