import { expect, it } from 'vitest'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { workerDeployment } from '../channel/children/deployment.ts'
import { networkPolicies } from '../kinds.ts'
import { releaseObjects } from './objects.ts'

const platform = {
  image: 'carillon:test',
  namespace: 'carillon-system',
  topicPrefix: 'carillon',
  environment: {},
  secretEnvironment: {},
  secretFiles: {},
}

it('lets nobody talk to a worker but to its health port', () => {
  const channel = channelResource(
    { name: 'inbox', namespace: 'shop' },
    { type: 'inapp', providers: [{ name: 'primary', type: 'inapp' }] },
  )
  const { template } = workerDeployment(channel, { ...platform, secretVersion: '1' }, undefined).spec
  const [port] = template.spec!.containers.flatMap(({ ports = [] }) => ports)
  const policy = releaseObjects(platform).find(({ kind }) => kind === networkPolicies)?.object as unknown as {
    spec: { podSelector: { matchLabels: Record<string, string> } }
  }
  expect(policy.spec).toMatchObject({
    policyTypes: ['Ingress'],
    ingress: [{ ports: [{ protocol: 'TCP', port: port?.name }] }],
  })
  expect(template.metadata?.labels).toMatchObject(policy.spec.podSelector.matchLabels)
})
