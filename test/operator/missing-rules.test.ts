import { beforeAll, expect, it } from 'vitest'
import { childName } from '../../operator/channel/names.ts'
import { podMonitorName } from '../../operator/release/names.ts'
import { releaseRules } from '../../operator/release/roles.ts'
import { until } from '../harness/balance/load.ts'
import { installCrds, publishedCrds } from '../harness/kubernetes/published-crds.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { account } from '../harness/operator/operator-identity.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import type { RoleProcess } from '../harness/process/role.ts'

const name = childName({ namespace: 'shop', name: 'email' })
const optional = ['keda.sh', 'monitoring.coreos.com']

/** A role that is older than the operator, or was cut down: it has nothing of KEDA and of the Prometheus operator, which the cluster both knows. */
describePart('crds', (crds) => {
  describeOperatorCluster((cluster) => {
    let operator: RoleProcess

    const setRules = async (rules: readonly object[]) => {
      const patch = ['patch', 'role', account, '-n', releaseNamespace, '--type=merge', '-p']
      await cluster.control.run([...patch, JSON.stringify({ rules })])
    }
    const may = async (resource: string) => {
      const as = `--as=system:serviceaccount:${releaseNamespace}:${account}`
      return (
        await cluster.control.kubectl(['auth', 'can-i', 'create', resource, '-n', releaseNamespace, as])
      ).code
    }

    beforeAll(async () => {
      await installCrds(cluster.control, crds, ...Object.values(publishedCrds))
      await setRules(
        releaseRules.filter(({ apiGroups }) => !optional.some((group) => apiGroups.includes(group))),
      )
      await until(async () => (await may('scaledobjects.keda.sh')) !== 0, 'the rules are in force')
      operator = cluster.startOperator()
      await operator.ready()
    }, 120_000)

    it('works without them, and says in the words of the API server which rule is missing', async () => {
      await cluster.apply(sandboxChannel('email', 'scaling: {mode: KEDA}'))
      await cluster.condition('nch/email', 'Ready', 'True')
      await cluster.condition('nch/email', 'ScalingActive', 'Unknown', {
        reason: 'ScaledObjectsUnreadable',
        message: /cannot list resource "scaledobjects" in API group "keda.sh"/,
      })
      for (const resource of ['scaledobjects', 'triggerauthentications', 'podmonitors']) {
        const parts = operator.output().split(`cannot list resource \\"${resource}\\"`)
        expect(parts).toHaveLength(2)
      }
    }, 120_000)

    it('takes them up once the role has the rules', async () => {
      await setRules(releaseRules)
      await until(
        async () => (await cluster.get('scaledobject', name, releaseNamespace)) !== undefined,
        'there is a ScaledObject',
      )
      await until(
        async () => (await cluster.get('podmonitor', podMonitorName, releaseNamespace)) !== undefined,
        'there is a PodMonitor',
      )
      await cluster.condition('nch/email', 'ScalingActive', 'Unknown', { reason: 'KEDANotSeen' })
    }, 120_000)
  })
})
