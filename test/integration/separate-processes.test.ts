import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaBroker } from '../../core/broker/kafka.ts'
import {
  channelTopics,
  plannerGroup,
  requestsDeadLettersTopic,
  requestsTopic,
} from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Accepted } from '../harness/balance/balance.ts'
import { readLedger, sendUntilAccepted, until } from '../harness/balance/load.ts'
import { type KafkaCluster, startKafka } from '../harness/kafka/kafka.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import { emptyTestDatabase } from '../harness/postgres/postgres.ts'
import { hooksChannel, type Install, makeInstall } from '../harness/process/install.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

/**
 * The roles as separate processes on a real Kafka and a real PostgreSQL, from an empty cluster and an empty database: the way of a
 * message, changes of a channel, and a stop in order. What breaks in the middle of a load is in test/faults.
 */

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })

describePart('kafka', (path) => {
  let cluster: KafkaCluster | undefined
  let install: Install
  let sink: WebhookSink
  let running: { api: RoleProcess; planner: RoleProcess; worker: RoleProcess }

  const start = {
    api: () => install.start('api', '--listen', '127.0.0.1:0'),
    planner: () => install.start('planner'),
    worker: () => install.start('worker', '--channel', 'default/hooks'),
  }
  const send = (key: string) =>
    sendUntilAccepted(() => running.api.url(), key, {
      to: [{ webhook_url: `${sink.url}/${key}` }],
      content: { text: `message ${key}` },
    })
  const ledgerOf = (promised: readonly Accepted[]) => readLedger(running.api.url()!, promised)

  beforeAll(async () => {
    sink = await startWebhookSink()
    if (!path.includes(':')) cluster = await startKafka({ jars: path })
    install = await makeInstall({
      KAFKA_BOOTSTRAP_SERVERS: cluster?.bootstrapServers.join(',') ?? path,
      DATABASE_URL: await emptyTestDatabase(),
    })
    await install.declare(hooksChannel())
  }, 300_000)

  afterAll(async () => {
    await Promise.all(Object.values(running ?? {}).map((role) => role.kill()))
    await sink?.close()
    await cluster?.stop()
    await install?.remove()
  }, 300_000)

  test('a worker that finds nothing waits for it; migrate and apply make it, and a webhook is delivered', async () => {
    const [worker, planner] = [start.worker(), start.planner()]
    await until(() => worker.output().includes('carillon migrate makes them'), 'the worker asks for tables')
    await until(() => planner.output().includes('carillon migrate makes them'), 'so does the planner')
    expect(await planner.stop()).toBe(0)
    expect(await install.start('migrate').ended).toBe(0)
    await until(() => worker.output().includes('carillon apply makes the topics'), 'it asks for topics')

    const refused = await install.apply('--topic-replicas', '10')
    expect(refused.output).toMatch(/^carillon: .*replication factor.*\n$/i)
    expect(refused.code).toBe(1)
    const applied = await install.apply()
    expect(applied.output).toMatch(/^NotificationChannel default\/hooks created$/m)
    expect(applied.code).toBe(0)
    running = { api: start.api(), planner: start.planner(), worker }
    await Promise.all(Object.values(running).map((role) => role.ready()))
    expect((await install.apply()).output).toBe('NotificationChannel default/hooks unchanged\n')

    const promised = [await send('first')]
    await until(() => sink.receipts.length === 1, 'the webhook has arrived')
    await until(async () => (await ledgerOf(promised))[0]?.status === 'sent', 'the ledger says so')
    const metrics = await fetch(`${worker.health()}/metrics`)
    expect(await metrics.text()).toMatch(/^carillon_/m)
  }, 300_000)

  test('apply grows a topic, repairs it, and refuses a bad manifest and fewer partitions with their places', async () => {
    await install.declare(hooksChannel({ partitions: 6 }))
    const grown = /^Topic run-\w+\.default\.hooks configured: 3 -> 6 partitions$/m
    expect((await install.apply('--dry-run')).output).toMatch(/3 -> 6 partitions \(dry run\)$/m)
    const applied = await install.apply()
    expect(applied.output).toMatch(grown)
    expect(applied.output).toMatch(/^NotificationChannel default\/hooks configured$/m)
    expect((await install.apply()).output).toBe('NotificationChannel default/hooks unchanged\n')

    await install.declare(hooksChannel({ partitions: 4 }))
    const shrunk = await install.apply()
    expect(shrunk.code).toBe(1)
    expect(shrunk.output).toMatch(/hooks\.yaml:\d+: spec\.topic\.partitions: may grow, never shrink/)
    await install.declare(hooksChannel({ partitions: 6 }).replace('type: webhook', 'type: pigeon'))
    const bad = await install.apply()
    expect(bad.code).toBe(1)
    expect(bad.output).toMatch(/hooks\.yaml:6: spec\.type: /)
    await install.declare(hooksChannel({ partitions: 6 }))
    expect((await install.apply()).output).toBe('NotificationChannel default/hooks unchanged\n')
  }, 300_000)

  test('a suspended channel keeps its messages until it is resumed, in the same process', async () => {
    const stops = () => running.worker.output().match(/has drained and stopped/g)?.length ?? 0
    await until(() => stops() === 1, 'the worker has taken over six partitions')
    await install.declare(hooksChannel({ partitions: 6, suspend: true }))
    await install.apply()
    await until(() => stops() === 2, 'the worker has stopped consuming')
    const before = sink.receipts.length
    const promised = [await send('kept')]
    await until(async () => (await ledgerOf(promised)).length === 1, 'the delivery is planned')
    expect(sink.receipts).toHaveLength(before)
    await install.declare(hooksChannel({ partitions: 6 }))
    await install.apply()
    await until(async () => (await ledgerOf(promised))[0]?.status === 'sent', 'the message is delivered')
    expect(running.worker.process.exitCode).toBe(null)
  }, 300_000)

  test('missing topics of retries and dead letters hold up nobody; what waits for them goes on once they are made again', async () => {
    const topics = channelTopics(install.prefix, { namespace: 'default', name: 'hooks' }, '', ['1s'])
    const bootstrapServers = cluster?.bootstrapServers ?? path.split(',')
    const broker = openKafkaBroker({ bootstrapServers, clientId: 'test', logger })
    try {
      const requests = { group: plannerGroup(install.prefix), topics: [requestsTopic(install.prefix)] }
      const requestLetters = requestsDeadLettersTopic(install.prefix)
      await broker.admin.deleteTopics([topics.retries[0]!.topic, topics.deadLetters, requestLetters])
      sink.behave(({ to }) => (to.includes('waits') ? { status: 503 } : { status: 204 }))
      const waiting = [await send('waits-1'), await send('waits-2')]
      const waits = { status: 'retrying', reason: 'topic_unavailable' }
      const reasonsOf = async () =>
        (await ledgerOf(waiting)).map(({ status, reason }) => ({ status, reason }))
      await until(async () => isDeepStrictEqual(await reasonsOf(), [waits, waits]), 'the retries are kept')
      const garbage = { key: 'x', value: Buffer.from('garbage'), headers: { 'carillon-envelope': '1' } }
      await broker.producer.produce([topics.main, ...requests.topics].map((topic) => ({ ...garbage, topic })))
      const free = [await send('free')]
      await until(async () => (await ledgerOf(free))[0]?.status === 'sent', 'others are delivered')
      const logs = [requests, { group: topics.group, topics: [topics.main] }]
      const isRead = async () => (await broker.admin.lag(logs)).every(({ lag }) => lag === 0)
      await until(isRead, 'nothing is left unfinished behind them')

      sink.behave(() => ({ status: 204 }))
      const applied = await install.apply()
      expect(applied.output).toMatch(/default\.hooks\.retry\.1s created/)
      const sent = async () => (await ledgerOf(waiting)).every(({ status }) => status === 'sent')
      await until(sent, 'the sweeper has written them, and they are delivered')
      for (const topic of [topics.deadLetters, requestLetters]) {
        const letters: (string | undefined)[] = []
        const follower = await broker.follow(topic, ({ value }) => letters.push(value?.toString()))
        await until(() => letters.length > 0, `what nobody can read is on ${topic}`)
        await follower.close()
        expect(letters).toEqual(['garbage'])
      }
    } finally {
      sink.behave(() => ({ status: 204 }))
      await broker.close()
    }
  }, 300_000)

  test('SIGTERM drains every process, and it exits with 0', async () => {
    sink.setLatency(() => 500)
    const promised = await Promise.all(Array.from({ length: 20 }, (_, index) => send(`drain-${index}`)))
    await until(() => sink.inFlight() > 0, 'some are in flight')
    expect(await running.worker.stop()).toBe(0)
    const ledger = await ledgerOf(promised)
    expect(ledger.filter(({ status }) => status === 'sending')).toEqual([])
    expect(await running.planner.stop()).toBe(0)
    expect(await running.api.stop()).toBe(0)
  }, 300_000)
})
