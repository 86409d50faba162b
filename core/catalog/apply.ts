import type { Admin, Broker } from '../broker/broker.ts'
import {
  applyTopicChanges,
  describeTopicChange,
  planTopics,
  type TopicChange,
} from '../broker/reconcile-topics.ts'
import { channelTopicSpecs, installTopicSpecs } from '../broker/topic-specs.ts'
import { catalogTopic, channelTopics, retryTopicPrefix } from '../notification/topics.ts'
import { formatManifestProblem } from '../resources/manifest.ts'
import { type FolderRules, type ManifestFile, nextState } from './folder-state.ts'
import { publishCatalog } from './publisher.ts'
import { keyOf, type Published, type Resource, revisionOf } from './records.ts'

export interface ApplyOptions extends FolderRules {
  files: readonly ManifestFile[]
  /** What the catalog says now. */
  published: ReadonlyMap<string, Published>
  admin: Pick<Admin, 'describeTopics' | 'listTopics'>
  /** Copies of the install's own topics, and the most that a channel gets. */
  replicas: number
}

export interface ApplyPlan {
  resources: Resource[]
  topicChanges: TopicChange[]
  /** Topics of removed channels that ask for their deletion. */
  topicsToDelete: string[]
  /** One for each resource and each topic that changes: `NotificationChannel shop/email created`. */
  lines: string[]
}

/** What is wrong, one line each. Nothing may be changed then. */
export type ApplyPlanned = { kind: 'planned'; plan: ApplyPlan } | { kind: 'refused'; problems: string[] }

/**
 * Compares manifests with the catalog and the topics, and says what it takes to bring both to what the manifests say. Changes nothing.
 * A resource that was applied before and is gone from the manifests is taken back. Rejects with a BrokerError.
 */
export async function planApply(options: ApplyOptions): Promise<ApplyPlanned> {
  const { files, published, admin, prefix, replicas } = options
  const before = new Map(
    [...published].filter(([key, { source }]) => source === 'folder' && !isRevision(key)),
  )
  const served = new Map([...before].map(([key, { resource }]) => [key, { resource, file: 'the catalog' }]))
  const state = await nextState(files, served, options)
  const resources = [...state.served.values()].map(({ resource }) => resource).toSorted(byKey)
  const problems = [...state.problems.map(formatManifestProblem), ...foreign(resources, published)]
  if (problems.length > 0) return { kind: 'refused', problems }
  if (resources.length === 0) return { kind: 'refused', problems: ['there is no manifest to apply'] }

  const install = installTopicSpecs(prefix, replicas)
  const specs = [...install, ...resources.flatMap((resource) => topicsOf(resource, options))]
  const found = await admin.describeTopics(specs.map(({ name }) => name))
  const topics = planTopics(specs, found)
  if (topics.problems.length > 0) return { kind: 'refused', problems: topics.problems }

  const changed = new Set(topics.changes.map(topicOf))
  const removed = [...before].filter(([key]) => !state.served.has(key)).map(([, { resource }]) => resource)
  const topicsToDelete = (
    await Promise.all(removed.map((resource) => doomedTopics(resource, options)))
  ).flat()
  const lines = [
    ...topics.changes.map(describeTopicChange),
    ...resources.map((resource) => {
      const same = before.get(keyOf(resource))?.revision === revisionOf(resource)
      const untouched = topicsOf(resource, options).every(({ name }) => !changed.has(name))
      const verb = !before.has(keyOf(resource)) ? 'created' : same && untouched ? 'unchanged' : 'configured'
      return `${titleOf(resource)} ${verb}`
    }),
    ...removed.map((resource) => `${titleOf(resource)} removed`),
    ...topicsToDelete.map((topic) => `Topic ${topic} removed`),
  ]
  return { kind: 'planned', plan: { resources, topicChanges: topics.changes, topicsToDelete, lines } }
}

/**
 * Makes what was planned: topics before the catalog names them, and the catalog before topics go. Rejects with a BrokerError; what was
 * done stays, and applying again does the rest.
 */
export async function carryOut(
  { resources, topicChanges, topicsToDelete }: ApplyPlan,
  { broker, published, prefix }: { broker: Broker } & Pick<ApplyOptions, 'published' | 'prefix'>,
): Promise<void> {
  const { admin, producer } = broker
  await applyTopicChanges(admin, topicChanges)
  await publishCatalog({ producer, topic: catalogTopic(prefix), source: 'folder', resources, published })
  await admin.deleteTopics(topicsToDelete)
}

/** A name that another source has published is not the folder's to change. */
function foreign(resources: readonly Resource[], published: ReadonlyMap<string, Published>): string[] {
  return resources.flatMap((resource) => {
    const source = published.get(keyOf(resource))?.source ?? 'folder'
    return source === 'folder' ? [] : [`${titleOf(resource)} comes from ${source} and is changed there`]
  })
}

function topicsOf(resource: Resource, { prefix, replicas }: Pick<ApplyOptions, 'prefix' | 'replicas'>) {
  return resource.kind === 'NotificationChannel' ? channelTopicSpecs(prefix, resource, replicas) : []
}

/** All topics of a channel that goes with them, those of tiers that it had before among them. */
async function doomedTopics(resource: Resource, options: ApplyOptions): Promise<string[]> {
  if (resource.kind !== 'NotificationChannel' || resource.spec.topic.deletionPolicy !== 'Delete') return []
  const { metadata, spec } = resource
  const { main } = channelTopics(options.prefix, metadata, spec.topic.name, [])
  const retries = await options.admin.listTopics(retryTopicPrefix(main))
  return [...new Set([...topicsOf(resource, options).map(({ name }) => name), ...retries])]
}

function topicOf(change: TopicChange): string {
  return change.kind === 'create' ? change.spec.name : change.topic
}

function titleOf({ kind, metadata }: Resource): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`
}

const isRevision = (key: string) => key.includes('@')
const byKey = (left: Resource, right: Resource) => (keyOf(left) < keyOf(right) ? -1 : 1)
