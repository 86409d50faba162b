import { expect, test } from 'vitest'
import { channelSchema } from './channel.ts'
import { formatManifestProblem, parseManifests } from './manifest.ts'
import { caseProviders, invalidCases, manifestOf, validCases } from './manifest.cases.ts'
import { templateSchema } from './template.ts'

const kinds = { NotificationChannel: channelSchema(caseProviders), NotificationTemplate: templateSchema }
const read = (text: string) => parseManifests(text, { file: 'shop.yaml', kinds })
const told = (text: string) => read(text).problems.map(formatManifestProblem)

test.each(invalidCases)('refuses $name', (example) => {
  const { resources, problems } = read(manifestOf(example))
  expect(resources).toEqual([])
  expect(problems).toMatchObject([{ line: 4, path: example.path, message: example.message }])
})

test.each(validCases)('takes $name', (example) => {
  const { resources, problems } = read(manifestOf(example))
  expect(problems).toEqual([])
  expect(resources[0]?.resource.metadata).toEqual({ name: 'example', namespace: 'shop' })
})

test('fills in what the contract says', () => {
  const [manifest] = read(manifestOf(validCases[0]!)).resources
  expect(manifest?.resource.spec).toMatchObject({
    suspend: false,
    providers: [{ name: 'a', type: 'sandbox', timeout: '10s', maxConcurrent: 20 }],
    delivery: {
      retryTiers: ['30s', '5m', '1h'],
      maxAttempts: 8,
      expiresAfter: '72h',
      ordering: 'PerRecipient',
      onUnknown: 'Retry',
      concurrency: 50,
    },
    topic: { name: '', partitions: 3, replicas: 3, retention: '168h', config: {}, deletionPolicy: 'Retain' },
    scaling: {
      mode: 'Native',
      minReplicas: 1,
      maxReplicas: 10,
      lagThreshold: 500,
      fallback: { replicas: 2, after: '3m' },
    },
  })
})

test('says of broken YAML where it begins to be, and not what stands there', () => {
  const secret = "apiVersion: v1\nkind: Secret\nstringData: {user: me}}\n  password: 'hunter2'\n"
  expect(told(secret)).toEqual(['shop.yaml:3: Unexpected flow-map-end token in YAML stream'])
  expect(told('text: | hunter2\n  x\n')).toEqual(['shop.yaml:1: Not a YAML token'])
  const deep = `a: ${'['.repeat(50_000)}${']'.repeat(50_000)}`
  expect(told(deep)).toEqual(['shop.yaml:1: is nested too deeply'])
})

const channels = `# Channels of the shop.
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata:
  name: email
spec:
  type: email
  providers:
    - name: primary
      type: smtp
      smtp:
        hst: mail.example.com
        port: 70000
    - name: second
      type: sandbox
      timeout: soon
  topic:
    partitions: 0
---
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: sms}
spec:
  type: sms
  providers: [{name: only, type: sandbox}]
`

test('says where each problem stands, a missing field where it is missed, and keeps the other documents', () => {
  expect(told(channels)).toEqual([
    'shop.yaml:11: spec.providers[0].smtp.host: is required',
    'shop.yaml:13: spec.providers[0].smtp.port: must be at most 65535',
    'shop.yaml:12: spec.providers[0].smtp.hst: unknown field; did you mean "host"?',
    'shop.yaml:16: spec.providers[1].timeout: must be a duration such as 30s, 5m or 1h30m',
    'shop.yaml:18: spec.topic.partitions: must be at least 1',
  ])
  expect(read(channels).problems[1]).toMatchObject({ line: 13, column: 9 })
  expect(read(channels).resources.map(({ resource }) => resource.metadata)).toEqual([
    { name: 'sms', namespace: 'default' },
  ])
})

test('a resource can report later problems at its own lines', () => {
  const [manifest] = read(channels).resources
  const problem = manifest!.problem({ path: ['spec', 'providers', 0, 'name'], message: 'is not healthy' })
  expect(formatManifestProblem(problem)).toBe('shop.yaml:25: spec.providers[0].name: is not healthy')
})

