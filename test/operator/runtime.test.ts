import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { pino } from 'pino'
import { systemClock as clock } from '../../core/clock.ts'
import { deployments } from '../../operator/kinds.ts'
import type { Api } from '../../operator/runtime/api/api.ts'
import { isConflict, isNotFound, isRefused } from '../../operator/runtime/api/api-error.ts'
import type { KubernetesObject, ResourceKind } from '../../operator/runtime/api/resource-kind.ts'
import { isApplied } from '../../operator/runtime/applied.ts'
import { Cache } from '../../operator/runtime/watch/cache.ts'
import { Leader } from '../../operator/runtime/leader.ts'
import { Reflector } from '../../operator/runtime/watch/reflector.ts'
import { describeApiServer } from '../harness/operator/describe-cluster.ts'

const logger = pino({ level: 'silent' })
const configMaps: ResourceKind = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
}
const secrets: ResourceKind = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }

interface ConfigMap extends KubernetesObject {
  data?: Record<string, string>
}

describeApiServer((cluster) => {
  let api: Api

  beforeAll(() => {
    api = cluster.api
  })

  const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data,
  })

  describe('the API client', () => {
    it('applies its own fields and leaves those of others alone', async () => {
      await api.apply(configMaps, configMap('shared', { ours: '1', gone: '1' }), { fieldManager: 'one' })
      await api.apply(configMaps, configMap('shared', { theirs: '2' }), { fieldManager: 'two' })
      await api.apply(configMaps, configMap('shared', { ours: '3' }), { fieldManager: 'one' })
      const { data } = await api.get<ConfigMap>(configMaps, { namespace: 'default', name: 'shared' })
      expect(data).toEqual({ ours: '3', theirs: '2' })
    })

    it('tells the ways in which the server refuses apart', async () => {
      const name = { namespace: 'default', name: 'absent' }
      await expect(api.get(configMaps, name)).rejects.toSatisfy(isNotFound)
      const created = await api.create(configMaps, configMap('twice', {}))
      await expect(api.create(configMaps, configMap('twice', {}))).rejects.toSatisfy(isConflict)
      await api.replace(configMaps, { ...created, data: { a: '1' } })
      await expect(api.replace(configMaps, created)).rejects.toSatisfy(isConflict)
      await expect(api.create(configMaps, configMap('Not A Name', {}))).rejects.toSatisfy(isRefused)
    })

    it('lists a collection larger than a page', async () => {
      const names = Array.from({ length: 620 }, (_, index) => `many-${index}`)
      await Promise.all(
        names.map((name) =>
          api.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' } }),
        ),
      )
      const { items } = await api.list(secrets, { namespace: 'default', metadataOnly: true })
      expect(items).toHaveLength(names.length)
    }, 180_000)

    it('lists nothing where there is nothing, also of metadata alone', async () => {
      for (const metadataOnly of [true, false])
        expect((await api.list(secrets, { namespace: 'empty', metadataOnly })).items).toEqual([])
    })

    it('deletes the object that was meant, and not a later one of its name', async () => {
      const name = { namespace: 'default', name: 'reborn' }
      const { metadata } = await api.create(configMaps, configMap('reborn', {}))
      await api.delete(configMaps, name, metadata.uid)
      await api.create(configMaps, configMap('reborn', {}))
      await expect(api.delete(configMaps, name, metadata.uid)).rejects.toSatisfy(isConflict)
    })
  })

  it('knows quantities again, however the server stores them', async () => {
    const quantities = [
      '0 0.0 1 01 +1 .5 5. 0.1 1.5 2.50 100m 1000m 1500m 1u 999n 0.0000000001 1.0000000001 1.500 1.500k',
      '1e3 1E3 12e2 1e-3 15e-1 1e9 0.1e1 1e0 1E 2P 1k 1000k 1M 1024M 1.5G 3T 134217728 1048576',
      '1024Mi 1.5Gi 0.5Gi 1000Mi 1025Ki 1024Ki 512Ki 0.5Ki 1Ki 1.5Ki 0.1Gi 0.0001Ki 2Ti 1Pi 1Ei',
    ].flatMap((line) => line.split(' '))
    const containers = quantities.map((memory, index) => ({
      name: `c${index}`,
      image: 'none',
      resources: { requests: { memory } },
    }))
    const labels = { app: 'measured' }
    const template = { metadata: { labels }, spec: { containers } }
    const deployment = {
      apiVersion: deployments.apiVersion,
      kind: deployments.kind,
      metadata: { name: 'measured', namespace: 'default' },
      spec: { selector: { matchLabels: labels }, template },
    }
    const stored = await api.apply<typeof deployment>(deployments, deployment, {
      fieldManager: 'one',
      dryRun: true,
    })
    const ofOne = (of: typeof deployment, index: number) => of.spec.template.spec.containers[index]!
    expect(
      quantities.filter((_, index) => !isApplied(ofOne(stored, index), ofOne(deployment, index))),
    ).toEqual([])
  })

  describe('the reflector', () => {
    function reflect() {
      const cache = new Cache<ConfigMap>()
      const reflector = new Reflector({ api, kind: configMaps, namespace: 'default', cache, clock, logger })
      reflector.start()
      onTestFinished(() => reflector.stop())
      return { cache, reflector }
    }

    it('follows a collection through the end of its server, of the watch, and of what it knew', async () => {
      const { cache, reflector } = reflect()
      await reflector.synced
      const data = (name: string) => cache.get({ namespace: 'default', name })?.data
      await api.apply(configMaps, configMap('followed', { at: '1' }), { fieldManager: 'test' })
      await api.create(configMaps, configMap('doomed', {}))
      await expect.poll(() => data('followed'), { timeout: 60_000 }).toEqual({ at: '1' })
      await cluster.apiServer.kill()
      await cluster.apiServer.start()
      await api.delete(configMaps, { namespace: 'default', name: 'doomed' })
      await api.apply(configMaps, configMap('followed', { at: '2' }), { fieldManager: 'test' })
      await expect.poll(() => data('followed'), { timeout: 60_000 }).toEqual({ at: '2' })
      await expect.poll(() => data('doomed'), { timeout: 60_000 }).toBeUndefined()
    }, 180_000)
  })

  describe('the leader election', () => {
    /** @param renewDeadline shorter where the end of it is waited for; longer where a slow machine must not lose the lease */
    function contend(lease: string, identity: string, renewDeadline: number): Leader {
      const leader = new Leader({
        api,
        lease: { namespace: 'default', name: lease },
        identity,
        clock,
        logger,
        leaseDuration: renewDeadline * 1.5,
        renewDeadline,
        retryPeriod: 200,
      })
      leader.start()
      onTestFinished(() => leader.stop())
      return leader
    }

    it('has one leader, and the next as soon as it lets go', async () => {
      const one = contend('handed-over', 'one', 60_000)
      await one.led
      const two = contend('handed-over', 'two', 60_000)
      const both: boolean[] = []
      const watching = setInterval(() => both.push(one.leading && two.leading), 5)
      onTestFinished(() => clearInterval(watching))
      await expect.poll(() => both.length, { timeout: 20_000 }).toBeGreaterThan(200)
      expect(two.leading).toBe(false)
      await one.stop()
      await two.led
      expect(both).not.toContain(true)
    }, 60_000)

    it('knows by itself that it no longer leads when the server hangs', async () => {
      const leader = contend('cut-off', 'one', 2_000)
      await leader.led
      cluster.apiServer.hang()
      onTestFinished(() => cluster.apiServer.wake())
      expect((await leader.lost).message).toBe('the lease could not be renewed in time')
      expect(leader.leading).toBe(false)
    }, 60_000)
  })
})
