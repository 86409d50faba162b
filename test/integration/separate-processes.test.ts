import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Accepted, balance, describeBalance, isClean, type LedgerDelivery } from '../harness/balance.ts'
import { describePart } from '../harness/describe-part.ts'
import { hooksChannel, type Install, makeInstall } from '../harness/install.ts'
import { type KafkaCluster, startKafka } from '../harness/kafka.ts'
import { readLedger, sendUntilAccepted, until } from '../harness/load.ts'
import { emptyTestDatabase } from '../harness/postgres.ts'
import type { RoleProcess } from '../harness/role.ts'
import { seeded } from '../harness/random.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

/**
 * The roles as separate processes on a real Kafka and a real PostgreSQL, from an empty cluster and an empty database: the way of a
 * message, changes of a channel, and what a kill -9 of one process in the middle of a load loses (nothing).
 */

const load = 200
const inFlightAtKill = 50
/** Milliseconds between two sends: slow enough that the kill comes before the last. */
const sendInterval = 10

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

  /** A load with a kill in its middle: something is in flight, and something has not been sent yet. */
  async function underLoad(victim: string, killAndStart: () => Promise<void>): Promise<void> {
    await Promise.all(Object.values(running).map((role) => role.ready()))
    const random = seeded(1)
    sink.setLatency(() => 500 + random() * 1_000)
    let accepted = 0
    const sending = Promise.all(
      Array.from({ length: load }, async (_, index) => {
        await sleep(index * sendInterval)
        const promised = await send(`${victim}-${index}`)
        accepted++
        return promised
      }),
    )
    await until(() => sink.inFlight() >= inFlightAtKill, `${inFlightAtKill} deliveries are in flight`)
    const inFlight = sink.inFlight()
    const acceptedAtKill = accepted
    await killAndStart()
    sink.setLatency(() => 0)
    const promised = await sending

    let ledger: LedgerDelivery[] = []
    await until(async () => {
      ledger = await ledgerOf(promised)
      return ledger.length >= promised.length && balance(promised, [], ledger).unfinished.length === 0
    }, 'every accepted message has reached a terminal status')
    const ids = new Set(ledger.map(({ id }) => id))
    const receipts = sink.receipts.filter(({ delivery }) => ids.has(delivery))
    const result = balance(promised, receipts, ledger)
    console.log(
      `${victim}: ${acceptedAtKill} accepted, ${inFlight} in flight at the kill; ${describeBalance(result)}`,
    )
    expect(inFlight).toBeGreaterThanOrEqual(inFlightAtKill)
    expect(acceptedAtKill).toBeLessThan(load)
    expect(isClean(result)).toBe(true)
    expect(ledger.every(({ status }) => status === 'sent')).toBe(true)
  }

  beforeAll(async () => {
    sink = await startWebhookSink()
    if (!path.includes(':')) cluster = await startKafka({ jars: path })
    install = await makeInstall({
      KAFKA_BOOTSTRAP_SERVERS: cluster?.bootstrapServers.join(',') ?? path,
      DATABASE_URL: await emptyTestDatabase(),
    })
    await install.declare(hooksChannel())
  }, 180_000)

  afterAll(async () => {
    await Promise.all(Object.values(running ?? {}).map((role) => role.kill()))
    await sink?.close()
    await cluster?.stop()
    await install?.remove()
  }, 60_000)

  test('a worker that finds nothing waits for it; migrate and apply make it, and a webhook is delivered', async () => {
    const worker = start.worker()
    await until(() => worker.output().includes('carillon migrate makes them'), 'the worker asks for tables')
    const planner = start.planner()
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
  }, 120_000)

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
  }, 120_000)

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
  }, 120_000)

  test.each(['worker', 'api', 'planner'] as const)(
    'kill -9 of the %s in the middle of a load loses nothing',
    (victim) =>
      underLoad(victim, async () => {
        await running[victim].kill()
        running[victim] = start[victim]()
      }),
    180_000,
  )

  test.skipIf(path.includes(':'))(
    'kill -9 of the broker in the middle of a load loses nothing that was accepted',
    () =>
      underLoad('broker', async () => {
        const [node] = cluster!.nodes
        await node!.kill()
        await node!.start()
      }),
    180_000,
  )

  test('SIGTERM drains every process, and it exits with 0', async () => {
    sink.setLatency(() => 500)
    const promised = await Promise.all(Array.from({ length: 20 }, (_, index) => send(`drain-${index}`)))
    await until(() => sink.inFlight() > 0, 'some are in flight')
    expect(await running.worker.stop()).toBe(0)
    const ledger = await ledgerOf(promised)
    expect(ledger.filter(({ status }) => status === 'sending')).toEqual([])
    expect(await running.planner.stop()).toBe(0)
    expect(await running.api.stop()).toBe(0)
  }, 60_000)
})
