import { expect, it } from 'vitest'
import { kinds } from '../../../core/catalog/kinds.ts'
import { workerDeployment } from './deployment.ts'

const platform = {
  image: 'carillon:test',
  namespace: 'carillon-system',
  topicPrefix: 'carillon',
  environment: {},
  secretEnvironment: {},
  secretFiles: {},
  secretVersion: '1',
}
const resourcesOf = (workers: object) => {
  const channel = kinds.NotificationChannel.parse({
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationChannel',
    metadata: { name: 'inbox', namespace: 'shop' },
    spec: { type: 'inapp', providers: [{ name: 'primary', type: 'inapp', inapp: {} }], workers },
  })
  return workerDeployment(channel, platform, undefined).spec.template.spec?.containers[0]?.resources
}

it('asks for a little when the channel says nothing of resources, and otherwise for what it says', () => {
  expect(resourcesOf({})).toEqual({ requests: { cpu: '100m', memory: '256Mi' } })
  expect(resourcesOf({ resources: { limits: { cpu: 2 } } })).toEqual({ limits: { cpu: 2 } })
})
