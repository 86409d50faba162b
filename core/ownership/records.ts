import { z } from 'zod'
import type { ConsumedRecord, RecordToProduce, TopicSpec } from '../broker/broker.ts'
import { envelopeVersion, header } from '../notification/envelope.ts'
import { ownershipTopic } from '../notification/topics.ts'

/**
 * Records of the ownership topic: one of the install under the key `install`, and one of each topic of a channel under `topic/<name>`. They
 * are not made from anything else, so what they say cannot be made again.
 */

const install = z.object({
  /** Equal for all processes of one install, and for no other's. */
  id: z.string().min(1).max(200),
  /** What people know it by. */
  name: z.string().min(1).max(200),
})
export type Install = z.infer<typeof install>

const owner = {
  /** `namespace/name`. */
  channel: z.string(),
  /** What becomes of the topic with its channel. Kept here, because what is made is to go also when its channel was never published. */
  deletionPolicy: z.enum(['Retain', 'Delete']).default('Retain'),
}

const mark = z.discriminatedUnion('state', [
  z.object({
    /** Written before the topic is created: what a crash leaves behind is told by whether it looks as it was to be made. */
    state: z.literal('creating'),
    ...owner,
    as: z.object({ partitions: z.int(), replicas: z.int(), config: z.record(z.string(), z.string()) }),
  }),
  z.object({
    /** `created` is ours altogether; `adopted` was there before, and is configured but never deleted. */
    state: z.enum(['created', 'adopted']),
    ...owner,
  }),
])
/** What is written down of a topic. */
export type TopicMark = z.infer<typeof mark>

export type OwnershipRecord =
  | { kind: 'install'; install: Install }
  | { kind: 'mark'; topic: string; mark: TopicMark | undefined }
  | { kind: 'unreadable' }

const installKey = 'install'
const topicKey = 'topic/'

/** The record that says whose a prefix is. */
export function installRecord(prefix: string, value: Install): RecordToProduce {
  return record(prefix, installKey, value)
}

/** @param value undefined takes the mark back */
export function markRecord(prefix: string, topic: string, value: TopicMark | undefined): RecordToProduce {
  return record(prefix, topicKey + topic, value ?? null)
}

/** The mark of a topic that is about to be created, with what it is created as. */
export function creatingMark(
  { channel, deletionPolicy }: Pick<TopicMark, 'channel' | 'deletionPolicy'>,
  { partitions, replicas, config }: TopicSpec,
): TopicMark {
  return { state: 'creating', channel, deletionPolicy, as: { partitions, replicas, config } }
}

/** What a record of the ownership topic says; `unreadable` when it is none of ours. */
export function readOwnershipRecord({ key, value, headers }: ConsumedRecord): OwnershipRecord {
  if (key === null || headers[header.version] !== String(envelopeVersion)) return { kind: 'unreadable' }
  const content = value === null ? undefined : parseJson(value)
  if (key === installKey) {
    const { data } = install.safeParse(content)
    return data === undefined ? { kind: 'unreadable' } : { kind: 'install', install: data }
  }
  if (!key.startsWith(topicKey)) return { kind: 'unreadable' }
  const topic = key.slice(topicKey.length)
  if (value === null) return { kind: 'mark', topic, mark: undefined }
  const { data } = mark.safeParse(content)
  return data === undefined ? { kind: 'unreadable' } : { kind: 'mark', topic, mark: data }
}

function record(prefix: string, key: string, content: object | null): RecordToProduce {
  const value = content === null ? null : Buffer.from(JSON.stringify(content))
  const headers = { [header.version]: String(envelopeVersion), 'content-type': 'application/json' }
  return { topic: ownershipTopic(prefix), key, value, headers }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
