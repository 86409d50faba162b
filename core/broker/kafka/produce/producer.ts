import { BrokerError, type Producer, type RecordToProduce, type TopicPartitionOffset } from '../../broker.ts'
import { pauseAfter } from '../patience.ts'
import { TopicMap } from '../topic-map.ts'
import { KafkaError, moreTelling, toBrokerError } from '../wire/kafka-error.ts'
import type { ProduceRequest } from '../wire/produce-request.ts'
import type { Wire } from '../wire/wire.ts'
import { Calls } from './calls.ts'
import { type Lane, type Outgoing, sizeOf } from './lane.ts'
import { Outbox } from './outbox.ts'

/** Bytes of one batch: half of Kafka's default `max.message.bytes`, which is a bound for whole batches. */
const MAX_BATCH_BYTES = 512 * 1024
/** Bytes of one request over all its partitions, well below Kafka's `socket.request.max.bytes` of 100 MiB. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024
/** Milliseconds that a broker may wait for the copies; shorter than our patience, so that its answer is the reason given. */
const REPLICATION_TIMEOUT_MS = 4_000

/** Milliseconds between looks for topics and leaders that are missing. */
const LOCATE_INTERVAL_MS = 100
/** Milliseconds between looks for calls whose patience has ended while nothing else happens. */
const EXPIRY_INTERVAL_MS = 250
/** Milliseconds until partitions by which a topic grew get their share of the keys. */
const METADATA_MAX_AGE_MS = 60_000

interface ProduceAnswer {
  topics: { topicName: string; partitions: { partition: number; errorCode: number; baseOffset: string }[] }[]
}

/** Records that are on their way to one leader, by lane. */
type Shipment = Map<Lane, Outgoing[]>

/**
 * Appends records with `acks=all`, not idempotent: kafkajs's idempotent producer acknowledges records that are not in the log once an
 * answer was lost. One request per leader is under way at a time, and what arrives meanwhile goes with the next; each partition's
 * acknowledgement is looked at by itself, and what is not acknowledged is sent again until its callers have lost patience.
 */
export class KafkaProducer implements Producer {
  readonly #wire: Wire
  readonly #topics: TopicMap
  readonly #outbox: Outbox
  readonly #busyLeaders = new Set<number>()
  /** Batch sizes of topics that refused larger ones. */
  readonly #batchLimits = new Map<string, number>()
  readonly #calls = new Calls()
  #scheduled = false
  #locating = false
  #timer: NodeJS.Timeout | undefined
  /** What went wrong last, for those whose patience ends. */
  #trouble: BrokerError | undefined
  #closed = false

  constructor(wire: Wire) {
    this.#wire = wire
    this.#topics = new TopicMap(wire)
    this.#outbox = new Outbox(this.#topics)
  }

