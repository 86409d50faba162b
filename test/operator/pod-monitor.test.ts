import { beforeAll, expect, it } from 'vitest'
import type { DeploymentObject } from '../../operator/channel/children/deployment.ts'
import { childName } from '../../operator/channel/names.ts'
import { podMonitorName } from '../../operator/release/names.ts'
import { until } from '../harness/balance/load.ts'
import { createStrictly } from '../harness/kubernetes/create-strictly.ts'
import { installCrds, publishedCrds } from '../harness/kubernetes/published-crds.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import type { RoleProcess } from '../harness/process/role.ts'

interface PodMonitor {
  metadata: { uid: string; labels: Record<string, string> }
  spec: {
    selector: { matchLabels: Record<string, string> }
    podMetricsEndpoints: { port: string; path: string }[]
  }
}

/** The PodMonitor of all workers, with the CRD that the Prometheus operator publishes. */
describePart('crds', (crds) => {
  describeOperatorCluster((cluster) => {
    let operator: RoleProcess

    beforeAll(async () => {
      operator = cluster.startOperator()
      await operator.ready()
      await cluster.apply(sandboxChannel('email'))
      await cluster.condition('nch/email', 'Ready', 'True')
    }, 120_000)

    const kubectl = (...args: string[]) => cluster.control.run([...args, '-n', releaseNamespace])
    const podMonitor = () => cluster.get<PodMonitor>('podmonitor', podMonitorName, releaseNamespace)
    const pods = async () => {
      const name = childName({ namespace: 'shop', name: 'email' })
      return (await cluster.get<DeploymentObject>('deployment', name, releaseNamespace))!.spec.template
    }

    it('does without the Prometheus operator, and takes it up when that is installed', async () => {
      const before = await cluster.control.kubectl(['get', 'podmonitor', '-n', releaseNamespace])
      expect(before.stderr).toContain('the server doesn\'t have a resource type "podmonitor"')
      await installCrds(cluster.control, crds, publishedCrds.podMonitors)
      await until(async () => (await podMonitor()) !== undefined, 'there is a PodMonitor')
      const { spec } = (await podMonitor())!
      expect(spec).toEqual({
        selector: {
          matchLabels: { 'app.kubernetes.io/name': 'carillon', 'app.kubernetes.io/component': 'worker' },
        },
        podMetricsEndpoints: [{ port: 'health', path: '/metrics', honorLabels: true }],
      })
      const copy = {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PodMonitor',
        metadata: { name: 'copy' },
        spec,
      }
      const { code, stderr } = await createStrictly(cluster.control, copy, releaseNamespace)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }, 120_000)

    it('selects the pods of workers, and a port that they have', async () => {
      const { selector, podMetricsEndpoints } = (await podMonitor())!.spec
      const { metadata, spec } = await pods()
      expect(metadata?.labels).toMatchObject(selector.matchLabels)
      const ports = spec!.containers.flatMap((container) => container.ports ?? []).map((port) => port.name)
      expect(ports).toContain(podMetricsEndpoints[0]!.port)
    })

    it('repairs the PodMonitor, and leaves the label by which a Prometheus finds it', async () => {
      await kubectl('label', 'podmonitor', podMonitorName, 'release=prometheus')
      const wrong = { spec: { podMetricsEndpoints: [{ port: 'wrong' }] } }
      await kubectl('patch', 'podmonitor', podMonitorName, '--type=merge', '-p', JSON.stringify(wrong))
      await until(
        async () => (await podMonitor())?.spec.podMetricsEndpoints[0]?.port === 'health',
        'the port is ours again',
      )
      expect((await podMonitor())?.metadata.labels).toMatchObject({ release: 'prometheus' })
    }, 120_000)

    it('makes the PodMonitor again that was deleted', async () => {
      const uid = async () => (await podMonitor())?.metadata.uid
      const before = await uid()
      await kubectl('delete', 'podmonitor', podMonitorName)
      await until(async () => ![undefined, before].includes(await uid()), 'there is another one')
    }, 120_000)

    it('goes on while the Prometheus operator is taken away, and with it when it is back', async () => {
      await kubectl('delete', 'crd', 'podmonitors.monitoring.coreos.com')
      await cluster.apply(sandboxChannel('email', 'topic: {partitions: 5}'))
      await cluster.condition('nch/email', 'Ready', 'True')
      await installCrds(cluster.control, crds, publishedCrds.podMonitors)
      await until(async () => (await podMonitor()) !== undefined, 'there is a PodMonitor again')
      // Nobody takes the lack of it for a fault.
      expect(operator.output()).not.toContain('does not know this kind')
    }, 120_000)

    it('has asked for nothing that its roles do not allow', async () => {
      expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
    })
  })
})