test('follows aliases', () => {
  const text = `apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: a}
spec:
  type: email
  providers:
    - &first {name: a, type: sandbox, timeout: 1h}
    - *first
`
  expect(told(text)).toEqual([
    'shop.yaml:7: spec.providers[0].timeout: must be a duration from 100ms to 5m',
    'shop.yaml:7: spec.providers[1].timeout: must be a duration from 100ms to 5m',
    'shop.yaml:7: spec.providers[1].name: must be unique',
  ])
})

const header = (apiVersion: string, kind: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`

test.each([
  [
    'another version',
    header('carillon.dev/v2', 'NotificationChannel'),
    1,
    'apiVersion: must be carillon.dev/v1alpha1',
  ],
  [
    'a misspelt group',
    header('carilon.dev/v1alpha1', 'NotificationChannel'),
    1,
    'apiVersion: must be carillon.dev/v1alpha1',
  ],
  [
    'a misspelt kind',
    header('carillon.dev/v1alpha1', 'NotificationChanel'),
    2,
    'kind: must be NotificationChannel or NotificationTemplate; did you mean "NotificationChannel"?',
  ],
  ['a List', header('v1', 'List'), 2, 'kind: a List is not read; separate the resources with ---'],
  ['no kind', '\nname: a\n', 2, 'is not a Kubernetes manifest: apiVersion and kind are required'],
  ['a bare list', '- a\n', 1, 'is not a Kubernetes manifest: apiVersion and kind are required'],
  ['no name', manifestOf(validCases[0]!).replace('name: example, ', ''), 3, 'metadata.name: is required'],
  [
    'a name with a dot',
    manifestOf(validCases[0]!).replace('example', 'email.dlq'),
    3,
    'metadata.name: must consist of lower case letters, digits and dashes, and start and end with a letter or digit',
  ],
  ['no spec', header('carillon.dev/v1alpha1', 'NotificationTemplate'), 1, 'spec: is required'],
])('refuses %s', (_name, text, line, message) => {
  expect(told(text)).toEqual([`shop.yaml:${line}: ${message}`])
})

test.each([
  ['a key twice', 'apiVersion: a\napiVersion: b\n', 2],
  ['an open bracket', 'a: [1\n', 2],
  ['a tag that means nothing', 'a: !!nothing b\n', 1],
])('reports YAML that is no YAML: %s', (_name, text, line) => {
  const { resources, problems } = read(text)
  expect(resources).toEqual([])
  expect(problems[0]).toMatchObject({ file: 'shop.yaml', line, path: '' })
})

test('refuses a document that aliases blow up', () => {
  const levels = Array.from(
    { length: 9 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
  )
  expect(told(['l0: &l0 x', ...levels].join('\n'))).toEqual([
    'shop.yaml:1: Excessive alias count indicates a resource exhaustion attack',
  ])
})

test('refuses the same resource twice in one file', () => {
  const one = manifestOf(validCases[0]!)
  const { resources, problems } = read(`${one}---\n${one}`)
  expect(resources).toHaveLength(1)
  expect(problems.map(formatManifestProblem)).toEqual([
    'shop.yaml:8: metadata.name: a second NotificationChannel shop/example in this file',
  ])
})

test('passes over other kinds, empty documents and an empty file', () => {
  expect(read(`---\n---\n${header('v1', 'Secret')}---\n${header('apps/v1', 'Deployment')}`)).toEqual({
    resources: [],
    problems: [],
  })
  expect(read('')).toEqual({ resources: [], problems: [] })
})

test('takes what kubectl get -o yaml prints', () => {
  const text = manifestOf(validCases[0]!).replace(
    'namespace: shop',
    'namespace: shop, uid: 1-2, resourceVersion: "7", generation: 2, creationTimestamp: "2026-01-01T00:00:00Z", managedFields: [{manager: kubectl}]',
  )
  expect(told(`${text}status: {lag: 3, conditions: [], fromTheFuture: 1}\n`)).toEqual([])
})

test('a problem never repeats the value', () => {
  expect(
    JSON.stringify(
      told(manifestOf({ kind: 'NotificationChannel', spec: '{type: hunter2, providers: hunter2}' })),
    ),
  ).not.toContain('hunter2')
})
