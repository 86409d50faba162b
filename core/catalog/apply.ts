import { type Admin, type Broker, BrokerError, type TopicSpec } from '../broker/broker.ts'
import {
  applyTopicChanges,
  describeTopicChange,
  planTopics,
  type TopicChange,
} from '../broker/reconcile-topics.ts'
import { channelTopicSpecs, installTopicSpecs } from '../broker/topic-specs.ts'
import { catalogTopic } from '../notification/topics.ts'
import {
  adoptAnnotation,
  deleteOwnedTopics,
  ensureOwnedTopics,
  type Owner,
  planOwnership,
} from '../ownership/owned-topics.ts'
import type { Ownership } from '../ownership/ownership.ts'
import type { TopicMark } from '../ownership/records.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import { formatManifestProblem } from '../resources/manifest.ts'
import { type FolderRules, nextState } from './folder-state.ts'
import type { ManifestFile } from './manifest-files.ts'
import { publishCatalog } from './publisher.ts'
import type { Entry } from './reader.ts'
import { keyOf, removedRecord, type Resource, revisionKeyOf, revisionOf } from './records.ts'
import { outdatedRevisions } from './revisions.ts'

export interface ApplyOptions extends FolderRules {
  files: readonly ManifestFile[]
  /** What the catalog says now. */
  published: ReadonlyMap<string, Entry>
  /** What is written down of topics, by name. */
  marks: ReadonlyMap<string, TopicMark>
  admin: Pick<Admin, 'describeTopics'>
  /** Copies of the install's own topics, and the most that a channel gets. */
  replicas: number
  /** Milliseconds since the epoch. */
  now: number
}

export interface ApplyPlan {
  resources: Resource[]
  /** Of the install's own topics. */
  installChanges: TopicChange[]
  /** Every channel, and what its topics are to be. */
  channels: { owner: Owner; specs: TopicSpec[] }[]
  /** Removed channels whose topics go with them, `namespace/name`. */
  doomed: string[]
  /** Keys of the catalog: former revisions of templates that no record can name any more. */
  outdated: string[]
  /** One for each resource and each topic that changes: `NotificationChannel shop/email created`. */
  lines: string[]
}

/** What is wrong, one line each. Nothing may be changed then. */
export type ApplyPlanned = { kind: 'planned'; plan: ApplyPlan } | { kind: 'refused'; problems: string[] }

const source = 'folder'

/**
 * Compares manifests with the catalog and the topics, and says what it takes to bring both to what the manifests say. Changes nothing.
 * A resource that was applied before and is gone from the manifests is taken back. Rejects with a BrokerError.
 */
export async function planApply(options: ApplyOptions): Promise<ApplyPlanned> {
  const { files, published, marks, admin, prefix, replicas } = options
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
  const channels = resources.flatMap((resource) => {
    return resource.kind === 'NotificationChannel'
      ? [{ owner: ownerOf(resource), specs: topicsOf(resource, options) }]
      : []
  })
  const specs = [...install, ...channels.flatMap((channel) => channel.specs)]
  const found = await admin.describeTopics(specs.map(({ name }) => name))
  const topics = planTopics(specs, found)
  const refusals = channels.flatMap(
    (channel) => planOwnership(channel.specs, found, marks, channel.owner).refusals,
  )
  if (refusals.length + topics.problems.length > 0)
    return { kind: 'refused', problems: [...refusals, ...topics.problems] }

  const changed = new Set(topics.changes.map(topicOf))
  const removed = [...before].filter(([key]) => !state.served.has(key)).map(([, { resource }]) => resource)
  const doomed = doomedChannels(marks, resources, published)
  const wanted = new Set(specs.map(({ name }) => name))
  const lines = [
    ...topics.changes.map(describeTopicChange),
    ...resources.map((resource) => {
      const same = before.get(keyOf(resource))?.revision === revisionOf(resource)
      const untouched = topicsOf(resource, options).every(({ name }) => !changed.has(name))
      const verb = !before.has(keyOf(resource)) ? 'created' : same && untouched ? 'unchanged' : 'configured'
      return `${titleOf(resource)} ${verb}`
    }),
    ...removed.map((resource) => `${titleOf(resource)} removed`),
    ...[...marks].flatMap(([topic, mark]) =>
      mark.state === 'created' &&
      mark.deletionPolicy === 'Delete' &&
      doomed.includes(mark.channel) &&
      !wanted.has(topic)
        ? [`Topic ${topic} removed`]
        : [],
    ),
  ]
  const installChanges = planTopics(install, found).changes
  const outdated = outdatedOf(resources, options)
  return { kind: 'planned', plan: { resources, installChanges, channels, doomed, outdated, lines } }
}

