import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { channelSchema } from '../../core/resources/channel.ts'
import { caseProviders, invalidCases, manifestOf, validCases } from '../../core/resources/manifest.cases.ts'
import { templateSchema } from '../../core/resources/template.ts'
import { channelDefinition, customResourceDefinition, templateDefinition } from '../../crds/definition.ts'
import type { KubernetesObject, ResourceKind } from '../../operator/runtime/api/resource-kind.ts'
import { describeApiServer } from '../harness/operator/describe-cluster.ts'

const crds: ResourceKind = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}
const kindOf = (kind: string): ResourceKind => ({
  apiVersion: 'carillon.dev/v1alpha1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced: true,
})
const schemas = { NotificationChannel: channelSchema(caseProviders), NotificationTemplate: templateSchema }

/** The schemas' own rules, judged by the server that will judge them. */
describeApiServer((cluster) => {
  beforeAll(async () => {
    await cluster.run(['create', 'namespace', 'shop'])
    for (const definition of [channelDefinition, templateDefinition]) {
      const schema = schemas[definition.kind as keyof typeof schemas]
      const crd = customResourceDefinition(definition, schema) as unknown as KubernetesObject
      await cluster.api.create(crds, crd)
    }
    await cluster.run(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'])
  }, 120_000)

  const submit = (manifest: string, dryRun = true) => {
    const object = parse(manifest) as KubernetesObject
    return cluster.api.apply<KubernetesObject & { spec: object }>(kindOf(object.kind), object, {
      fieldManager: 'kubectl',
      dryRun,
    })
  }

  it.each(validCases)('takes $name', async (example) => {
    await expect(submit(manifestOf(example))).resolves.toMatchObject({ kind: example.kind })
  })

  it.each(invalidCases.filter(({ kubernetes }) => kubernetes === 'rule'))(
    'refuses $name, in our words',
    async (example) => {
      await expect(submit(manifestOf(example))).rejects.toThrow(example.message)
    },
  )

  it.each(invalidCases.filter(({ kubernetes }) => kubernetes === 'schema'))(
    'refuses $name',
    async (example) => {
      await expect(submit(manifestOf(example))).rejects.toMatchObject({
        name: 'ApiError',
        reason: /Invalid|BadRequest|^$/,
      })
    },
  )

  it.each(invalidCases.filter(({ kubernetes }) => kubernetes === 'here'))(
    'leaves $name to a condition when nobody asks for strictness',
    async (example) => {
      const create = ['create', '--dry-run=server', '--validate=ignore', '-f', '-']
      expect(await cluster.kubectl(create, manifestOf(example))).toMatchObject({ code: 0 })
    },
  )

  it('fills in the very defaults that are filled in without it', async () => {
    for (const example of validCases.filter(({ kind }) => kind === 'NotificationChannel')) {
      const { spec } = await submit(manifestOf(example))
      const ours = schemas.NotificationChannel.parse(parse(manifestOf(example)))
      expect(spec).toEqual(ours.spec)
    }
  })

  describe('what may not change', () => {
    const before = manifestOf({
      kind: 'NotificationChannel',
      spec: '{type: email, providers: [{name: a, type: sandbox}], topic: {partitions: 6}}',
    })
    beforeAll(async () => {
      await submit(before, false)
    })

    it.each([
      ['the type', before.replace('type: email', 'type: sms'), 'is immutable'],
      ['the topic', before.replace('partitions: 6', 'name: other, partitions: 6'), 'is immutable'],
      ['fewer partitions', before.replace('partitions: 6', 'partitions: 3'), 'may grow, never shrink'],
    ])('refuses %s', async (_what, after, message) => {
      await expect(submit(after)).rejects.toThrow(message)
    })

    it('takes more partitions', async () => {
      await expect(submit(before.replace('partitions: 6', 'partitions: 12'))).resolves.toMatchObject({
        spec: { topic: { partitions: 12 } },
      })
    })
  })

  it('explains every field to kubectl', async () => {
    const explain = (field: string) => cluster.kubectl(['explain', field])
    await expect
      .poll(async () => (await explain('nch.spec.delivery.onUnknown')).stdout, { timeout: 30_000 })
      .toContain('DESCRIPTION')
    const { stdout } = await cluster.kubectl(['explain', 'nch', '--recursive'])
    expect(stdout).toContain('perRecipientLimit')
  })
})