  async produce(records: readonly RecordToProduce[]): Promise<TopicPartitionOffset[]> {
    if (this.#closed) throw new BrokerError('closed', 'this client of the broker was closed')
    if (records.length === 0) return []
    const sizes = records.map(sizeOf)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    const call = this.#calls.open(records.length, bytes)
    const positions: TopicPartitionOffset[] = Array.from({ length: records.length })
    let missing = records.length
    records.forEach((record, index) => {
      this.#outbox.add(record, {
        call,
        key: record.key === null ? null : Buffer.from(record.key),
        value: record.value,
        headers: record.headers,
        bytes: sizes[index]!,
        appended(position) {
          positions[index] = position
          missing -= 1
          if (missing === 0) call.resolve(positions)
        },
      })
    })
    this.#schedule()
    return await call.answer
  }

  /** Takes nothing more; resolves when everything that was taken is acknowledged or given up: at most 5 s. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#calls.drained()
    clearTimeout(this.#timer)
  }

  /** Lets everything that arrives in this turn of the event loop go together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#ship()
    })
  }

  /** Sends what can be sent, and looks again later when something cannot. */
  #ship(): void {
    const now = performance.now()
    if (this.#calls.expire(now, this.#trouble)) this.#outbox.forgetSettled()
    const shipments = new Map<number, Shipment>()
    const sizes = new Map<number, number>()
    let unplaced = this.#outbox.hasUnplaced
    let delayed = false
    for (const lane of this.#outbox.lanes()) {
      if (lane.inFlight || lane.empty) continue
      const leader = this.#topics.leader(lane.topic, lane.partition)
      if (leader < 0) unplaced = true
      if (leader < 0 || lane.notBefore > now) {
        delayed = true
        continue
      }
      const size = sizes.get(leader) ?? 0
      if (this.#busyLeaders.has(leader) || size > MAX_REQUEST_BYTES) continue
      const records = lane.take(this.#batchLimits.get(lane.topic) ?? MAX_BATCH_BYTES)
      if (records.length === 0) continue
      lane.inFlight = true
      sizes.set(
        leader,
        records.reduce((sum, { bytes }) => sum + bytes, size),
      )
      const shipment: Shipment = shipments.get(leader) ?? new Map()
      shipments.set(leader, shipment.set(lane, records))
    }
    for (const [leader, shipment] of shipments) void this.#send(leader, shipment)
    if (this.#topics.age >= (unplaced ? LOCATE_INTERVAL_MS : METADATA_MAX_AGE_MS)) void this.#locate()
    if (this.#calls.size > 0) {
      this.#timer ??= setTimeout(
        () => {
          this.#timer = undefined
          this.#ship()
        },
        delayed || unplaced ? LOCATE_INTERVAL_MS : EXPIRY_INTERVAL_MS,
      )
    }
  }

  async #send(leader: number, shipment: Shipment): Promise<void> {
    this.#busyLeaders.add(leader)
    try {
      const request: ProduceRequest = {
        acks: -1,
        timeout: REPLICATION_TIMEOUT_MS,
        topicData: toTopicData(shipment),
      }
      const answer = await this.#wire.ask<ProduceAnswer>(leader, 'Produce', request)
      this.#trouble = undefined
      this.#settle(shipment, answer)
    } catch (error) {
      // Appended or not: nobody knows. Those who still wait for it have it sent again.
      for (const [lane, records] of shipment) this.#retry(lane, records, error)
      void this.#locate()
    } finally {
      for (const lane of shipment.keys()) lane.inFlight = false
      this.#busyLeaders.delete(leader)
      this.#schedule()
    }
  }

  #settle(shipment: Shipment, { topics }: ProduceAnswer): void {
    const answers = new Map(
      topics.flatMap(({ topicName, partitions }) =>
        partitions.map((partition) => [`${topicName}/${partition.partition}`, partition] as const),
      ),
    )
    for (const [lane, records] of shipment) {
      const { topic, partition } = lane
      const answer = answers.get(`${topic}/${partition}`)
      if (answer?.errorCode === 0) {
        lane.failures = 0
        lane.maxRecords *= 2
        lane.unknownSince = undefined
        const base = Number(answer.baseOffset)
        records.forEach((record, index) => record.appended({ topic, partition, offset: base + index }))
      } else {
        this.#refuse(lane, records, answer?.errorCode)
      }
    }
  }

  /** `code` is undefined when the answer says nothing about the partition, which is no acknowledgement. */
  #refuse(lane: Lane, records: readonly Outgoing[], code: number | undefined): void {
    const error = new KafkaError(code ?? -1, `topic ${lane.topic}`)
    const { code: meaning } = toBrokerError(error)
    if (meaning === 'record_too_large' && records.length > 1) {
      // The bound holds for batches: with smaller ones each record may yet be taken.
      const bytes = records.reduce((sum, record) => sum + record.bytes, 0)
      this.#batchLimits.set(lane.topic, Math.ceil(bytes / 2))
      lane.putBack(records)
      return
    }
    if (meaning === 'invalid_record' && records.length > 1) {
      // Said of one of them, about the whole batch: in halves of halves it ends up alone, and the others are taken.
      lane.maxRecords = Math.ceil(records.length / 2)
      lane.putBack(records)
      return
    }
    if (error.retriable || code === undefined) {
      this.#retry(lane, records, error)
      void this.#locate()
      return
    }
    const failure = toBrokerError(error)
    for (const { call } of records) call.reject(failure)
  }

  #retry(lane: Lane, records: readonly Outgoing[], error: unknown): void {
    const failure = toBrokerError(error)
    if (failure.code === 'unauthorized') {
      for (const { call } of records) call.reject(failure)
      return
    }
    this.#trouble = moreTelling(this.#trouble, failure)
    lane.putBack(records)
    lane.failures += 1
    lane.notBefore = performance.now() + pauseAfter(lane.failures)
  }

  /** Asks where partitions are until all that something waits for is found, or given up. */
  async #locate(): Promise<void> {
    if (this.#locating) return
    this.#locating = true
    try {
      await this.#topics.refresh()
      this.#outbox.placeKnown()
      this.#outbox.giveUpUnknown()
      this.#schedule()
    } catch (error) {
      const failure = toBrokerError(error)
      this.#trouble = moreTelling(this.#trouble, failure)
      if (failure.code === 'unauthorized') this.#calls.rejectAll(failure)
    } finally {
      this.#locating = false
    }
  }
}

function toTopicData(shipment: Shipment): ProduceRequest['topicData'] {
  const topics = Map.groupBy(shipment, ([{ topic }]) => topic)
  return [...topics].map(([topic, lanes]) => ({
    topic,
    partitions: lanes.map(([{ partition }, messages]) => ({ partition, messages })),
  }))
}
