import type { Selectable } from 'kysely'
import type { Clock } from '../../core/clock.ts'
import { type DeliveryEnvelope, header } from '../../core/notification/envelope.ts'
import {
  type DeliveryStatus,
  isTerminal,
  type Reason,
  type RecordVerdict,
} from '../../core/notification/status.ts'
import { deadLettersOfRetry } from '../../core/notification/topics.ts'
import type { UserProfile } from '../../core/notification/user-profile.ts'
import {
  type HeldState,
  neverWritten,
  type RecordToHold,
  type RefusedDelivery,
} from '../../core/store/held-records.ts'
import type { HeldRecord, RefusedRecord } from '../../core/store/held-store.ts'
import type { AttemptTable, DeliveryTable } from '../../core/store/schema.ts'
import {
  type AttemptRef,
  type ClaimRequest,
  type ClaimResult,
  type FinishEntry,
  type Finished,
  maxClaims,
} from '../../workers/delivery/ledger/ledger.ts'
import type { PlannedRequest } from '../../workers/planner/record.ts'

export type DeliveryRow = Selectable<DeliveryTable>
/** {@link HeldState}, or another that no record is kept for. */
type State = Omit<HeldState, 'status'> & Pick<DeliveryRow, 'status'>
export type AttemptRow = Selectable<AttemptTable>

const claimable: ReadonlySet<DeliveryStatus> = new Set(['accepted', 'queued', 'retrying'])
const replayable: ReadonlySet<DeliveryStatus> = new Set([
  'dead_lettered',
  'failed',
  'unknown',
  'expired',
  'bounced',
])

/**
 * What PostgreSQL holds of deliveries, in memory. Each method is one transaction. The same suites hold it against the statements of
 * `claim.ts`, `finish.ts` and `record.ts`.
 */
