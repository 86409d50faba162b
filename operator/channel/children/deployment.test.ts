import { expect, it } from 'vitest'
import { channelResource } from '../../../test/harness/fakes/resources.ts'
import { serviceAccountName } from '../../release/names.ts'
import { childLabels } from '../names.ts'
import { annotation, releaseOf, workerDeployment } from './deployment.ts'

const platform = {
  image: 'carillon:test',
  namespace: 'carillon-system',
  topicPrefix: 'carillon',
  environment: {},
  secretEnvironment: {},
  secretFiles: {},
  secretVersion: '1',
}
const metadata = { name: 'inbox', namespace: 'shop' }
const channelWith = (spec: object) =>
  channelResource(metadata, {
    type: 'inapp',
    providers: [{ name: 'primary', type: 'inapp', inapp: {} }],
    ...spec,
  })
const specOf = (spec: object) => workerDeployment(channelWith(spec), platform, undefined).spec
const podOf = (spec: object) => specOf(spec).template.spec!
const resourcesOf = (workers: object) => podOf({ workers }).containers[0]?.resources

it('asks for a little when the channel says nothing of resources, and otherwise for what it says', () => {
  expect(resourcesOf({})).toEqual({ requests: { cpu: '100m', memory: '256Mi' } })
  expect(resourcesOf({ resources: { limits: { cpu: 2 } } })).toEqual({ limits: { cpu: 2 } })
})

it('takes of the tenant what the channel may say of its pods, and nothing by which they are known or run', () => {
  const said = {
    nodeSelector: { disk: 'fast' },
    tolerations: [{ key: 'mail', operator: 'Exists' }],
    affinity: { podAntiAffinity: {} },
    priorityClassName: 'high',
    labels: { ...childLabels({ namespace: 'other', name: 'b' }), team: 'a' },
    annotations: { [annotation.release]: 'mine', note: 'b' },
  }
  const { selector, template } = specOf({ workers: said })
  const { nodeSelector, tolerations, affinity, priorityClassName } = said
  expect(template.spec).toMatchObject({ nodeSelector, tolerations, affinity, priorityClassName })
  expect(template.metadata).toEqual({
    labels: { ...childLabels(metadata), team: 'a' },
    annotations: { [annotation.release]: releaseOf(platform), note: 'b' },
  })
  expect(template.metadata?.labels).toMatchObject(selector.matchLabels!)
  expect(template.spec).toMatchObject({ serviceAccountName, automountServiceAccountToken: false })
  expect(template.spec?.containers.map(({ image }) => image)).toEqual(['carillon:test'])
})

it('gives a worker the time to end in order: that of a send over all providers, and 30 s', () => {
  const providers = ['10s', '1m500ms'].map((timeout, index) => ({
    name: `p${index}`,
    type: 'inapp',
    timeout,
  }))
  expect(podOf({ providers }).terminationGracePeriodSeconds).toBe(101)
})

it('is alive while it answers, and ready while it works, on the port that it listens on', () => {
  const [container] = podOf({}).containers
  const { ports, env, startupProbe, livenessProbe, readinessProbe } = container!
  const [{ name: port, containerPort } = {}] = ports!
  expect(startupProbe?.httpGet).toEqual({ path: '/livez', port })
  expect(livenessProbe?.httpGet).toEqual({ path: '/livez', port })
  expect(readinessProbe?.httpGet).toEqual({ path: '/readyz', port })
  expect(env).toContainEqual({ name: 'CARILLON_HEALTH_LISTEN', value: `0.0.0.0:${containerPort}` })
})

it('has its workers spread over the nodes, and their number left to whoever scales', () => {
  const spec = specOf({})
  const { matchLabels } = spec.selector
  expect(spec.template.spec?.topologySpreadConstraints).toMatchObject([
    { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels } },
  ])
  expect(spec).not.toHaveProperty('replicas')
})