/**
 * Makes what was planned: topics before the catalog names them, and the catalog before topics go. Rejects with a BrokerError, or when somebody else has made
 * a topic meanwhile; what was done stays, and applying again does the rest.
 */
export async function carryOut(
  { resources, installChanges, channels, doomed, outdated }: ApplyPlan,
  {
    broker,
    ownership,
    published,
    prefix,
  }: { broker: Broker; ownership: Ownership } & Pick<ApplyOptions, 'published' | 'prefix'>,
  signal: AbortSignal,
): Promise<void> {
  const { admin, producer } = broker
  await applyTopicChanges(admin, installChanges)
  for (const { owner, specs } of channels) {
    const owned = await ensureOwnedTopics(specs, { admin, ownership, ...owner }, signal)
    if (owned.kind === 'refused') throw new BrokerError('invalid', owned.refusals.join('; '))
  }
  const topic = catalogTopic(prefix)
  await publishCatalog({ producer, topic, source, resources, published })
  if (outdated.length > 0) await producer.produce(outdated.map((key) => removedRecord(topic, key)))
  const wanted = new Set(channels.flatMap(({ specs }) => specs.map(({ name }) => name)))
  for (const channel of doomed)
    await deleteOwnedTopics(channel, { admin, ownership, taken: () => wanted }, signal)
}

/** Of a template that is gone nobody noted since when: its revisions stay. One that comes back with a former text has that revision again. */
function outdatedOf(
  resources: readonly Resource[],
  { published, now }: Pick<ApplyOptions, 'published' | 'now'>,
): string[] {
  const wanted = new Set(resources.map((resource) => revisionKeyOf(resource, revisionOf(resource))))
  return outdatedRevisions(published, source, new Map(), now).filter((key) => !wanted.has(key))
}

/** A name that another source has published is not the folder's to change. */
function foreign(resources: readonly Resource[], published: ApplyOptions['published']): string[] {
  return resources.flatMap((resource) => {
    const source = published.get(keyOf(resource))?.source ?? 'folder'
    return source === 'folder' ? [] : [`${titleOf(resource)} comes from ${source} and is changed there`]
  })
}

function topicsOf(resource: Resource, { prefix, replicas }: Pick<ApplyOptions, 'prefix' | 'replicas'>) {
  return resource.kind === 'NotificationChannel' ? channelTopicSpecs(prefix, resource, replicas) : []
}

/** Channels that were applied once, published or not, are gone from the manifests, and whose topics were to go with them. */
function doomedChannels(
  marks: ReadonlyMap<string, TopicMark>,
  resources: readonly Resource[],
  published: ApplyOptions['published'],
): string[] {
  const present = new Set(
    resources.flatMap((resource) => (resource.kind === 'NotificationChannel' ? [channelOf(resource)] : [])),
  )
  const isFolders = (channel: string) =>
    (published.get(`NotificationChannel/${channel}`)?.source ?? 'folder') === 'folder'
  const doomed = [...marks.values()].filter(
    ({ channel, deletionPolicy }) =>
      deletionPolicy === 'Delete' && !present.has(channel) && isFolders(channel),
  )
  return [...new Set(doomed.map(({ channel }) => channel))]
}

function ownerOf(channel: NotificationChannel): Owner {
  const { deletionPolicy } = channel.spec.topic
  const adopts = channel.metadata.annotations?.[adoptAnnotation] === 'true'
  return { channel: channelOf(channel), deletionPolicy, adopts }
}

const channelOf = ({ metadata }: Resource) => `${metadata.namespace}/${metadata.name}`

function topicOf(change: TopicChange): string {
  return change.kind === 'create' ? change.spec.name : change.topic
}

function titleOf({ kind, metadata }: Resource): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`
}

const isRevision = (key: string) => key.includes('@')
const byKey = (left: Resource, right: Resource) => (keyOf(left) < keyOf(right) ? -1 : 1)
