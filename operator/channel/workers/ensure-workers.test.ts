import { expect, it } from 'vitest'
import { channelResource } from '../../../test/harness/fakes/resources.ts'
import { Children } from '../../children.ts'
import { deployments, disruptionBudgets, scaledObjects, secrets } from '../../kinds.ts'
import { ApiError } from '../../runtime/api/api-error.ts'
import type { KubernetesObject, ResourceKind } from '../../runtime/api/resource-kind.ts'
import { Cache } from '../../runtime/watch/cache.ts'
import { SecretVersions } from '../../secret-versions.ts'
import type { DeploymentObject } from '../children/deployment.ts'
import { childName } from '../names.ts'
import { createWorkersKeeper } from './ensure-workers.ts'

const paused = 'autoscaling.keda.sh/paused-replicas'
const { signal } = new AbortController()
const refusal = new ApiError(422, 'Invalid', 'the request is refused')
const away = new ApiError(500, 'InternalError', 'a webhook does not answer')
const platform = {
  image: 'carillon:test',
  namespace: 'system',
  topicPrefix: 'p',
  environment: {},
  secretEnvironment: {},
  secretFiles: {},
  secretVersion: '1',
}
const channel = channelResource(
  { name: 'hooks', namespace: 'shop' },
  {
    type: 'webhook',
    suspend: true,
    providers: [{ name: 'a', type: 'webhook', webhook: {}, secretRef: { name: 's' } }],
    scaling: { mode: 'KEDA' },
  },
)
const found = new Map([['s', { ...object(secrets, 's'), data: { secret: 'cw==' } }]])

function object({ apiVersion, kind }: ResourceKind, name: string): KubernetesObject {
  return { apiVersion, kind, metadata: { name, namespace: 'system' } }
}

/** A suspended channel that KEDA scales, and the kinds whose writes the API server fails. */
function setUp(fails: ReadonlyMap<ResourceKind, Error>, { isLive }: { isLive: boolean }) {
  const written: KubernetesObject[] = []
  const api = {
    async apply(kind: ResourceKind, wanted: KubernetesObject) {
      const failure = fails.get(kind)
      if (failure) throw failure
      written.push(wanted)
      return wanted
    },
  } as never
  const workloads = new Cache<DeploymentObject>()
  const live = { ...object(deployments, childName(channel.metadata)), spec: { selector: {}, template: {} } }
  if (isLive) workloads.put(live)
  const children = <T extends KubernetesObject>(kind: ResourceKind, cache = new Cache<T>()) =>
    new Children<T>({ api, kind, cache, onCorrected: () => {} })
  const ensureWorkers = createWorkersKeeper({
    deployments: children(deployments, workloads),
    budgets: children(disruptionBudgets),
    credentials: children(secrets),
    scaledObjects: children(scaledObjects),
    secretVersions: new SecretVersions(),
    upgradeBudget: 5,
    knowsScaledObjects: () => true,
    otherOwner: () => undefined,
    platform,
  })
  const pausedReplicas = () =>
    written
      .filter(({ kind }) => kind === 'ScaledObject')
      .map(({ metadata }) => metadata.annotations?.[paused])
  return { ensureWorkers, pausedReplicas }
}

it.each([deployments, disruptionBudgets, secrets])(
  'stops the workers of a suspended channel though the API server refuses a $kind of it',
  async (kind) => {
    const { ensureWorkers, pausedReplicas } = setUp(new Map([[kind, refusal]]), { isLive: true })
    await expect(ensureWorkers(channel, 1, found, signal)).rejects.toBe(refusal)
    expect(pausedReplicas()).toEqual(['0'])
  },
)

it('stops them too where the Secrets, and the copy of them, are gone', async () => {
  const { ensureWorkers, pausedReplicas } = setUp(new Map(), { isLive: true })
  await ensureWorkers(channel, 1, undefined, signal)
  expect(pausedReplicas()).toEqual(['0'])
})

it('tells what came first where the ScaledObject cannot be written either', async () => {
  const fails = new Map([
    [deployments, refusal],
    [scaledObjects, away],
  ])
  const { ensureWorkers } = setUp(fails, { isLive: true })
  await expect(ensureWorkers(channel, 1, found, signal)).rejects.toBe(refusal)
})

it('makes no ScaledObject before there is something to scale', async () => {
  const { ensureWorkers, pausedReplicas } = setUp(new Map([[deployments, refusal]]), { isLive: false })
  await expect(ensureWorkers(channel, 1, found, signal)).rejects.toBe(refusal)
  await ensureWorkers(channel, 1, undefined, signal)
  expect(pausedReplicas()).toEqual([])
})
