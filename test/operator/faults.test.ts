import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readFile, writeFile } from 'node:fs/promises'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { keyOf, publishedRecord, revisionOf } from '../../core/catalog/records.ts'
import { sleep, systemClock as clock } from '../../core/clock.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import type { DeploymentObject } from '../../operator/channel/children/deployment.ts'
import { childName } from '../../operator/channel/names.ts'
import type { ChannelObject } from '../../operator/channel/status.ts'
import { channels, deployments } from '../../operator/kinds.ts'
import { leaseName } from '../../operator/release/names.ts'
import { leases } from '../../operator/runtime/leader.ts'
import { until } from '../harness/balance/load.ts'
import { beginOutage } from '../harness/kafka/outage.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { startTcpProxy } from '../harness/tcp-proxy.ts'

const range = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}-${index}`)
const manifests = (names: readonly string[]) => names.map((name) => sandboxChannel(name)).join('')

/** What an operator must come through. Those that end are started again, as a Deployment would. */
describeOperatorCluster((cluster) => {
  let catalog: OpenCatalog
  let closing = false
  const replicas = new Set<RoleProcess>()

  beforeAll(async () => {
    for (let count = 0; count < 2; count++) keepOneMore()
    catalog = await cluster.openCatalog()
  }, 120_000)
  afterAll(() => {
    closing = true
  })

  function keepOneMore(): void {
    const replica = cluster.startOperator()
    replicas.add(replica)
    void replica.ended.then(() => {
      replicas.delete(replica)
      if (!closing) keepOneMore()
    })
  }
  const leads = (replica: RoleProcess) => replica.output().includes('"Leads"')
  const leader = async () => {
    await until(() => [...replicas].some(leads), 'somebody leads')
    return [...replicas].find(leads)!
  }
  const deploymentOf = (name: string) =>
    cluster.get<DeploymentObject>('deployment', childName({ namespace: 'shop', name }), releaseNamespace)
  const allReady = async (names: readonly string[]) => {
    for (const name of names) await cluster.condition(`nch/${name}`, 'Ready', 'True')
    await until(() => names.every((name) => catalog.channel('shop', name)), 'the catalog knows them')
  }
  const remove = async (names: readonly string[]) => {
    await cluster.control.kubectl(['delete', 'nch', ...names, '-n', 'shop', '--wait=false'])
    await until(
      () => names.every((name) => catalog.channel('shop', name) === undefined),
      'the catalog forgets them',
    )
    for (const name of names)
      await until(async () => (await deploymentOf(name)) === undefined, `no workers of ${name}`)
  }

  it('is killed while it makes many channels', async () => {
    const names = range('many', 12)
    const first = await leader()
    await cluster.apply(manifests(names))
    await until(() => names.some((name) => catalog.channel('shop', name) !== undefined), 'it has begun')
    await first.kill()
    await allReady(names)
    await remove(names)
  }, 120_000)

  it('is frozen for longer than its lease while another one leads', async () => {
    await cluster.apply(sandboxChannel('thawed', 'suspend: true'))
    await cluster.condition('nch/thawed', 'Ready', 'True')
    const old = catalog.channel('shop', 'thawed')!
    const frozen = await leader()
    frozen.process.kill('SIGSTOP')
    onTestFinished(() => void frozen.process.kill('SIGCONT'))
    await cluster.apply(sandboxChannel('thawed', 'suspend: false'))
    await until(() => catalog.channel('shop', 'thawed')?.resource.spec.suspend === false, 'another one leads')
    const current = catalog.channel('shop', 'thawed')!.revision

    const ended = frozen.ended
    frozen.process.kill('SIGCONT')
    expect(await ended).toBe(1)
    expect(frozen.output()).toContain('the lease could not be renewed in time')
    expect([...replicas].filter(leads)).toHaveLength(1)
    expect(catalog.channel('shop', 'thawed')?.revision).toBe(current)

    // What it may have had on its way to Kafka when it froze.
    const stale = {
      source: 'kubernetes',
      revision: revisionOf(old.resource),
      resource: old.resource,
    } as const
    let wasStale = false
    const unsubscribe = catalog.onChange(
      () => (wasStale ||= catalog.channel('shop', 'thawed')?.revision === stale.revision),
    )
    onTestFinished(() => unsubscribe())
    await cluster.broker.producer.produce([
      publishedRecord(catalogTopic(cluster.prefix), keyOf(old.resource), stale),
    ])
    await until(
      () => wasStale && catalog.channel('shop', 'thawed')?.revision === current,
      'the stale write is repaired',
    )
  }, 120_000)

  it('stands before an etcd that hangs', async () => {
    cluster.control.etcd.hang()
    onTestFinished(() => cluster.control.etcd.wake())
    const last = await leader()
    // Nobody can renew: whoever leads must end before the lease does.
    await last.ended
    cluster.control.etcd.wake()
    await until(async () => {
      const { code } = await cluster.control.kubectl(['apply', '-f', '-'], sandboxChannel('after-etcd'))
      return code === 0
    }, 'the API server takes writes again')
    await allReady(['after-etcd'])
  }, 120_000)

  it('makes and removes channels while Kafka is away', async () => {
    const endOutage = await beginOutage(cluster.kafka)
    await cluster.apply(sandboxChannel('without-kafka'))
    await cluster.condition('nch/without-kafka', 'TopicsReady', 'Unknown', {
      reason: 'KafkaUnavailable',
    })
    await cluster.condition('nch/without-kafka', 'Ready', 'Unknown', {
      reason: 'KafkaUnavailable',
    })
    await cluster.control.kubectl(['delete', 'nch', 'after-etcd', '-n', 'shop'])
    await until(async () => (await deploymentOf('after-etcd')) === undefined, 'the workers go all the same')
    await endOutage()
    await cluster.condition('nch/without-kafka', 'Ready', 'True')
    await until(() => catalog.channel('shop', 'without-kafka') !== undefined, 'it is in the catalog')
    await until(() => catalog.channel('shop', 'after-etcd') === undefined, 'the other is forgotten')
  }, 180_000)

  it('is up against somebody who writes the same objects all the time', async () => {
    await cluster.apply(sandboxChannel('contended'))
    await allReady(['contended'])
    const target = { namespace: 'shop', name: 'contended' }
    const deployment = { namespace: releaseNamespace, name: childName(target) }
    const lie = { observedGeneration: 0, revision: 'none', conditions: [] }
    const image = { spec: { template: { spec: { containers: [{ name: 'worker', image: 'evil' }] } } } }
    const begun = Date.now()
    for (let count = 0; count < 10 || Date.now() < begun + 5_000; count++) {
      await cluster.api.merge(
        channels,
        { ...target, subresource: 'status' },
        { status: lie },
        { fieldManager: 'somebody' },
      )
      await cluster.api.merge(deployments, deployment, image, { fieldManager: 'somebody' })
    }
    await until(async () => {
      const { status } = (await cluster.get<ChannelObject>('nch', 'contended'))!
      const made = await deploymentOf('contended')
      return (
        status?.revision === catalog.channel('shop', 'contended')?.revision &&
        status?.conditions?.length === 8 &&
        made?.spec.template.spec?.containers[0]?.image === 'carillon:test'
      )
    }, 'both say again what they should')
  }, 120_000)

  it('has its API server restarted in the middle of its work', async () => {
    const names = range('restart', 8)
    await cluster.apply(manifests(names))
    await cluster.control.apiServer.kill()
    await cluster.control.apiServer.start()
    await allReady(names)
    await remove(names)
  }, 120_000)

  describe('behind a connection that breaks again and again', () => {
    it('goes on as if nothing were', async () => {
      const config = await readFile(cluster.settings['KUBECONFIG']!, 'utf8')
      const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(config)![1])
      const proxy = await startTcpProxy({ port })
      const path = `${cluster.settings['KUBECONFIG']!}.proxied`
      await writeFile(path, config.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${proxy.port}`), {
        mode: 0o600,
      })
      closing = true
      await Promise.all([...replicas].map((replica) => replica.stop()))
      const ending = new AbortController()
      const operators: RoleProcess[] = []
      // Again and again: a slow machine may lose its lease between two cuts.
      const supervise = async () => {
        while (!ending.signal.aborted) {
          operators.push(cluster.startOperator({ KUBECONFIG: path }))
          await operators.at(-1)!.ended
        }
      }
      const running = [supervise()]
      onTestFinished(async () => {
        ending.abort()
        await operators.at(-1)!.kill()
        await Promise.all(running)
        await proxy.close()
      })
      await until(() => operators.some(leads), 'it leads')
      const cuts = { count: 0 }
      const lease = { namespace: releaseNamespace, name: leaseName }
      const version = async () => (await cluster.api.get(leases, lease)).metadata.resourceVersion
      // Not before the lease was renewed, and a second more: on a slow machine it must not be lost for that.
      const keepCutting = async () => {
        while (!ending.signal.aborted) {
          const before = await version()
          await until(async () => ending.signal.aborted || (await version()) !== before, 'it is renewed')
          await sleep(clock, 1_000, ending.signal)
          cuts.count += proxy.reset()
        }
      }
      running.push(keepCutting())
      for (const round of range('cut', 4)) {
        const before = cuts.count
        await cluster.apply(sandboxChannel(round))
        await allReady([round])
        await until(() => cuts.count > before, 'a connection has broken meanwhile')
      }
      await remove(range('cut', 4))
      for (const former of operators.slice(0, -1))
        expect(former.output()).toContain('the lease could not be renewed in time')
    }, 180_000)
  })
})
