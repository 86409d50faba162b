import { beforeAll, describe, expect, it } from 'vitest'
import { kinds } from '../../core/catalog/kinds.ts'
import { keyOf, publishedRecord, revisionOf } from '../../core/catalog/records.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import { childName } from '../../operator/channel/names.ts'
import { until } from '../harness/balance/load.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { channels, sandbox, templates } from './bad-input.cases.ts'

const manifest = (kind: string, name: string, spec: string) =>
  `apiVersion: carillon.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`
const channel = (name: string, more: string, providers = sandbox) =>
  manifest('NotificationChannel', name, `{${providers}, delivery: {retryTiers: [30s]}, ${more}}`)
const template = (name: string, spec: string) => manifest('NotificationTemplate', name, `{${spec}}`)

describeOperatorCluster((cluster) => {
  const begun = Date.now()
  let operator: RoleProcess

  beforeAll(async () => {
    operator = cluster.startOperator()
    // Of another application, which may have chosen a name that is like ours.
    const foreign = ['foreign', 'half.dlq', `${cluster.prefix}.shop.met.retry.30s`]
    await cluster.broker.admin.createTopics(
      foreign.map((name) => ({ name, partitions: 1, replicas: 1, config: {} })),
    )
    const secret = (name: string, data: string) =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: shop}\nstringData: ${data}\n---\n`
    await cluster.apply(secret('empty', '{}') + secret('blank', '{secret: ""}'))
    await cluster.apply(channel('good', 'topic: {name: taken}'))
    await cluster.condition('nch/good', 'Ready', 'True')
  }, 120_000)

  const filled = (text: string) => text.replaceAll('%p', cluster.prefix)

  describe('a channel with', () => {
    beforeAll(async () => {
      const manifests = channels.map(({ name, more, providers }, index) =>
        channel(name ?? `bad-${index}`, filled(more), providers),
      )
      await cluster.apply(manifests.join('---\n'))
    }, 120_000)

    it.each(channels.map((told, index) => ({ ...told, index })))(
      '$what',
      async ({ index, name: own, condition, status = 'False', reason, message }) => {
        const name = `nch/${own ?? `bad-${index}`}`
        const isTold = (said: string) => said.includes(filled(message))
        await cluster.condition(name, condition, status, { reason, message: isTold })
        await cluster.condition(name, 'Ready', 'False', { reason })
      },
      120_000,
    )
  })

  describe('a template with', () => {
    beforeAll(async () => {
      await cluster.apply(templates.map(({ spec }, index) => template(`bad-${index}`, spec)).join('---\n'))
    }, 120_000)

    it.each(templates.map((each, index) => ({ ...each, index })))(
      '$what',
      async ({ index, message }) => {
        await cluster.condition(`ntpl/bad-${index}`, 'Valid', 'False', { message })
        await cluster.condition(`ntpl/bad-${index}`, 'Ready', 'False', { message: /nothing serves yet/ })
      },
      120_000,
    )
  })

  it('does not take a name from a folder', async () => {
    const parse = (text: object) => kinds.NotificationChannel.parse(text)
    const resource = parse({
      apiVersion: 'carillon.dev/v1alpha1',
      kind: 'NotificationChannel',
      metadata: { name: 'from-folder', namespace: 'shop' },
      spec: { type: 'sms', providers: [{ name: 'a', type: 'sandbox' }], topic: { name: 'of-the-folder' } },
    })
    const published = { source: 'folder', revision: revisionOf(resource), resource } as const
    await cluster.broker.producer.produce([
      publishedRecord(catalogTopic(cluster.prefix), keyOf(resource), published),
    ])
    await cluster.apply(channel('from-folder', ''))
    await cluster.condition('nch/from-folder', 'Accepted', 'False', {
      reason: 'OwnedElsewhere',
    })
    await cluster.apply(channel('near-folder', 'topic: {name: of-the-folder}'))
    await cluster.condition('nch/near-folder', 'Accepted', 'False', {
      reason: 'TopicConflict',
      message: /^topic of-the-folder belongs to NotificationChannel shop\/from-folder: /,
    })
  }, 120_000)

  it('says what the API server has dropped nowhere, and goes on without it', async () => {
    await cluster.control.run(['create', '--validate=ignore', '-f', '-'], channel('pruned', 'suspendd: true'))
    await cluster.condition('nch/pruned', 'Ready', 'True')
  }, 120_000)

  it('refuses a name with a dot: it would become a topic of another channel', async () => {
    const { stderr } = await cluster.control.kubectl(['create', '-f', '-'], channel('a.dlq', ''))
    expect(stderr).toContain('metadata.name: Invalid value: "a.dlq"')
  }, 60_000)

  it('says so when a template is more than Kafka takes', async () => {
    const html = 'ö'.repeat(130_000)
    const locales = ['de', 'fr', 'es', 'it'].map((locale) => `${locale}: {email: {html: "${html}"}}`)
    const spec = `content: {email: {subject: s, html: "${html}"}}, locales: {${locales.join(', ')}}`
    await cluster.control.run(['create', '-f', '-'], template('huge', spec))
    expect(await cluster.condition('ntpl/huge', 'Valid', 'True')).toBeDefined()
    await cluster.condition('ntpl/huge', 'Ready', 'False', { reason: 'KafkaRefused' })
  }, 120_000)

  it('says so where a Deployment of its name is not its own to change', async () => {
    const name = childName({ namespace: 'shop', name: 'squatted' })
    const pod = '{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}'
    await cluster.apply(
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}, namespace: ${releaseNamespace}}\nspec: {selector: {matchLabels: {a: b}}, template: ${pod}}\n`,
    )
    await cluster.apply(channel('squatted', ''))
    await cluster.condition('nch/squatted', 'WorkersReady', 'False', {
      reason: 'WorkersRefused',
      message: /selector/,
    })
  }, 120_000)

  it('reads what an older schema lets through', async () => {
    const { kubectl, run } = cluster.control
    const crd = 'notificationchannels.carillon.dev'
    const definition = JSON.parse(await run(['get', 'crd', crd, '-o', 'json'])) as {
      spec: { versions: { schema: object }[] }
    }
    // What a release long ago might have had: no rules at all.
    const version = definition.spec.versions[0]!
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    version.schema = { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } }
    await run(['replace', '-f', '-'], JSON.stringify(definition))
    try {
      const absurd = manifest('NotificationChannel', 'ancient', '{type: pigeon, providers: {coop: 7}}')
      await until(
        async () => (await kubectl(['apply', '-f', '-'], absurd)).code === 0,
        'the older schema holds',
      )
      await cluster.condition('nch/ancient', 'Accepted', 'False', {
        reason: 'InvalidSpec',
        message: /spec\.type/,
      })
      await run(['delete', 'nch', 'ancient', '-n', 'shop'])
    } finally {
      await run(['replace', '-f', 'crds', '--force=false'])
    }
  }, 120_000)

  it('never fell over, never kept asking, and left the others alone', async () => {
    expect(operator.process.exitCode).toBeNull()
    expect(operator.output()).not.toContain('"level":60')
    await cluster.apply(channel('later', ''))
    for (const name of ['nch/good', 'nch/later']) await cluster.condition(name, 'Ready', 'True')
    // What is refused is looked at again when it changes, and every two minutes; not in a loop.
    const refused = (await cluster.requests()).filter(
      ({ code, name }) => code === 422 && name.includes('bad-'),
    )
    const most = Math.max(
      ...[...Map.groupBy(refused, ({ name }) => name).values()].map(({ length }) => length),
    )
    expect(most).toBeLessThan(10 + (Date.now() - begun) / 60_000)
    expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
  }, 120_000)
})
