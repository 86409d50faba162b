import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { childName } from '../../operator/channel/names.ts'
import { platformSecretName } from '../../operator/release/names.ts'
import { until } from '../harness/balance/load.ts'
import { beginOutage } from '../harness/kafka/outage.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { type RoleProcess, startRole } from '../harness/process/role.ts'

interface Deployment {
  metadata: { uid: string; labels: Record<string, string> }
  spec: {
    replicas: number
    template: {
      metadata: { annotations: Record<string, string> }
      spec: { containers: { image: string; args: string[] }[]; nodeSelector?: Record<string, string> }
    }
  }
}

interface Change {
  spec?: string
  topic?: string
  name?: string
  namespace?: string
}

const channel = ({ spec = '', topic = '{}', name = 'email', namespace = 'shop' }: Change = {}) => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  type: email
  providers:
  - {name: primary, type: smtp, smtp: {host: smtp.example.com, from: "shop@example.com"}, secretRef: {name: smtp}}
  delivery: {retryTiers: [30s]}
  topic: ${topic}
  ${spec}
`
const secret = (password: string, namespace = 'shop') => `
apiVersion: v1
kind: Secret
metadata: {name: smtp, namespace: ${namespace}}
stringData: {username: shop, password: ${password}}
`

/** The operator as a process, on a real control plane and a real Kafka. */
describeOperatorCluster((cluster) => {
  let operator: RoleProcess
  let catalog: OpenCatalog

  beforeAll(async () => {
    operator = cluster.startOperator()
    await operator.ready()
    catalog = await cluster.openCatalog()
  }, 120_000)

  const kubectl = (...args: string[]) => cluster.control.run(args)
  const deploymentOf = (name: string, namespace = 'shop') =>
    cluster.get<Deployment>('deployment', childName({ namespace, name }), releaseNamespace)
  const topicsOf = async (...names: string[]) =>
    (await cluster.broker.admin.describeTopics(names)).map(({ name }) => name)

  /** An Event of the channel tells it. */
  const isTold = (reason: string, note: string, name = 'email') =>
    until(async () => {
      const ofChannel = `reason=${reason},involvedObject.kind=NotificationChannel,involvedObject.name=${name}`
      const stdout = await kubectl('get', 'events', '-n', 'shop', '-o', 'json', '--field-selector', ofChannel)
      const { items } = JSON.parse(stdout) as { items: { message: string }[] }
      return items.some(({ message }) => message.includes(note))
    }, `an Event ${reason} tells: ${note}`)

  it('tells what it would do, and does nothing', async () => {
    await cluster.apply(channel({ namespace: 'default' }))
    await cluster.condition('nch/email', 'CredentialsReady', 'False', { namespace: 'default' })
    await operator.stop()
    onTestFinished(async () => {
      operator = cluster.startOperator()
      await operator.ready()
    })
    await cluster.apply(secret('first', 'default'))
    await cluster.apply(channel({ name: 'planned', namespace: 'default' }))
    await cluster.apply(
      channel({ name: 'planned-badly', namespace: 'default', topic: `{name: ${cluster.prefix}.x}` }),
    )
    const dry = startRole(['operator', '--dry-run'], cluster.settings)
    expect(await dry.ended).toBe(0)
    const name = childName({ namespace: 'default', name: 'planned' })
    const topic = `${cluster.prefix}.default.planned`
    const lines = dry.output().split('\n')
    expect(lines.filter((line) => line.includes('planned'))).toEqual([
      `Deployment ${releaseNamespace}/${name} created (dry run)`,
      `NotificationChannel default/planned published (dry run)`,
      expect.stringMatching(/^NotificationChannel default\/planned-badly Accepted=False TopicConflict: /),
      `PodDisruptionBudget ${releaseNamespace}/${name} created (dry run)`,
      `Secret ${releaseNamespace}/${name} created (dry run)`,
      `Topic ${topic} created (dry run)`,
      `Topic ${topic}.dlq created (dry run)`,
      `Topic ${topic}.retry.30s created (dry run)`,
    ])
    expect(dry.output()).not.toContain('first')
    expect(await topicsOf(topic)).toEqual([])
    expect(await deploymentOf('planned', 'default')).toBeUndefined()
    const { status } = (await cluster.get<{ status?: object }>('nch', 'planned', 'default'))!
    expect(status).toBeUndefined()
    await kubectl('delete', 'secret', 'smtp', '-n', 'default')
    await kubectl('delete', 'nch', '--all', '-n', 'default')
  }, 120_000)

  it('makes topics, catalog record and workers of a channel, and says so', async () => {
    await cluster.apply(secret('first') + '---' + channel())
    await cluster.condition('nch/email', 'Ready', 'True')
    expect(
      await topicsOf(
        `${cluster.prefix}.shop.email`,
        `${cluster.prefix}.shop.email.retry.30s`,
        `${cluster.prefix}.shop.email.dlq`,
      ),
    ).toHaveLength(3)
    await until(() => catalog.channel('shop', 'email') !== undefined, 'the channel is in the catalog')
    const deployment = await deploymentOf('email')
    expect(deployment?.spec.template.spec.containers).toMatchObject([
      { image: 'carillon:test', args: ['worker', '--channel', 'shop/email'] },
    ])
    expect(await kubectl('get', 'nch', '-n', 'shop')).toMatch(
      /NAME +TYPE +PROVIDER +WORKERS +LAG +DEAD +READY +REASON +AGE\nemail +email .* True /,
    )
  }, 120_000)

  it('tells what is missing, and goes on with the last credentials when they are taken away', async () => {
    await cluster.apply(
      channel({ name: 'early', namespace: 'shop' }).replace(
        'secretRef: {name: smtp}',
        'secretRef: {name: later}',
      ),
    )
    await cluster.condition('nch/early', 'CredentialsReady', 'False', {
      reason: 'SecretNotFound',
      message: 'provider primary: there is no Secret shop/later: no worker can start without it',
    })
    await cluster.condition('nch/early', 'Ready', 'False', {
      reason: 'SecretNotFound',
    })
    expect(await deploymentOf('early')).toBeUndefined()
    await cluster.apply(secret('late').replace('name: smtp', 'name: later'))
    await cluster.condition('nch/early', 'Ready', 'True')
    await kubectl('delete', 'secret', 'later', '-n', 'shop')
    await cluster.condition('nch/early', 'CredentialsReady', 'False', {
      message: /: the workers go on with the copy that they were given before$/,
    })
    expect(await deploymentOf('early')).toBeDefined()
    const copy = await cluster.get<{ data: object }>(
      'secret',
      childName({ namespace: 'shop', name: 'early' }),
      releaseNamespace,
    )
    expect(Object.keys(copy?.data ?? {})).toEqual(['later__password', 'later__username'])
  }, 120_000)

  it('follows a Secret that is rotated', async () => {
    const version = async () =>
      (await deploymentOf('email'))?.spec.template.metadata.annotations['carillon.dev/credentials-version']
    const before = await version()
    await cluster.apply(secret('second'))
    await until(async () => (await version()) !== before, 'new workers read the new password')
    const copy = await cluster.get<{ data: Record<string, string> }>(
      'secret',
      childName({ namespace: 'shop', name: 'email' }),
      releaseNamespace,
    )
    expect(Buffer.from(copy!.data['smtp__password']!, 'base64').toString()).toBe('second')
  }, 120_000)

  it('rolls no workers for a Secret that was only written again', async () => {
    const annotations = async () => (await deploymentOf('email'))?.spec.template.metadata.annotations
    const before = await annotations()
    expect(before).toHaveProperty(['carillon.dev/credentials-version'])
    const copy = childName({ namespace: 'shop', name: 'email' })
    const uid = async () => (await cluster.get<Deployment>('secret', copy, releaseNamespace))?.metadata.uid
    const old = await uid()
    for (const name of [copy, platformSecretName])
      await kubectl('label', 'secret', name, '-n', releaseNamespace, 'restored=yes')
    await kubectl('delete', 'secret', copy, '-n', releaseNamespace, '--wait=false')
    await until(async () => ![undefined, old].includes(await uid()), 'there is another copy')
    await operator.stop()
    operator = cluster.startOperator()
    await cluster.apply(channel().replace('[30s]', '[30s, 1m]'))
    await cluster.condition('nch/email', 'Ready', 'True')
    expect(await annotations()).toEqual(before)
  }, 120_000)

  it('repairs what is edited or deleted by hand, but leaves the number of replicas to the autoscaler', async () => {
    const name = childName({ namespace: 'shop', name: 'email' })
    await kubectl('scale', 'deployment', name, '-n', releaseNamespace, '--replicas=2')
    await kubectl('set', 'image', `deployment/${name}`, 'worker=evil:1', '-n', releaseNamespace)
    await until(
      async () => (await deploymentOf('email'))?.spec.template.spec.containers[0]?.image === 'carillon:test',
      'the image is ours again',
    )
    expect((await deploymentOf('email'))?.spec.replicas).toBe(2)
    const put = 'put back spec.template.spec.containers[worker].image, which kubectl-set had changed'
    await isTold('DriftCorrected', `Deployment ${releaseNamespace}/${name}: ${put}`)
    await until(async () => {
      const stdout = await kubectl('describe', 'deployment', name, '-n', releaseNamespace)
      return stdout.includes(`${put}: edit NotificationChannel shop/email instead`)
    }, 'whoever changed the Deployment sees why it is no longer so')
    const uidOf = async (kind: string) =>
      (await cluster.get<Deployment>(kind, name, releaseNamespace))?.metadata.uid
    const isReplaced = async (kind: string, uid: string | undefined) => {
      const now = await uidOf(kind)
      return now !== undefined && now !== uid
    }
    for (const kind of ['deployment', 'secret', 'poddisruptionbudget']) {
      const uid = await uidOf(kind)
      await kubectl('delete', kind, name, '-n', releaseNamespace, '--wait=false')
      await until(() => isReplaced(kind, uid), `a new ${kind}`)
    }
    await isTold(
      'DriftCorrected',
      `Deployment ${releaseNamespace}/${name}: it was deleted, and has been made again`,
    )
  }, 120_000)

  it('takes away again what a channel no longer asks of its pods', async () => {
    const selector = async () => (await deploymentOf('email'))?.spec.template.spec.nodeSelector
    await cluster.apply(
      channel({
        spec: 'workers: {nodeSelector: {disk: ssd}, tolerations: [{operator: Exists}], priorityClassName: system-node-critical}',
      }),
    )
    await until(async () => (await selector())?.['disk'] === 'ssd', 'the pods ask for a disk')
    await cluster.apply(channel())
    await until(async () => (await selector()) === undefined, 'the pods ask for nothing')
    const pod = (await deploymentOf('email'))?.spec.template.spec
    expect(pod).not.toHaveProperty('tolerations')
    expect(pod).not.toHaveProperty('priorityClassName')
  }, 120_000)

  it('puts topic settings right that drifted, at its next look', async () => {
    const topic = `${cluster.prefix}.shop.email`
    await cluster.broker.admin.alterConfig(topic, { 'retention.ms': '3600000' })
    await cluster.apply(channel({ topic: '{partitions: 5}' }))
    await until(async () => {
      const [found] = await cluster.broker.admin.describeTopics([topic])
      return found?.partitions === 5 && found.config['retention.ms'] === '604800000'
    }, 'the topic has grown and keeps messages for a week')
  }, 120_000)

  it('makes a topic again that somebody deleted, without waiting for its next look, and says so', async () => {
    // Of this one nothing has changed for a while: there is no other reason to look at it.
    const topic = `${cluster.prefix}.shop.early`
    await cluster.broker.admin.deleteTopics([topic])
    await until(async () => (await topicsOf(topic)).length === 1, 'there is a topic again', 90_000)
    await isTold(
      'TopicRecreated',
      `gone from Kafka, and made again: ${topic}; what was on it is lost`,
      'early',
    )
    await cluster.condition('nch/early', 'TopicsReady', 'True')
  }, 240_000)

  it('refuses fewer partitions than there are, also when nobody remembers how many there were', async () => {
    await kubectl('delete', 'nch', 'email', '-n', 'shop')
    await until(() => catalog.channel('shop', 'email') === undefined, 'the channel is gone from the catalog')
    await until(async () => (await deploymentOf('email')) === undefined, 'so are its workers')
    await cluster.apply(channel({ topic: '{partitions: 3}' }))
    await cluster.condition('nch/email', 'TopicsReady', 'False', {
      reason: 'NotSupported',
      message: `topic ${cluster.prefix}.shop.email has 5 partitions and cannot shrink to 3: set topic.partitions to 5`,
    })
    await cluster.apply(channel({ topic: '{partitions: 5}' }))
    await cluster.condition('nch/email', 'Ready', 'True')
  }, 120_000)

  it('gives a topic to the older of two channels, and to the other when that is gone', async () => {
    await cluster.apply(channel({ name: 'older', topic: '{name: shared}' }))
    await cluster.condition('nch/older', 'Ready', 'True')
    // Kubernetes tells ages in whole seconds.
    const born = (await cluster.get<{ metadata: { creationTimestamp: string } }>('nch', 'older'))!.metadata
    await until(() => Date.now() > Date.parse(born.creationTimestamp) + 1_000, 'a second has gone by')
    await cluster.apply(channel({ name: 'newer', topic: '{name: shared}' }))
    await cluster.condition('nch/newer', 'Accepted', 'False', {
      reason: 'TopicConflict',
      message:
        'topic shared belongs to NotificationChannel shop/older: make this channel anew with another topic.name',
    })
    expect(catalog.channel('shop', 'newer')).toBeUndefined()
    await kubectl('delete', 'nch', 'older', '-n', 'shop')
    await cluster.condition('nch/newer', 'Ready', 'True')
  }, 120_000)

  it('keeps topics, or deletes them, as the channel says', async () => {
    await cluster.apply(channel({ name: 'kept', topic: '{name: kept}' }))
    await cluster.apply(channel({ name: 'doomed', topic: '{name: doomed, deletionPolicy: Delete}' }))
    for (const name of ['kept', 'doomed']) await cluster.condition(`nch/${name}`, 'Ready', 'True')
    await kubectl('delete', 'nch', 'kept', 'doomed', '-n', 'shop')
    await until(async () => (await topicsOf('doomed', 'doomed.dlq')).length === 0, 'the topics are deleted')
    await until(() => catalog.channel('shop', 'kept') === undefined, 'the other channel is gone too')
    expect(await topicsOf('kept', 'kept.dlq')).toEqual(['kept', 'kept.dlq'])
  }, 120_000)

  // Before the API server is restarted: one that has just started refuses what it has not read the roles of.
  it('has asked for nothing that its roles do not allow', async () => {
    expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
  })

  describe('faults', () => {
    it('takes up what happened while it was dead', async () => {
      await cluster.apply(channel({ name: 'before-death' }))
      await cluster.condition('nch/before-death', 'Ready', 'True')
      await cluster.killLeader(operator)
      await kubectl('delete', 'nch', 'before-death', '-n', 'shop')
      await cluster.apply(channel({ name: 'after-death' }))
      operator = cluster.startOperator()
      await cluster.condition('nch/after-death', 'Ready', 'True')
      await until(() => catalog.channel('shop', 'before-death') === undefined, 'what was deleted is gone')
      await until(async () => (await deploymentOf('before-death')) === undefined, 'its workers too')
    }, 180_000)

    /** As a kubelet does: a machine may be too slow to bring the API server back before the lease has run out. */
    const superviseOperator = async (): Promise<void> => {
      while ((await operator.ended) === 1) operator = cluster.startOperator()
    }

    it('goes on after the API server was away', async () => {
      void superviseOperator()
      await cluster.control.apiServer.kill()
      await cluster.control.apiServer.start()
      await cluster.apply(channel({ name: 'after-restart' }))
      await cluster.condition('nch/after-restart', 'Ready', 'True')
    }, 180_000)

    it('lets a namespace go while Kafka is away, and cleans up when it is back', async () => {
      await kubectl('create', 'namespace', 'short-lived')
      await cluster.apply(secret('x', 'short-lived') + '---' + channel({ namespace: 'short-lived' }))
      await until(
        () => catalog.channel('short-lived', 'email') !== undefined,
        'the channel is in the catalog',
      )
      const endOutage = await beginOutage(cluster.kafka)
      await kubectl('delete', 'namespace', 'short-lived', '--timeout=120s')
      await endOutage()
      await until(
        () => catalog.channel('short-lived', 'email') === undefined,
        'the catalog forgets the channel',
      )
      await until(
        async () => (await deploymentOf('email', 'short-lived')) === undefined,
        'the workers are gone',
      )
    }, 240_000)
  })
})
