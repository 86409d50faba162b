import { z } from 'zod'
import type { ConsumedRecord, RecordToProduce } from '../broker/broker.ts'
import { header } from '../notification/envelope.ts'
import { failureClasses } from '../notification/failure.ts'

/**
 * What a delivery worker says of itself on the topic of heartbeats, keyed by its id: one record every few seconds, and a tombstone
 * when it stops in order. A worker that was killed has no tombstone, so a heartbeat only counts for a while.
 */

/** Milliseconds between two heartbeats of a worker. */
export const heartbeatInterval = 5_000

/** The major version. A reader passes over what it does not know: to it such a worker is not there. */
const version = '1'

const provider = z.object({
  /** Its name in the channel's spec. */
  name: z.string(),
  circuit: z.enum(['closed', 'open', 'half_open']),
  /** Milliseconds since the epoch at which the circuit left or became closed. */
  since: z.number(),
  lastFailure: z.enum(failureClasses).nullable(),
})

/** Fields that a newer worker adds are dropped; what readers must not misread gets a new version. */
const heartbeat = z.object({
  worker: z.string().min(1),
  namespace: z.string(),
  channel: z.string(),
  /** Milliseconds until the next one is to be expected, at the most. */
  interval: z.number().positive(),
  /** Deliveries per second that were finished since the last heartbeat. */
  rate: z.number().nonnegative(),
  /** Deliveries that it may have in flight. */
  slots: z.number().nonnegative(),
  /** How many of the slots were busy since the last heartbeat, on average. */
  busy: z.number().nonnegative(),
  /** Deliveries per second that it can finish with every slot busy; `null` while it was never busy enough to know. */
  capacity: z.number().nonnegative().nullable(),
  /** Of the channel, in failover order. */
  providers: z.array(provider),
})

export type Heartbeat = z.infer<typeof heartbeat>

/** What a record of the topic says. */
export type HeartbeatRecord =
  | { kind: 'alive'; heartbeat: Heartbeat }
  | { kind: 'stopped'; worker: string }
  | { kind: 'unreadable'; detail: string }

/** The record by which a worker says how it is. */
export function heartbeatRecord(topic: string, beat: Heartbeat): RecordToProduce {
  return { topic, key: beat.worker, value: Buffer.from(JSON.stringify(beat)), headers }
}

/** The tombstone by which a worker says that it has ended in order. */
export function stoppedRecord(topic: string, worker: string): RecordToProduce {
  return { topic, key: worker, value: null, headers }
}

/** Reads a record of the workers' topic. One that this version cannot read is told as such. */
export function readHeartbeat({ key, value, headers }: ConsumedRecord): HeartbeatRecord {
  if (key === null) return { kind: 'unreadable', detail: 'no key' }
  if (value === null) return { kind: 'stopped', worker: key }
  if (headers[header.version] !== version) return { kind: 'unreadable', detail: 'unknown version' }
  const parsed = heartbeat.safeParse(parseJson(value))
  if (parsed.success) return { kind: 'alive', heartbeat: parsed.data }
  return { kind: 'unreadable', detail: `/${parsed.error.issues[0]?.path.join('/') ?? ''}` }
}

const headers = { [header.version]: version, 'content-type': 'application/json' }

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
