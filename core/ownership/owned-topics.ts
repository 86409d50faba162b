import type { Admin, TopicDescription, TopicSpec } from '../broker/broker.ts'
import {
  applyTopicChanges,
  planTopics,
  type TopicChange,
  type TopicPlan,
} from '../broker/reconcile-topics.ts'
import type { Ownership } from './ownership.ts'
import { creatingMark, type TopicMark } from './records.ts'

/** Annotation of a channel: `"true"` lets it have topics that are there already and that this install did not make. */
export const adoptAnnotation = 'carillon.dev/adopt-topics'

export interface Owner extends Pick<TopicMark, 'channel' | 'deletionPolicy'> {
  /** Whether it may have topics that were there before. */
  adopts: boolean
}

export interface OwnershipPlan {
  /** Marks to be written before anything is changed. */
  marks: [topic: string, mark: TopicMark][]
  /** Topics that the channel cannot have. One line each; nothing may be changed then. */
  refusals: string[]
}

/**
 * Which topics a channel may have, and what is to be written down before they are made or changed. What is there without a mark belongs to somebody
 * else, whatever its name, unless the channel adopts it. What this install made stays with it when its channel goes, but never passes to a channel of
 * another namespace. Pure.
 */
export function planOwnership(
  specs: readonly TopicSpec[],
  found: readonly TopicDescription[],
  marks: ReadonlyMap<string, TopicMark>,
  { channel, deletionPolicy, adopts }: Owner,
): OwnershipPlan {
  const owner = { channel, deletionPolicy }
  const existing = new Map(found.map((topic) => [topic.name, topic]))
  const plan: OwnershipPlan = { marks: [], refusals: [] }
  for (const spec of specs) {
    const { name } = spec
    const topic = existing.get(name)
    const mark = marks.get(name)
    if (topic === undefined) {
      plan.marks.push([
        name,
        mark && mark.state !== 'creating' ? { ...mark, ...owner } : creatingMark(owner, spec),
      ])
      continue
    }
    const isMarked = mark !== undefined && (mark.state !== 'creating' || isAs(topic, mark.as))
    if (isMarked && namespaceOf(mark.channel) !== namespaceOf(channel))
      plan.refusals.push(
        `topic ${name} was made for NotificationChannel ${mark.channel}, of another namespace`,
      )
    else if (isMarked)
      plan.marks.push([name, { state: mark.state === 'creating' ? 'created' : mark.state, ...owner }])
    else if (adopts) plan.marks.push([name, { state: 'adopted', ...owner }])
    else
      plan.refusals.push(
        `topic ${name} is there already, and this install did not make it: choose another name, or annotate the channel with ${adoptAnnotation}=true to have the topic configured and used`,
      )
  }
  return plan
}

export type OwnedTopics =
  | {
      kind: 'owned'
      topics: TopicDescription[]
      /** Those that were made. */
      changes: TopicChange[]
      problems: TopicPlan['problems']
    }
  | { kind: 'refused'; refusals: string[] }

/**
 * Makes the topics of a channel what they should be, if it may have them all; else touches none. Says before that it creates one and after that it
 * did: whatever comes in between, the next look knows its own from another's. Rejects with a BrokerError, with PrefixTaken, or with the signal's reason.
 */
