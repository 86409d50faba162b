import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaBroker } from '../../core/broker/kafka.ts'
import { type DeliveryEnvelope, encodeDelivery } from '../../core/notification/envelope.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { openStore, type Store } from '../../core/store/store.ts'
import { until } from '../harness/balance/load.ts'
import { type KafkaCluster, startKafka } from '../harness/kafka/kafka.ts'
import { queuedDelivery } from '../harness/ledger-rows.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import { emptyTestDatabase } from '../harness/postgres/postgres.ts'
import { hooksChannel, type Install, makeInstall } from '../harness/process/install.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

/**
 * A replay of 400 dead letters on a real Kafka whose planner is killed (SIGKILL) in its middle. Another planner takes it over; every
 * dead letter must arrive exactly once, and no duplicate is allowed: nothing is killed that sends.
 */

const count = 400
const rate = 50
const replayedAtKill = 100
const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })

describePart('kafka', (path) => {
  let cluster: KafkaCluster | undefined
  let bootstrapServers: string[]
  let install: Install
  let store: Store
  let sink: WebhookSink
  let api: RoleProcess
  let running: RoleProcess[] = []

  beforeAll(async () => {
    sink = await startWebhookSink()
    if (!path.includes(':')) cluster = await startKafka({ jars: path })
    bootstrapServers = cluster?.bootstrapServers ?? [path]
    const url = await emptyTestDatabase()
    install = await makeInstall({
      KAFKA_BOOTSTRAP_SERVERS: bootstrapServers.join(','),
      DATABASE_URL: url,
    })
    store = openStore({ url, logger })
    await install.declare(hooksChannel())
    await install.start('migrate').ended
    await install.apply()
    api = install.start('api', '--listen', '127.0.0.1:0')
    running = [api, install.start('worker', '--channel', 'default/hooks')]
    await Promise.all(running.map((role) => role.ready()))
  }, 180_000)
  afterAll(async () => {
    await Promise.all(running.map((role) => role.kill()))
    await store?.close()
    await sink?.close()
    await cluster?.stop()
    await install?.remove()
  }, 120_000)

  /** Dead letters as a worker leaves them: the row, then the record. */
  async function makeDeadLetters(): Promise<string[]> {
    const deliveries = Array.from({ length: count }, (_, index): DeliveryEnvelope => {
      const address = `${sink.url}/${index}`
      return {
        id: randomUUID(),
        notification_id: randomUUID(),
        notification: 'ntf_x',
        tenant: 'default',
        channel: 'hooks',
        channel_type: 'webhook',
        recipient: `webhook_url:${address}`,
        address,
        content: { text: `message ${index}` },
        data: {},
        metadata: {},
        accepted_at: new Date().toISOString(),
      }
    })
    const rows = deliveries.map(({ id, notification_id, tenant, channel, channel_type, recipient }) => {
      const row = { notification_id, tenant, channel, channel_type, recipient }
      return queuedDelivery(id, { ...row, status: 'sending', attempt: 5 })
    })
    await store.db.insertInto('deliveries').values(rows).execute()
    await store.db
      .updateTable('deliveries')
      .set({ status: 'dead_lettered', reason: 'retries_exhausted' })
      .execute()
    const broker = openKafkaBroker({ bootstrapServers, clientId: 'test', logger })
    const channel = { namespace: 'default', name: 'hooks' }
    const topic = channelTopics(install.prefix, channel, '', []).deadLetters
    await broker.producer.produce(
      deliveries.map((delivery) => ({ topic, key: delivery.recipient, ...encodeDelivery(delivery) })),
    )
    await broker.close()
    return deliveries.map(({ id }) => id)
  }

  test('a planner killed in the middle of a replay loses nothing, and nothing is sent twice', async () => {
    const ids = await makeDeadLetters()
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(api.url() + path, {
        method,
        ...(body && { headers, body: JSON.stringify(body) }),
      })
      return (await response.json()) as { id: string; status: string; replayed: number; skipped: number }
    }
    const { id } = await ask('POST', '/v1/replays', { rate })
    const read = () => ask('GET', `/v1/replays/${id}`)
    const first = install.start('planner')
    running.push(first)
    await until(async () => (await read()).replayed >= replayedAtKill, `${replayedAtKill} are replayed`)
    await first.kill()
    const atKill = await read()
    expect(atKill).toMatchObject({ status: 'running' })
    expect(atKill.replayed).toBeLessThan(count)
    // As it is half a minute later.
    await store.db
      .updateTable('replays')
      .set({ lease_until: new Date(Date.now() - 1) })
      .execute()

    running.push(install.start('planner'))
    await until(async () => (await read()).status === 'completed', 'the replay is completed', 180_000)
    await until(
      () => new Set(sink.receipts.map(({ delivery }) => delivery)).size === count,
      'all have arrived',
    )
    const statuses = () =>
      store.db.selectFrom('deliveries').select('status').where('id', 'in', ids).distinct().execute()
    await expect.poll(statuses).toEqual([{ status: 'sent' }])
    const { replayed, skipped } = await read()
    console.log(
      `${atKill.replayed} of ${count} at the kill; ${replayed} counted, ${skipped} sent before they were counted`,
    )
    expect(replayed + skipped).toBe(count)
    expect(skipped).toBeLessThanOrEqual(rate)
    // The ledger knows of every call, also of one whose request is still on its way.
    const attempts = await store.db.selectFrom('attempts').select('delivery_id').execute()
    expect(attempts.map(({ delivery_id }) => delivery_id).toSorted()).toEqual(ids.toSorted())
    expect(sink.receipts).toHaveLength(count)
  }, 360_000)
})
