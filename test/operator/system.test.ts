import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { DeploymentObject } from '../../operator/channel/children/deployment.ts'
import { childName } from '../../operator/channel/names.ts'
import { sendUntilAccepted, until } from '../harness/balance/load.ts'
import { beginOutage } from '../harness/kafka/outage.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { startPod } from '../harness/operator/pod.ts'
import { emptyTestDatabase } from '../harness/postgres/postgres.ts'
import { type RoleProcess, startRole } from '../harness/process/role.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

const hooks = (name: string, scaling: string, namespace = 'shop') => `
apiVersion: v1
kind: Secret
metadata: {name: ${name}, namespace: ${namespace}}
stringData: {secret: "whsec_${randomBytes(32).toString('base64')}"}
---
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  type: webhook
  providers:
  - {name: primary, type: webhook, webhook: {allowedNetworks: [127.0.0.0/8]}, secretRef: {name: ${name}}}
  scaling: ${scaling}
`

/** The whole of it: what is applied to the cluster becomes what delivers a message. Pods only pretend to run, so one is run by hand. */
describeOperatorCluster((cluster) => {
  let sink: WebhookSink
  let folder: string
  let databaseUrl: string
  const roles: RoleProcess[] = []

  beforeAll(async () => {
    databaseUrl = await emptyTestDatabase()
    sink = await startWebhookSink()
    folder = await mkdtemp(join(tmpdir(), 'carillon-system-'))
    await cluster.startOperator({ DATABASE_URL: databaseUrl }).ready()
  }, 120_000)
  afterAll(async () => {
    await Promise.all(roles.map((role) => role.kill()))
    await sink?.close()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  const deploymentOf = async (name: string, namespace = 'shop') =>
    cluster.get<DeploymentObject>('deployment', childName({ namespace, name }), releaseNamespace)
  const replicasOf = async (name: string) => (await deploymentOf(name))?.spec.replicas
  const secretData = async (name: string) => {
    const { data } = (await cluster.get<{ data: Record<string, string> }>('secret', name, releaseNamespace))!
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    )
  }

  it('delivers a send through a worker that is started as its pod says', async () => {
    // The API serves one tenant until it knows who asks.
    await cluster.apply(hooks('hooks', '{}', 'default'))
    await cluster.condition('nch/hooks', 'Ready', 'True', { namespace: 'default' })
    await writeFile(join(folder, 'install.key'), randomBytes(32))
    const env = {
      KAFKA_BOOTSTRAP_SERVERS: cluster.settings['KAFKA_BOOTSTRAP_SERVERS']!,
      DATABASE_URL: databaseUrl,
      CARILLON_TOPIC_PREFIX: cluster.prefix,
      CARILLON_INSTALL_KEY_FILE: join(folder, 'install.key'),
    }
    expect(await startRole(['migrate'], { DATABASE_URL: databaseUrl }).ended).toBe(0)
    const api = startRole(['api', '--listen', '127.0.0.1:0'], env)
    const planner = startRole(['planner'], env)
    const pod = (await deploymentOf('hooks', 'default'))!.spec.template.spec
    const worker = await startPod(pod as Parameters<typeof startPod>[0], folder, secretData)
    roles.push(api, planner, worker)
    await Promise.all([api, planner, worker].map((role) => role.ready()))

    const to = [{ webhook_url: `${sink.url}/hello` }]
    await sendUntilAccepted(() => api.url(), 'hello', { to, content: { text: 'hello' } })
    await until(() => sink.receipts.length === 1, 'the message has arrived')
    await cluster.condition('nch/hooks', 'ProviderHealthy', 'True', {
      namespace: 'default',
      message: 'primary takes messages',
    })
    // Numbers alone are written twice a minute: the last look may have been while the message was under way.
    const columns = () => cluster.control.run(['get', 'nch', 'hooks'])
    await expect
      .poll(columns, { timeout: 90_000, interval: 1_000 })
      .toMatch(
        /NAME +TYPE +PROVIDER +WORKERS +LAG +DEAD +READY +REASON +AGE\nhooks +webhook +primary +1 +0 +0 +True /,
      )
  }, 240_000)

  it('wakes a sleeping channel for what comes, grows with its backlog, and lets it sleep again', async () => {
    await cluster.apply(hooks('sleeper', '{minReplicas: 0, idleAfter: 1s, lagThreshold: 10}'))
    await cluster.condition('nch/sleeper', 'Ready', 'True')
    await until(async () => (await replicasOf('sleeper')) === 0, 'nothing to do: no worker')
    await cluster.condition('nch/sleeper', 'ScalingActive', 'True', {
      reason: 'Idle',
    })
    const topic = `${cluster.prefix}.shop.sleeper`
    const records = Array.from({ length: 300 }, (_, index) => ({
      topic,
      key: String(index),
      value: Buffer.from('x'),
    }))
    await cluster.broker.producer.produce(records)
    await until(async () => (await replicasOf('sleeper')) === 3, 'a worker for each partition', 120_000)
    const rescaled = () => cluster.control.run(['events', '-n', 'shop', '--for', 'nch/sleeper'])
    await until(async () => /Normal +Rescaled .* to 3 workers: /.test(await rescaled()), 'an Event')
    const ends = await cluster.broker.admin.lag([{ group: topic, topics: [topic] }])
    expect(ends.reduce((sum, { lag }) => sum + lag, 0)).toBe(300)

    const consumer = cluster.broker.consumer({
      group: topic,
      topics: [topic],
      handlers: {
        onAssigned: ({ epoch }) => {
          const done = ends.map(({ partition, end }) => ({ topic, partition, offset: end }))
          void consumer.commit(epoch, done)
        },
        onRevoked() {},
        onRecords() {},
        onError() {},
      },
    })
    await consumer.start()
    onTestFinished(() => consumer.stop())
    await until(async () => (await replicasOf('sleeper')) === 0, 'all is delivered: no worker', 240_000)
  }, 420_000)

  it('never takes a Kafka that is away for an empty one', async () => {
    await cluster.apply(hooks('steady', '{minReplicas: 0, idleAfter: 24h}'))
    await cluster.condition('nch/steady', 'ScalingActive', 'True')
    expect(await replicasOf('steady')).toBe(1)
    const endOutage = await beginOutage(cluster.kafka)
    await cluster.condition('nch/steady', 'ScalingActive', 'False', {
      reason: 'LagUnreadable',
    })
    expect(await replicasOf('steady')).toBe(1)
    await endOutage()
    await cluster.condition('nch/steady', 'ScalingActive', 'True')
  }, 240_000)

  it('steps back when somebody else scales', async () => {
    await cluster.apply(hooks('contended', '{}'))
    await cluster.condition('nch/contended', 'Ready', 'True')
    const name = childName({ namespace: 'shop', name: 'contended' })
    await cluster.control.run([
      'autoscale',
      'deployment',
      name,
      '-n',
      releaseNamespace,
      '--max=5',
      '--cpu-percent=50',
    ])
    await cluster.condition('nch/contended', 'ScalingActive', 'False', {
      reason: 'AnotherOwner',
      message: `HorizontalPodAutoscaler ${name} sets the replicas too, so the operator does not: delete it, or set scaling.mode to None`,
    })
  }, 120_000)

  it('has asked for nothing that its roles do not allow', async () => {
    expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
  })
})
