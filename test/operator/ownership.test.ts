import { beforeAll, describe, expect, it } from 'vitest'
import { pino } from 'pino'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import { Ownership } from '../../core/ownership/ownership.ts'
import { readInstall } from '../../operator/release/install.ts'
import { until } from '../harness/balance/load.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import type { RoleProcess } from '../harness/process/role.ts'

interface Change {
  topic?: string
  tiers?: string
  namespace?: string
}

const channel = (name: string, { topic = '{}', tiers = '30s', namespace = 'shop' }: Change = {}) => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: ${namespace}}
spec: {type: email, providers: [{name: a, type: sandbox}], delivery: {retryTiers: [${tiers}]}, topic: ${topic}}
---
`
const logger = pino({ level: 'silent' })
const retention = { 'retention.ms': '3600000' }

describeOperatorCluster((cluster) => {
  let operator: RoleProcess
  let catalog: OpenCatalog
  let ownership: Ownership

  beforeAll(async () => {
    operator = cluster.startOperator()
    await operator.ready()
    catalog = await cluster.openCatalog()
    const { broker, prefix } = cluster
    const install = await readInstall(cluster.api, releaseNamespace)
    ownership = await Ownership.open({ broker, prefix, install, logger, beforeWrite: () => {} })
  }, 120_000)

  const kubectl = (...args: string[]) => cluster.control.run(args)
  /** A topic of another application. */
  const makeTopic = (name: string) =>
    cluster.broker.admin.createTopics([{ name, partitions: 1, replicas: 1, config: retention }])
  const topicsBelow = async (name: string) => (await cluster.broker.admin.listTopics(name)).toSorted()
  const remove = async (name: string) => {
    await kubectl('delete', 'nch', name, '-n', 'shop')
    await until(() => catalog.channel('shop', name) === undefined, `the catalog forgets ${name}`)
  }
  const marksOf = (name: string) =>
    [...ownership.marks].filter(([, { channel }]) => channel === `shop/${name}`).map(([topic]) => topic)

  describe('a topic of another application', () => {
    it.each(['orders', '%p.shop.met'])(
      'is left alone: %s',
      async (text) => {
        const topic = text.replace('%p', cluster.prefix)
        const name = topic.split('.').at(-1)!
        await makeTopic(topic)
        await cluster.apply(channel(name, { topic: text === topic ? `{name: ${topic}}` : '{}' }))
        const told = await cluster.condition(`nch/${name}`, 'TopicsReady', 'False', {
          reason: 'TopicNotOwned',
        })
        expect(told.message).toContain(`topic ${topic} is there already, and this install did not make it`)
        expect(told.message).toContain('carillon.dev/adopt-topics=true')
        await cluster.condition(`nch/${name}`, 'Ready', 'False', {
          reason: 'TopicNotOwned',
        })
        expect(await cluster.broker.admin.describeTopics([topic])).toMatchObject([
          { partitions: 1, config: retention },
        ])
        expect(await topicsBelow(topic)).toEqual([topic])
        expect(marksOf(name)).toEqual([])
        expect(catalog.channel('shop', name)).toBeUndefined()
      },
      120_000,
    )

    it('stays when the channel goes that wanted it', async () => {
      await cluster.apply(channel('orders', { topic: '{name: orders, deletionPolicy: Delete}' }))
      await kubectl('delete', 'nch', 'orders', '-n', 'shop')
      await cluster.apply(channel('after-orders'))
      await cluster.condition('nch/after-orders', 'Ready', 'True')
      expect(await topicsBelow('orders')).toEqual(['orders'])
    }, 120_000)

    it('is configured once it is adopted, and never deleted', async () => {
      await makeTopic('adopted')
      await cluster.apply(channel('adopted', { topic: '{name: adopted, deletionPolicy: Delete}' }))
      await cluster.condition('nch/adopted', 'TopicsReady', 'False')
      await kubectl('annotate', 'nch', 'adopted', '-n', 'shop', 'carillon.dev/adopt-topics=true')
      await cluster.condition('nch/adopted', 'Ready', 'True')
      expect(await cluster.broker.admin.describeTopics(['adopted'])).toMatchObject([
        { partitions: 3, config: { 'retention.ms': '604800000' } },
      ])
      await remove('adopted')
      // The others were made for the channel.
      expect(await topicsBelow('adopted')).toEqual(['adopted'])
      await until(() => marksOf('adopted').length === 0, 'no topic is known for its own')
      await until(async () => {
        const stdout = await kubectl(
          'get',
          'events',
          '-n',
          'shop',
          '--field-selector',
          'reason=AdoptedTopicsLeft',
        )
        return stdout.includes('adopted topics are not deleted: adopted')
      }, 'an Event tells what stays')
    }, 120_000)
  })

  describe('a topic of its own', () => {
    it('goes with the channel, also that of a tier that was taken out before', async () => {
      const topic = '{name: doomed, deletionPolicy: Delete}'
      await cluster.apply(channel('doomed', { topic, tiers: '30s, 5m' }))
      await cluster.condition('nch/doomed', 'Ready', 'True')
      await cluster.apply(channel('doomed', { topic }))
      await cluster.condition('nch/doomed', 'Ready', 'True')
      expect(await topicsBelow('doomed')).toEqual([
        'doomed',
        'doomed.dlq',
        'doomed.retry.30s',
        'doomed.retry.5m',
      ])
      await remove('doomed')
      expect(await topicsBelow('doomed')).toEqual([])
      await until(() => marksOf('doomed').length === 0, 'no topic is known for its own')
      await cluster.apply(channel('doomed', { topic }))
      await cluster.condition('nch/doomed', 'Ready', 'True')
    }, 120_000)

    it('goes also when its channel was never published, and went while nobody watched', async () => {
      await operator.stop()
      const topic = `${cluster.prefix}.shop.unpublished`
      const mark = { state: 'created', channel: 'shop/unpublished', deletionPolicy: 'Delete' } as const
      await ownership.mark([[topic, mark]], AbortSignal.timeout(30_000))
      await makeTopic(topic)
      operator = cluster.startOperator()
      await until(() => !ownership.marks.has(topic), 'it is forgotten')
      expect(await topicsBelow(topic)).toEqual([])
    }, 120_000)

    it('is still served when it is no longer known for its own, and can be suspended', async () => {
      await cluster.apply(channel('forgotten'))
      await cluster.condition('nch/forgotten', 'Ready', 'True')
      await until(() => marksOf('forgotten').length === 3, 'its topics are known for its own')
      const forgotten = marksOf('forgotten').map((topic): [string, undefined] => [topic, undefined])
      await ownership.mark(forgotten, AbortSignal.timeout(30_000))
      const patch = { spec: { suspend: true, delivery: { retryTiers: ['7s'] } } }
      await kubectl('patch', 'nch', 'forgotten', '-n', 'shop', '--type=merge', '-p', JSON.stringify(patch))
      await cluster.condition('nch/forgotten', 'TopicsReady', 'False', {
        reason: 'TopicNotOwned',
        message: /the spec that was published before serves/,
      })
      const served = () => catalog.channel('shop', 'forgotten')?.resource.spec
      await until(() => served()?.suspend === true, 'what is published is suspended')
      expect(served()).toMatchObject({ delivery: { retryTiers: ['30s'] } })
      await cluster.condition('nch/forgotten', 'WorkersReady', 'True')
      await kubectl('annotate', 'nch', 'forgotten', '-n', 'shop', 'carillon.dev/adopt-topics=true')
      await cluster.condition('nch/forgotten', 'TopicsReady', 'True')
    }, 120_000)

    it('never passes to a channel of another namespace', async () => {
      await cluster.apply(channel('kept', { topic: '{name: kept}' }))
      await cluster.condition('nch/kept', 'Ready', 'True')
      await remove('kept')
      await cluster.apply(channel('thief', { topic: '{name: kept}', namespace: 'default' }))
      await kubectl('annotate', 'nch', 'thief', '-n', 'default', 'carillon.dev/adopt-topics=true')
      await cluster.condition('nch/thief', 'TopicsReady', 'False', {
        namespace: 'default',
        reason: 'TopicNotOwned',
        message: /topic kept was made for NotificationChannel shop\/kept/,
      })
      await kubectl('delete', 'nch', 'thief', '-n', 'default')
    }, 120_000)

    it('comes back with its channel, also when the catalog was lost', async () => {
      for (const name of ['kept', 'given']) {
        const spec = name === 'kept' ? { topic: '{name: kept}' } : {}
        await cluster.apply(channel(name, spec))
        await cluster.condition(`nch/${name}`, 'Ready', 'True')
        await remove(name)
      }
      await operator.stop()
      await catalog.close()
      await cluster.broker.admin.deleteTopics([catalogTopic(cluster.prefix)])
      await cluster.apply(channel('kept', { topic: '{name: kept}' }) + channel('given'))
      operator = cluster.startOperator()
      await operator.ready()
      for (const name of ['kept', 'given']) await cluster.condition(`nch/${name}`, 'Ready', 'True')
      catalog = await cluster.openCatalog()
    }, 180_000)

    it.each(['crash-0', 'crash-1'])(
      'is known when the operator was killed between saying that it makes it and having made it: %s',
      async (name) => {
        const killed = Promise.withResolvers<void>()
        const unsubscribe = ownership.onChange(() => {
          if (marksOf(name).length === 0) return
          unsubscribe()
          cluster.killLeader(operator).then(killed.resolve, killed.reject)
        })
        await cluster.apply(channel(name))
        await killed.promise
        operator = cluster.startOperator()
        await cluster.condition(`nch/${name}`, 'Ready', 'True')
        const created = () =>
          marksOf(name).filter((topic) => ownership.marks.get(topic)?.state === 'created').length
        await until(() => created() === 3, 'its topics are known for made')
        expect(marksOf(name)).toHaveLength(3)
      },
      120_000,
    )

    it("is somebody else's when it was begun, and another has made it meanwhile", async () => {
      await operator.stop()
      const topic = `${cluster.prefix}.shop.begun`
      const as = { partitions: 3, replicas: 1, config: {} }
      const signal = AbortSignal.timeout(30_000)
      const mark = { state: 'creating', channel: 'shop/begun', deletionPolicy: 'Retain', as } as const
      await ownership.mark([[topic, mark]], signal)
      await makeTopic(topic)
      await cluster.apply(channel('begun'))
      operator = cluster.startOperator()
      await operator.ready()
      await cluster.condition('nch/begun', 'TopicsReady', 'False', {
        reason: 'TopicNotOwned',
      })
      // Nobody tells when it goes.
      await cluster.broker.admin.deleteTopics([topic])
      await cluster.condition('nch/begun', 'Ready', 'True')
    }, 180_000)
  })

  describe('another install on the same prefix', () => {
    const start = (more: Record<string, string> = {}) =>
      cluster.startOperator({
        KUBECONFIG: cluster.control.kubeconfig,
        CARILLON_NAMESPACE: 'carillon-other',
        CARILLON_WATCH_NAMESPACES: 'other',
        ...more,
      })
    const saysLine = (process: RoleProcess, line: string) =>
      until(() => process.output().includes(line), `it says: ${line}`)
    const isReady = async (process: RoleProcess) => (await fetch(`${process.health()}/readyz`)).ok

    beforeAll(async () => {
      for (const namespace of ['carillon-other', 'other']) await kubectl('create', 'namespace', namespace)
    })

    it('writes nothing, says why, and is not ready, until it is told to take over; then the first one ends', async () => {
      await cluster.apply(channel('fought-for', { namespace: 'other' }))
      const own = ownership.install!
      expect(own.id).toMatch(/^kubernetes-[0-9a-f-]{36}$/)
      const other = start()
      const line = `the prefix ${cluster.prefix} belongs to another install, the operator in namespace ${releaseNamespace}: set another CARILLON_TOPIC_PREFIX, or take it over with CARILLON_TAKE_OVER_FROM=${own.id}`
      await saysLine(other, line)
      expect(await isReady(other)).toBe(false)
      expect(other.process.exitCode).toBeNull()
      expect(await isReady(operator)).toBe(true)
      expect(ownership.install).toEqual(own)
      await other.stop()

      const { ended } = operator
      const heir = start({ CARILLON_TAKE_OVER_FROM: own.id })
      await heir.ready()
      expect(await ended).toBe(1)
      expect(operator.output()).toContain(
        `the prefix ${cluster.prefix} was taken over by the operator in namespace carillon-other`,
      )
      await cluster.condition('nch/fought-for', 'TopicsReady', 'True', { namespace: 'other' })
      const former = cluster.startOperator()
      await saysLine(former, 'belongs to another install, the operator in namespace carillon-other')
      expect(await isReady(former)).toBe(false)
      await Promise.all([heir.stop(), former.stop()])
    }, 180_000)

    it('does not take for its own what nobody has written down', async () => {
      const prefix = `${cluster.prefix}-old`
      await makeTopic(`${prefix}.events`)
      const settings = { CARILLON_TOPIC_PREFIX: prefix }
      const refused = start(settings)
      await saysLine(
        refused,
        `topic ${prefix}.events is there, and no install is recorded for the prefix ${prefix}: set another CARILLON_TOPIC_PREFIX, or take it over with CARILLON_TAKE_OVER_FROM=unrecorded`,
      )
      expect(await topicsBelow(prefix)).toEqual([`${prefix}.events`])
      await refused.stop()
      const heir = start({ ...settings, CARILLON_TAKE_OVER_FROM: 'unrecorded' })
      await until(
        async () => (await topicsBelow(prefix)).includes(catalogTopic(prefix)),
        'it makes the others',
      )
      await heir.stop()
    }, 180_000)
  })
})