export class MemoryStore {
  readonly deliveries = new Map<string, DeliveryRow>()
  readonly attempts: AttemptRow[] = []
  readonly notifications = new Map<string, { bodyHash: string; conflicts: number }>()
  readonly users = new Map<string, UserProfile>()
  /** By delivery, in the order in which they came. */
  readonly held = new Map<string, HeldRecord>()
  #held = 0
  readonly #cancelled = new Set<string>()
  readonly #clock: Pick<Clock, 'now'>

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  record(planned: readonly PlannedRequest[]): PlannedRequest[] {
    for (const { request } of planned) {
      const { id, body_hash: bodyHash } = request
      if (!this.notifications.get(id)?.bodyHash) this.notifications.set(id, { bodyHash, conflicts: 0 })
    }
    const accepted = planned.filter(({ request }) => {
      const notification = this.notifications.get(request.id)!
      if (notification.bodyHash === request.body_hash) return true
      notification.conflicts++
      return false
    })
    for (const { request, deliveries } of accepted) {
      for (const { result, ...delivery } of deliveries) {
        const row = this.#row(delivery.id, {
          notification_id: request.id,
          tenant: request.tenant,
          channel: delivery.channel,
          channel_type: delivery.channelType,
          recipient: delivery.recipient,
          user_id: delivery.userId,
          expires_at: delivery.expiresAt === undefined ? null : new Date(delivery.expiresAt),
        })
        if (result.kind === 'skip' && row.status === 'queued' && row.attempt === 0)
          Object.assign(row, { status: result.status, reason: result.reason })
      }
    }
    this.#endCancelled()
    return accepted.filter(({ request }) => !this.#cancelled.has(request.id))
  }

  /** Cancels what of a notification is not sent yet. */
  cancel(notificationId: string): void {
    this.#cancelled.add(notificationId)
    this.#endCancelled()
  }

  hold(records: readonly RecordToHold[]): void {
    for (const record of records) {
      const { delivery, state } = record
      const row = state === null ? undefined : this.#in(delivery, state)
      if (state !== null && row === undefined) continue
      if (!this.isHeld(delivery, state)) {
        this.held.delete(delivery)
        this.held.set(delivery, { ...record, sequence: ++this.#held })
      }
      if (row !== undefined && row.status !== 'dead_lettered') row.reason = 'topic_unavailable'
    }
  }

  /** Whether a record is kept for a delivery that is in this state. */
  isHeld(delivery: string, state: State | null): boolean {
    const held = this.held.get(delivery)
    return held !== undefined && isSame(held.state, state)
  }

  heldTopics(): { topic: string; since: Date }[] {
    const topics = new Set([...this.held.values()].map(({ topic }) => topic))
    return [...topics].toSorted().map((topic) => ({ topic, since: new Date(this.#clock.now()) }))
  }

  heldBehind(topics: readonly string[]): Set<string> {
    return new Set(topics.filter((topic) => this.readHeld(topic, 1).length > 0))
  }

  readHeld(topic: string, limit: number): HeldRecord[] {
    return [...this.held.values()].filter((record) => record.topic === topic).slice(0, limit)
  }

  strikeOffHeld(records: readonly HeldRecord[]): void {
    for (const { delivery, sequence, state, headers } of records) {
      if (this.held.get(delivery)?.sequence !== sequence) continue
      this.held.delete(delivery)
      const row = state === null || state.status === 'dead_lettered' ? undefined : this.#in(delivery, state)
      const reason = headers[header.reason] ?? 'topic_unavailable'
      if (row !== undefined) row.reason = reason === 'topic_unavailable' ? null : (reason as Reason)
    }
  }

  dropEndedHeld(): undefined {
    for (const { delivery, state } of this.held.values())
      if (state !== null && this.#in(delivery, state) === undefined) this.held.delete(delivery)
  }

  failRefused(refused: readonly RefusedDelivery[]): void {
    for (const { delivery, reason } of refused) {
      const row = this.#in(delivery, neverWritten)
      if (row !== undefined) Object.assign(row, { status: 'failed', reason })
    }
  }

  endRefusedHeld(refused: readonly RefusedRecord[]): void {
    for (const { record: whole, reason } of refused) {
      const { delivery, state, ...record } = whole
      if (state?.status === 'queued') this.failRefused([{ delivery, reason }])
      if (state?.status !== 'retrying' || !this.giveUp({ id: delivery, ...state }, reason)) continue
      const topic = deadLettersOfRetry(record.topic)
      const headers = { ...record.headers, [header.reason]: reason }
      this.hold([{ ...record, delivery, topic, headers, state: { ...state, status: 'dead_lettered' } }])
    }
  }

  claim(workerId: string, items: readonly ClaimRequest[]): ClaimResult[] {
    const newest = new Map<string, ClaimRequest>()
    for (const item of items) {
      const other = newest.get(item.id)
      if (other === undefined || compare(item, other) > 0) newest.set(item.id, item)
    }
    return items.map((item) =>
      newest.get(item.id) === item ? this.#claimOne(workerId, item) : { kind: 'busy', milliseconds: 0 },
    )
  }

  /** The row of a delivery that is in this state. */
  #in(id: string, { status, replayEpoch, attempt }: HeldState): DeliveryRow | undefined {
    const row = this.deliveries.get(id)
    const same = row?.status === status && row.replay_epoch === replayEpoch && row.attempt === attempt
    return same ? row : undefined
  }

  #endCancelled(): void {
    for (const row of this.deliveries.values()) {
      if (!this.#cancelled.has(row.notification_id) || isTerminal(row.status)) continue
      row.cancel_requested_at = new Date(this.#clock.now())
      if (row.status !== 'sending') Object.assign(row, { status: 'cancelled', reason: null, due_at: null })
    }
  }

  #claimOne(workerId: string, { leaseMilliseconds, alone, ...ref }: ClaimRequest): ClaimResult {
    const row = this.deliveries.get(ref.id)
    if (row === undefined) return { kind: 'missing' }
    const now = this.#clock.now()
    const present = { id: row.id, replayEpoch: row.replay_epoch, attempt: row.attempt }
    const newer = compare(ref, present)
    const left = (row.lease_until?.getTime() ?? 0) - now
    if (newer < 0) return { kind: 'stale' }
    if (row.status === 'sending' && left > 0) return { kind: 'busy', milliseconds: left }
    const open = row.status === 'sending' || row.status === 'queued'
    if (newer === 0 && open && row.claims === maxClaims - 1 && !alone) return { kind: 'only_alone' }
    if (row.status === 'sending') {
      const lost = this.#attemptOf(present, row.claims)
      if (lost?.outcome === null) Object.assign(lost, { outcome: 'interrupted', finished_at: new Date(now) })
    } else if (newer === 0 && row.status !== 'queued') {
      return { kind: 'settled', status: row.status, reason: row.reason, dueAt: row.due_at }
    } else if (
      !claimable.has(row.status) &&
      !(ref.replayEpoch > row.replay_epoch && replayable.has(row.status))
    ) {
      return { kind: 'stale' }
    }
    const claim = newer === 0 ? row.claims + 1 : 1
    Object.assign(row, {
      status: 'sending',
      reason: null,
      due_at: null,
      owner: workerId,
      cancel_requested_at: ref.replayEpoch === row.replay_epoch ? row.cancel_requested_at : null,
      uncounted: ref.replayEpoch === row.replay_epoch ? row.uncounted : 0,
      replay_epoch: ref.replayEpoch,
      attempt: ref.attempt,
      claims: claim,
      lease_until: new Date(now + leaseMilliseconds),
    })
    const logged: AttemptRow = {
      delivery_id: ref.id,
      replay_epoch: ref.replayEpoch,
      attempt: ref.attempt,
      claim,
      owner: workerId,
      claimed_at: new Date(now),
      finished_at: null,
      provider: null,
      outcome: null,
      code: null,
      detail: null,
    }
    const before = this.#attemptOf(ref, claim)
    if (before === undefined) this.attempts.push(logged)
    else Object.assign(before, logged)
    return {
      kind: 'claimed',
      claim,
      uncounted: row.uncounted,
      ...(row.cancel_requested_at !== null && { cancelled: true }),
    }
  }

  /** What is to be committed with the outcome is, or neither. */
  async finish(workerId: string, entry: FinishEntry): Promise<Finished> {
    const row = this.deliveries.get(entry.id)
    if (row?.status !== 'sending' || row.owner !== workerId || row.claims !== entry.claim) return 'lost'
    if (row.replay_epoch !== entry.replayEpoch || row.attempt !== entry.attempt) return 'lost'
    await entry.commitWith?.(undefined as never)
    const { outcome, provider, code, detail } = entry
    const cancelled =
      (entry.status === 'retrying' || entry.status === 'queued') && row.cancel_requested_at !== null
    Object.assign(row, {
      status: cancelled ? 'cancelled' : entry.status,
      reason: cancelled ? null : entry.reason,
      due_at: cancelled ? null : entry.dueAt,
      claims: row.claims - (entry.status === 'queued' ? 1 : 0),
      uncounted: row.uncounted + (entry.uncounted ? 1 : 0),
      provider: provider ?? row.provider,
      provider_message_id: entry.providerMessageId ?? row.provider_message_id,
      owner: null,
      lease_until: null,
    })
    const finished = { outcome, provider, code, detail, finished_at: new Date(this.#clock.now()) }
    Object.assign(this.#attemptOf(entry, entry.claim)!, finished)
    return cancelled ? 'cancelled' : 'recorded'
  }

  giveUp({ id, replayEpoch, attempt }: AttemptRef, reason: RecordVerdict): boolean {
    const row = this.deliveries.get(id)
    if (row?.status !== 'retrying' || row.replay_epoch !== replayEpoch || row.attempt !== attempt)
      return false
    Object.assign(row, { status: 'dead_lettered', reason, due_at: null })
    return true
  }

  restore(envelope: DeliveryEnvelope): void {
    const { id, notification_id, tenant, channel, channel_type, recipient, user, expires_at } = envelope
    if (!this.notifications.has(notification_id))
      this.notifications.set(notification_id, { bodyHash: '', conflicts: 0 })
    this.#row(id, {
      notification_id,
      tenant,
      channel,
      channel_type,
      recipient,
      user_id: typeof user?.['id'] === 'string' ? user['id'] : null,
      expires_at: expires_at === undefined ? null : new Date(expires_at),
    })
  }

  /** The row of a delivery, queued when it was not there. */
  #row(
    id: string,
    shared: Pick<
      DeliveryRow,
      'notification_id' | 'tenant' | 'channel' | 'channel_type' | 'recipient' | 'user_id' | 'expires_at'
    >,
  ): DeliveryRow {
    const now = new Date(this.#clock.now())
    const row = this.deliveries.get(id) ?? {
      id,
      ...shared,
      status: 'queued',
      reason: null,
      attempt: 0,
      replay_epoch: 0,
      claims: 0,
      uncounted: 0,
      owner: null,
      lease_until: null,
      provider: null,
      provider_message_id: null,
      due_at: null,
      cancel_requested_at: null,
      created_at: now,
      updated_at: now,
    }
    this.deliveries.set(id, row)
    return row
  }

  #attemptOf({ id, replayEpoch, attempt }: AttemptRef, claim: number): AttemptRow | undefined {
    return this.attempts.find(
      (row) =>
        row.delivery_id === id &&
        row.replay_epoch === replayEpoch &&
        row.attempt === attempt &&
        row.claim === claim,
    )
  }
}

function compare(left: AttemptRef, right: AttemptRef): number {
  return left.replayEpoch - right.replayEpoch || left.attempt - right.attempt
}

function isSame(left: State | null, right: State | null): boolean {
  return (
    left?.status === right?.status &&
    left?.replayEpoch === right?.replayEpoch &&
    left?.attempt === right?.attempt
  )
}
