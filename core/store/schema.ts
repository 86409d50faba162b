import type { ColumnType, Generated, JSONColumnType } from 'kysely'
import type { FailureClass } from '../notification/failure.ts'
import type {
  DeadLetterFilter,
  ReplayPositions,
  ReplayStatus,
  SkippedCounts,
} from '../notification/replay.ts'
import type { DeliveryStatus, Reason } from '../notification/status.ts'
import type { UserProfile } from '../notification/user-profile.ts'
import type { ChannelType } from '../resources/channel-type.ts'

/** The tables of PostgreSQL as Kysely sees them. `migrations/` makes them; docs/concepts says what each is for. */
export interface Database {
  notifications: NotificationTable
  deliveries: DeliveryTable
  attempts: AttemptTable
  cancellations: CancellationTable
  sweeps: SweepTable
  untold_changes: UntoldChangeTable
  held_records: HeldRecordTable
  users: UserTable
  inbox: InboxTable
  dead_letters: DeadLetterTable
  replays: ReplayTable
  broker_topics: BrokerTopicTable
  broker_partitions: BrokerPartitionTable
  broker_records: BrokerRecordTable
  broker_offsets: BrokerOffsetTable
}

type Timestamp = ColumnType<Date, Date | string, Date | string>
type NullableTimestamp = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>

/** The hash of a body that nobody remembers. */
export const unknownBody = Buffer.alloc(0)

/** One accepted request. */
export interface NotificationTable {
  id: string
  tenant: string
  /** SHA-256 of the canonical request: tells a repeat from a conflict. {@link unknownBody} where only a delivery was left of it. */
  body_hash: Buffer
  template: string | null
  template_revision: string | null
  category: string | null
  metadata: JSONColumnType<Record<string, unknown>>
  traceparent: string | null
  accepted_at: Timestamp
  expires_at: NullableTimestamp
  /** Requests that came with the same Idempotency-Key and another body. */
  conflicts: Generated<number>
}

/** One recipient on one channel: the unit of retry, and the row that a worker claims. */
export interface DeliveryTable {
  id: string
  notification_id: string
  tenant: string
  channel: string
  channel_type: ChannelType
  /** Canonical form, `user:u_42` or `email:…`: what the id is derived from. */
  recipient: string
  user_id: string | null
  status: DeliveryStatus
  reason: Reason | null
  /** The last attempt claimed; 0 before the first. */
  attempt: Generated<number>
  /** Raised by each replay; an older epoch's records are dropped. */
  replay_epoch: Generated<number>
  /** Claims of the current attempt. A fourth means that three ended without an outcome: the record is poison. */
  claims: Generated<number>
  /** Attempts that do not count against `maxAttempts`: rate limited, or refused for our credentials. */
  uncounted: Generated<number>
  owner: string | null
  lease_until: NullableTimestamp
  provider: string | null
  provider_message_id: string | null
  /** When the next attempt is due, while `retrying`. */
  due_at: NullableTimestamp
  expires_at: NullableTimestamp
  /** Set on a delivery that was being sent when its notification was cancelled: it is not tried again. */
  cancel_requested_at: NullableTimestamp
  created_at: Timestamp
  updated_at: Timestamp
}

/** A change of a delivery that is still to be told as an event; the database itself notes it. */
export interface UntoldChangeTable {
  delivery_id: string
  replay_epoch: number
  attempt: number
  status: DeliveryStatus
  reason: Reason | null
}

/** One claim of a delivery. A row whose `outcome` stays empty is a worker that died or froze: it explains a duplicate. */
export interface AttemptTable {
  delivery_id: string
  replay_epoch: number
  attempt: number
  /** Counts the claims of one attempt from 1. */
  claim: number
  owner: string
  claimed_at: Timestamp
  finished_at: NullableTimestamp
  provider: string | null
  outcome: AttemptOutcome | null
  code: string | null
  detail: string | null
}

/** `interrupted`: the lease ran out without an outcome, so the message may or may not have left. */
export type AttemptOutcome = 'sent' | 'interrupted' | FailureClass

/** A notification that was cancelled, also before the planner has recorded it. */
export interface CancellationTable {
  notification_id: string
  tenant: string
  requested_at: Timestamp
}

/** How far a sweep has been along the deadlines: no delivery before this one is unfinished. */
export interface SweepTable {
  name: string
  expires_at: Timestamp
  id: string
}

/** A record that its topic does not take yet. */
export interface HeldRecordTable {
  /** Of a record that belongs to no delivery, an id of its own. */
  delivery_id: string
  /** Rises in the order in which they came. */
  sequence: Generated<number>
  /** What the delivery is while its record is of use; `null` where there is none. */
  status: 'queued' | 'retrying' | 'dead_lettered' | null
  replay_epoch: number
  attempt: number
  topic: string
  key: string | null
  value: Buffer | null
  headers: JSONColumnType<Record<string, string>>
  held_at: Timestamp
}

export interface UserTable {
  tenant: string
  id: string
  profile: JSONColumnType<UserProfile>
  created_at: Timestamp
  updated_at: Timestamp
}

export interface InboxTable {
  id: Generated<number>
  tenant: string
  user_id: string
  delivery_id: string
  title: string
  body: string
  action_url: string | null
  created_at: Timestamp
  read_at: NullableTimestamp
}

/** Which deliveries are `dead_lettered`: kept by triggers on `deliveries`. */
export interface DeadLetterTable {
  delivery_id: string
  /** Rises with time; a delivery that is dead-lettered again gets a new one. */
  sequence: Generated<number>
  tenant: string
  channel: string
  dead_lettered_at: Timestamp
}

/** One replay of dead letters: what was asked for, and how far it is. */
export interface ReplayTable {
  id: string
  sequence: Generated<number>
  tenant: string
  filter: JSONColumnType<DeadLetterFilter>
  /** Records per second. */
  rate: number
  max_records: number | null
  status: ReplayStatus
  /** Why it is paused or has failed, in words. */
  reason: string | null
  /** Dead letters that fitted the filter when it was asked for. */
  matched: number
  replayed: Generated<number>
  skipped: JSONColumnType<SkippedCounts, string | undefined>
  /** How far each partition, named `topic/partition`, has been read; `null` until the ends are noted. */
  positions: JSONColumnType<ReplayPositions | null, string | null | undefined, string | null>
  owner: string | null
  lease_until: NullableTimestamp
  created_at: Timestamp
  started_at: NullableTimestamp
  updated_at: Timestamp
  finished_at: NullableTimestamp
}

/** The embedded broker's log: these four tables are empty where a Kafka is used. */
export interface BrokerTopicTable {
  id: Generated<number>
  name: string
  replicas: number
  config: JSONColumnType<Record<string, string>>
}

export interface BrokerPartitionTable {
  id: Generated<number>
  topic_id: number
  partition: number
  begin_offset: Generated<number>
  /** The offset that the next record gets; it outlives the records. */
  end_offset: Generated<number>
  /** The batch that moved `end_offset` last: tells whether an append whose answer was lost has happened. */
  last_batch: string | null
}

export interface BrokerRecordTable {
  partition_id: number
  offset: number
  /** Milliseconds since the epoch. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  /** JSON. */
  headers: Buffer | null
}

export interface BrokerOffsetTable {
  group_name: string
  partition_id: number
  /** The position to read next. */
  committed: number
}
