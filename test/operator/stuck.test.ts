import { beforeAll, expect, it } from 'vitest'
import { childName } from '../../operator/channel/names.ts'
import { pods } from '../../operator/kinds.ts'
import type { KubernetesObject } from '../../operator/runtime/api/resource-kind.ts'
import { until } from '../harness/balance/load.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'

const deploymentOf = (name: string) => childName({ namespace: 'shop', name })
/** A node without a kubelet: what is bound to it says nothing, until somebody says it in its place. */
const silent = `
apiVersion: v1
kind: Node
metadata: {name: silent, labels: {kubernetes.io/hostname: silent}}
status: {allocatable: {cpu: "8", memory: 8Gi, pods: "100"}, capacity: {cpu: "8", memory: 8Gi, pods: "100"}}
`
const anyPod = `
apiVersion: v1
kind: Pod
metadata: {name: any, namespace: ${releaseNamespace}}
spec: {containers: [{name: any, image: any, resources: {requests: {memory: 64Mi}}}]}
`
const onSilent =
  'workers: {nodeSelector: {kubernetes.io/hostname: silent}, tolerations: [{operator: Exists}]}'

/** Workers that do not get there, and what a person sees of that without a look at any pod. */
describeOperatorCluster((cluster) => {
  beforeAll(async () => {
    await cluster.startOperator().ready()
  }, 120_000)

  const run = async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await cluster.control.kubectl(args, input)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  const warnings = async (name: string, reason: string) => {
    const events = await run(['get', 'events', '-n', 'shop', '-o', 'json'])
    const { items } = JSON.parse(events) as {
      items: { type: string; reason: string; message: string; involvedObject: { name: string } }[]
    }
    return items.filter(
      (event) => event.involvedObject.name === name && event.reason === reason && event.type === 'Warning',
    )
  }
  /** The conditions, the columns and the Events of a channel all say it. */
  const isTold = async (name: string, reason: string, message: RegExp) => {
    await cluster.condition(`nch/${name}`, 'WorkersReady', 'False', { reason, message })
    await cluster.condition(`nch/${name}`, 'Ready', 'False', { reason })
    expect(await run(['get', 'nch', name, '-n', 'shop'])).toMatch(
      new RegExp(`NAME .* READY +REASON +AGE\n${name} .* False +${reason} `),
    )
    await until(
      async () => (await warnings(name, reason)).some((event) => message.test(event.message)),
      'there is an Event',
    )
  }

  /** Runs while the API server refuses pods in the release's namespace for a reason; it learns of what was just written a little later. */
  const whileRefused = async (objectThatRefuses: string, reason: RegExp, body: () => Promise<void>) => {
    await cluster.apply(objectThatRefuses)
    const tryToCreate = ['create', '--dry-run=server', '-f', '-']
    const refusal = async () => (await cluster.control.kubectl(tryToCreate, anyPod)).stderr
    await until(async () => reason.test(await refusal()), 'no pod is admitted')
    try {
      await body()
    } finally {
      await cluster.control.kubectl(['delete', '-f', '-'], objectThatRefuses)
      await until(async () => !reason.test(await refusal()), 'pods are admitted again')
    }
  }

  it('a quota that is used up', async () => {
    const quota = `apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none, namespace: ${releaseNamespace}}\nspec: {hard: {pods: "0"}}\n`
    await whileRefused(quota, /exceeded quota: none/, async () => {
      await cluster.apply(sandboxChannel('quota'))
      await isTold('quota', 'FailedCreate', /exceeded quota: none/)
    })
    // Who makes pods tries again less and less often: another template is tried at once.
    await cluster.apply(sandboxChannel('quota', 'workers: {annotations: {tried: again}}'))
    await cluster.condition('nch/quota', 'Ready', 'True')
  }, 180_000)

  it('a limit of the namespace that no worker keeps to', async () => {
    const limits = '{limits: [{type: Container, max: {memory: 1Mi}}]}'
    const limitRange = `apiVersion: v1\nkind: LimitRange\nmetadata: {name: tiny, namespace: ${releaseNamespace}}\nspec: ${limits}\n`
    await whileRefused(limitRange, /memory/, async () => {
      await cluster.apply(sandboxChannel('limited', 'workers: {resources: {requests: {memory: 64Mi}}}'))
      await isTold('limited', 'FailedCreate', /memory/)
    })
  }, 180_000)

  it('Pod Security at its strictest does not mind', async () => {
    const level = 'pod-security.kubernetes.io/enforce=restricted'
    await run(['label', 'namespace', releaseNamespace, level])
    await cluster.apply(sandboxChannel('restricted'))
    await cluster.condition('nch/restricted', 'Ready', 'True')
  }, 180_000)

  it('no node with room', async () => {
    await cluster.apply(sandboxChannel('homeless', 'workers: {nodeSelector: {disk: absent}}'))
    await isTold('homeless', 'Unschedulable', /0\/1 nodes are available/)
  }, 180_000)

  it('new workers that are late, while the old ones deliver', async () => {
    await run(['create', '-f', '-'], silent)
    await cluster.apply(sandboxChannel('late'))
    await cluster.condition('nch/late', 'Ready', 'True')
    const patience = JSON.stringify({ spec: { progressDeadlineSeconds: 2 } })
    await run(['patch', 'deployment', deploymentOf('late'), '-n', releaseNamespace, '-p', patience])
    await cluster.apply(sandboxChannel('late', onSilent))
    await cluster.condition('nch/late', 'Ready', 'True', {
      reason: 'ProgressDeadlineExceeded',
      message: /^1 of 1 workers are ready, new ones do not get there: ReplicaSet .* timed out/,
    })
    expect(await run(['get', 'nch', 'late', '-n', 'shop'])).toMatch(/True +ProgressDeadlineExceeded /)
    await until(
      async () => (await warnings('late', 'ProgressDeadlineExceeded')).length === 1,
      'there is one Event',
    )
  }, 180_000)

  it('what a kubelet says of an image, and of a worker that ends', async () => {
    await cluster.apply(sandboxChannel('ill', onSilent))
    const podOf = async () => {
      const selector = 'carillon.dev/channel-name=ill'
      const { items } = await cluster.api.list(pods, { namespace: releaseNamespace, labelSelector: selector })
      return items[0] as (KubernetesObject & { spec: { nodeName?: string } }) | undefined
    }
    await until(async () => (await podOf())?.spec.nodeName === 'silent', 'the pod is on the node')
    const { name } = (await podOf())!.metadata
    const says = async (status: object) => {
      const containerStatuses = [{ name: 'worker', image: 'i', imageID: '', ready: false, ...status }]
      const patch = JSON.stringify({ status: { containerStatuses } })
      await run(['patch', 'pod', name, '-n', releaseNamespace, '--subresource=status', '-p', patch])
    }
    const pull = {
      waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "carillon:test"' },
    }
    await says({ restartCount: 0, state: pull })
    await isTold('ill', 'ImagePullBackOff', /: Back-off pulling image "carillon:test"$/)
    const crash = {
      waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' },
    }
    const end = { terminated: { exitCode: 78, reason: 'Error' } }
    for (let restartCount = 2; restartCount < 5; restartCount++)
      await says({ restartCount, state: crash, lastState: end })
    await isTold('ill', 'CrashLoopBackOff', /: the worker ended with exit code 78$/)
    expect(await warnings('ill', 'CrashLoopBackOff')).toHaveLength(1)
  }, 180_000)

  it('has asked for nothing that its roles do not allow', async () => {
    expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
  })
})
