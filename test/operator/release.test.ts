import { beforeAll, expect, it } from 'vitest'
import type { DeploymentObject } from '../../operator/channel/children/deployment.ts'
import { childName } from '../../operator/channel/names.ts'
import { networkPolicyName, platformSecretName, serviceAccountName } from '../../operator/release/names.ts'
import type { KubernetesObject } from '../../operator/runtime/api/resource-kind.ts'
import { until } from '../harness/balance/load.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import type { RoleProcess } from '../harness/process/role.ts'

type Content = KubernetesObject & Record<string, unknown>

/** What the workers of all channels share. */
describeOperatorCluster((cluster) => {
  let operator: RoleProcess

  beforeAll(async () => {
    operator = cluster.startOperator()
    await cluster.apply(sandboxChannel('email'))
    await cluster.condition('nch/email', 'Ready', 'True')
  }, 120_000)

  const kubectl = (...args: string[]) => cluster.control.run([...args, '-n', releaseNamespace])
  const find = (kind: string, name: string) => cluster.get<Content>(kind, name, releaseNamespace)
  /** What an object is, without what the API server adds at every making. */
  const contentOf = (object: Content | undefined) => {
    const { metadata, status: _status, ...content } = object!
    const { labels, annotations } = metadata
    return { ...content, labels, annotations }
  }
  const rollsOf = async () => {
    const name = childName({ namespace: 'shop', name: 'email' })
    const found = await cluster.get<DeploymentObject>('deployment', name, releaseNamespace)
    return found?.metadata.generation
  }

  const shared = [
    { kind: 'secret', name: platformSecretName, edit: { data: { DATABASE_URL: 'ZXZpbA==' } } },
    { kind: 'secret', name: platformSecretName, edit: { metadata: { annotations: null } } },
    { kind: 'serviceaccount', name: serviceAccountName, edit: { automountServiceAccountToken: true } },
    { kind: 'networkpolicy', name: networkPolicyName, edit: { spec: { ingress: [{}] } } },
    // One field to the API server: comparing what is wanted with what is there would not tell.
    {
      kind: 'networkpolicy',
      name: networkPolicyName,
      edit: { spec: { podSelector: { matchLabels: { app: 'none' } } } },
    },
    { kind: 'networkpolicy', name: networkPolicyName, edit: { metadata: { labels: null } } },
  ]

  it.each(shared)(
    'puts the $kind right: $edit',
    async ({ kind, name, edit }) => {
      const before = contentOf(await find(kind, name))
      await kubectl('patch', kind, name, '--type=merge', '-p', JSON.stringify(edit))
      await until(
        async () => JSON.stringify(contentOf(await find(kind, name))) === JSON.stringify(before),
        'it says what it said',
      )
    },
    120_000,
  )

  it.each([
    ['secret', platformSecretName],
    ['serviceaccount', serviceAccountName],
    ['networkpolicy', networkPolicyName],
  ])(
    'makes the %s again that was deleted',
    async (kind, name) => {
      const before = await find(kind, name)
      await kubectl('delete', kind, name, '--wait=false')
      await until(async () => {
        const uid = (await find(kind, name))?.metadata.uid
        return uid !== undefined && uid !== before?.metadata.uid
      }, 'there is another one')
      expect(contentOf(await find(kind, name))).toEqual(contentOf(before))
    },
    120_000,
  )

  it.each([
    'put back spec.ingress',
    'put back spec.podSelector.matchLabels.app, which kubectl-patch had changed: the operator keeps what all workers share',
    'it was deleted, and has been made again',
  ])(
    'says to whoever changed the NetworkPolicy why it is no longer so: %s',
    async (note) => {
      await until(async () => {
        const ofPolicy = `reason=DriftCorrected,involvedObject.kind=NetworkPolicy,involvedObject.name=${networkPolicyName}`
        const events = JSON.parse(
          await kubectl('get', 'events', '-o', 'json', '--field-selector', ofPolicy),
        ) as {
          items: { message: string }[]
        }
        return events.items.some(({ message }) => message.includes(note))
      }, 'there is an Event')
    },
    120_000,
  )

  it('has rolled no worker for that, nor does the next one who leads', async () => {
    expect(await rollsOf()).toBe(1)
    await operator.stop()
    operator = cluster.startOperator()
    await until(() => operator.output().includes('"Leads"'), 'it leads')
    await cluster.apply(sandboxChannel('later'))
    await cluster.condition('nch/later', 'Ready', 'True')
    expect(await rollsOf()).toBe(1)
  }, 120_000)

  it('rolls the workers when a secret of the release is another one', async () => {
    await operator.stop()
    operator = cluster.startOperator({ DATABASE_URL: 'postgresql://somebody@127.0.0.1:1/none' })
    await until(async () => (await rollsOf()) === 2, 'the workers are told')
  }, 120_000)

  it('has asked for nothing that its roles do not allow', async () => {
    expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
  })
})