export async function ensureOwnedTopics(
  specs: readonly TopicSpec[],
  { admin, ownership, ...owner }: Owner & { admin: Admin; ownership: Ownership },
  signal: AbortSignal,
): Promise<OwnedTopics> {
  const { channel, deletionPolicy } = owner
  // Also of former retry tiers, and of topics that go on while a new one is refused.
  await ownership.mark(
    [...ownership.marks].flatMap(([name, mark]): [string, TopicMark][] =>
      mark.channel === channel ? [[name, { ...mark, deletionPolicy }]] : [],
    ),
    signal,
  )
  const names = specs.map(({ name }) => name)
  const found = await admin.describeTopics(names)
  const before = new Map(ownership.marks)
  const owned = planOwnership(specs, found, before, owner)
  if (owned.refusals.length > 0) return { kind: 'refused', refusals: owned.refusals }
  await ownership.mark(owned.marks, signal)

  const { changes, problems } = planTopics(specs, found)
  const missing = changes.flatMap((change) => (change.kind === 'create' ? [change.spec] : []))
  if (missing.length > 0) ownership.assertOurs()
  const unsure = (await admin.createTopics(missing)).filter((name) => isUnsure(before.get(name)))
  if (unsure.length > 0) {
    // Somebody was quicker, or a try that was given up has ended well after all: the next look tells, by what was written down before this one.
    await ownership.mark(
      unsure.map((name) => [name, before.get(name)]),
      signal,
    )
    return {
      kind: 'refused',
      refusals: unsure.map((name) => `topic ${name} was made just now, and not by us`),
    }
  }
  const created = missing.filter(({ name }) => isUnsure(ownership.marks.get(name)))
  await ownership.mark(
    created.map(({ name }) => [name, { state: 'created', channel, deletionPolicy }]),
    signal,
  )
  for (const change of changes.filter(({ kind }) => kind !== 'create')) {
    ownership.assertOurs()
    await applyTopicChanges(admin, [change])
  }
  const topics = changes.length === 0 ? found : await admin.describeTopics(names)
  return { kind: 'owned', topics, changes, problems }
}

/**
 * Deletes what this install made for a channel that is gone, also for retry tiers that it no longer had, and forgets all its topics, where its
 * deletion policy was `Delete`. Answers those that were adopted and so stay. Rejects with a BrokerError, with PrefixTaken, or with the signal's reason; done
 * again, it does the rest.
 * @param taken topics that another channel has or will have, as of now: they stay as they are
 */
export async function deleteOwnedTopics(
  channel: string,
  {
    admin,
    ownership,
    taken,
  }: {
    admin: Pick<Admin, 'describeTopics' | 'deleteTopics'>
    ownership: Ownership
    taken: () => ReadonlySet<string>
  },
  signal: AbortSignal,
): Promise<{ left: string[] }> {
  const own = () => {
    const others = taken()
    return new Map(
      [...ownership.marks].filter(
        ([name, mark]) => mark.channel === channel && mark.deletionPolicy === 'Delete' && !others.has(name),
      ),
    )
  }
  const described = await admin.describeTopics([...own().keys()])
  // Another channel may have come meanwhile that has some of them.
  const marks = own()
  const found = described.filter(({ name }) => marks.has(name))
  const isOurs = (topic: TopicDescription) => {
    const mark = marks.get(topic.name)
    return mark?.state === 'created' || (mark?.state === 'creating' && isAs(topic, mark.as))
  }
  const [doomed, left] = [found.filter(isOurs), found.filter((topic) => !isOurs(topic))]
  if (doomed.length > 0) ownership.assertOurs()
  await admin.deleteTopics(doomed.map(({ name }) => name))
  const still = own()
  await ownership.mark(
    [...marks.keys()].filter((name) => still.has(name)).map((name) => [name, undefined]),
    signal,
  )
  return { left: left.map(({ name }) => name) }
}

function isUnsure(mark: TopicMark | undefined): boolean {
  return mark === undefined || mark.state === 'creating'
}

/** Whether a topic is as it was to be made. A Kafka may give every topic settings of its own beside those. */
function isAs(
  { partitions, replicas, config }: TopicDescription,
  as: Extract<TopicMark, { state: 'creating' }>['as'],
): boolean {
  return (
    partitions === as.partitions &&
    replicas === as.replicas &&
    Object.entries(as.config).every(([key, value]) => config[key] === value)
  )
}

function namespaceOf(channel: string): string {
  return channel.slice(0, channel.indexOf('/'))
}
