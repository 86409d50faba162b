import type { Broker } from '../core/broker/broker.ts'
import { describeTopicChange, planTopics } from '../core/broker/reconcile-topics.ts'
import { channelTopicSpecs, installTopicSpecs } from '../core/broker/topic-specs.ts'
import { kinds } from '../core/catalog/kinds.ts'
import { readCatalog } from '../core/catalog/reader.ts'
import { keyOf, type Resource, revisionOf } from '../core/catalog/records.ts'
import { catalogTopic } from '../core/notification/topics.ts'
import type { Logger } from '../core/observability/logger.ts'
import type { NotificationChannel } from '../core/resources/channel.ts'
import type { NotificationTemplate } from '../core/resources/template.ts'
import { TemplateThreads } from '../core/template/threads/template-threads.ts'
import { disruptionBudget } from './channel/children/disruption-budget.ts'
import { workerDeployment } from './channel/children/deployment.ts'
import { childName, managedSelector } from './channel/names.ts'
import type { ChannelObject } from './channel/status.ts'
import { channels, deployments, disruptionBudgets, templates } from './kinds.ts'
import { createParser } from './parser.ts'
import type { Platform } from './platform.ts'
import type { Api } from './runtime/api.ts'
import { isApplied } from './runtime/applied.ts'
import {
  keyOf as nameKey,
  type KubernetesObject,
  nameOf,
  type ResourceKind,
} from './runtime/resource-kind.ts'
import type { TemplateObject } from './template/status.ts'

export interface DryRunOptions {
  api: Api
  broker: Broker
  platform: Platform
  watchNamespaces: readonly string[]
  maxReplicas: number
  logger: Logger
}

const parse = {
  NotificationChannel: createParser<NotificationChannel>(kinds.NotificationChannel),
  NotificationTemplate: createParser<NotificationTemplate>(kinds.NotificationTemplate),
}

/** Says what the operator would change now, one line each, and changes nothing. Rejects while Kafka or the API server is away. */
export async function planOperator(options: DryRunOptions): Promise<string[]> {
  const { broker, platform, maxReplicas } = options
  const prefix = platform.topicPrefix
  const published = await readCatalog({ ...options, topic: catalogTopic(prefix) })
  const channelObjects = await listAll<ChannelObject>(options, channels)
  const templateObjects = await listAll<TemplateObject>(options, templates)

  const lines: string[] = []
  const say = (resource: Resource | KubernetesObject, verb: string) =>
    lines.push(`${resource.kind} ${resource.metadata.namespace}/${resource.metadata.name} ${verb}`)
  const publication = (resource: Resource) => {
    const before = published.get(keyOf(resource))
    if (before !== undefined && before.source !== 'kubernetes')
      say(resource, `refused: it is published from ${before.source}`)
    else if (before?.revision !== revisionOf(resource))
      say(resource, before === undefined ? 'published' : 'published anew')
  }

  const valid = channelObjects.flatMap((object) => {
    const parsed = parse.NotificationChannel(object)
    if (parsed.kind === 'invalid') say(object, `refused: ${parsed.message}`)
    return parsed.kind === 'ok' ? [parsed.resource] : []
  })
  const specs = [
    ...installTopicSpecs(prefix, maxReplicas),
    ...valid.flatMap((channel) => channelTopicSpecs(prefix, channel, maxReplicas)),
  ]
  const plan = planTopics(specs, await broker.admin.describeTopics(specs.map(({ name }) => name)))
  lines.push(
    ...plan.changes.map(describeTopicChange),
    ...plan.problems.map((problem) => `Refused: ${problem}`),
  )
  const live = await listChildren(options)
  for (const channel of valid) {
    publication(channel)
    lines.push(...childLines(channel, options.platform, live))
  }
  const threads = new TemplateThreads(options)
  try {
    for (const object of templateObjects) {
      const parsed = parse.NotificationTemplate(object)
      const problem = parsed.kind === 'invalid' ? parsed : (await threads.check(parsed.resource))[0]
      if (problem !== undefined) say(object, `refused: ${problem.message}`)
      else if (parsed.kind === 'ok') publication(parsed.resource)
    }
  } finally {
    await threads.close()
  }
  const present = new Set(
    [...channelObjects, ...templateObjects].map((object) => keyOf(object as unknown as Resource)),
  )
  for (const [key, { source, resource }] of published) {
    if (source === 'kubernetes' && !key.includes('@') && !present.has(key)) say(resource, 'removed')
  }
  return lines
}

/** What would become of a channel's objects. The version of its credentials is only known once they are copied, so it is left out. */
function childLines(
  channel: NotificationChannel,
  platform: Platform,
  live: ReadonlyMap<string, KubernetesObject>,
): string[] {
  const name = `${platform.namespace}/${childName(channel.metadata)}`
  const deployment = workerDeployment(channel, platform, undefined)
  const wanted: [ResourceKind, object][] = [
    [deployments, { metadata: { labels: deployment.metadata.labels }, spec: imageAndArgs(deployment) }],
    [disruptionBudgets, disruptionBudget(channel, platform.namespace)],
  ]
  return wanted.flatMap(([{ kind }, object]) => {
    const before = live.get(`${kind} ${name}`)
    if (before === undefined) return [`${kind} ${name} created`]
    return isApplied(before, object) ? [] : [`${kind} ${name} configured`]
  })
}

/** What was made for channels, by kind, namespace and name. */
async function listChildren({ api, platform }: DryRunOptions): Promise<Map<string, KubernetesObject>> {
  const options = { namespace: platform.namespace, labelSelector: managedSelector }
  const lists = await Promise.all([deployments, disruptionBudgets].map((kind) => api.list(kind, options)))
  const objects = lists.flatMap(({ items }) => items)
  return new Map(objects.map((object) => [`${object.kind} ${nameKey(nameOf(object))}`, object]))
}

/** Of a Deployment what the release and the channel decide: volumes and annotations tell of Secrets that are not read here. */
function imageAndArgs({ spec }: ReturnType<typeof workerDeployment>): object {
  const { volumes: _volumes, ...pod } = spec.template.spec!
  return { template: { spec: pod } }
}

async function listAll<T extends KubernetesObject>(
  { api, watchNamespaces }: DryRunOptions,
  kind: ResourceKind,
): Promise<T[]> {
  const scopes = watchNamespaces.length === 0 ? [{}] : watchNamespaces.map((namespace) => ({ namespace }))
  const lists = await Promise.all(scopes.map((scope) => api.list<T>(kind, scope)))
  return lists.flatMap(({ items }) => items)
}
