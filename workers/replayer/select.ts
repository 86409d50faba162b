import { z } from 'zod'
import type { ConsumedRecord, RecordToProduce } from '../../core/broker/broker.ts'
import { decodeDelivery, header, numberHeader } from '../../core/notification/envelope.ts'
import type { DeadLetterFilter, SkippedCounts } from '../../core/notification/replay.ts'
import type { ReplayableDelivery } from '../../core/store/dead-letters.ts'
import type { Replayed } from './failures.ts'

export interface Selection {
  /** What is to be written, and the attempts that it asks for, in the same order. */
  records: RecordToProduce[]
  replayed: Replayed[]
  skipped: SkippedCounts
}

export interface SelectOptions {
  filter: DeadLetterFilter
  /** The topic that the dead letters of this topic came from. */
  mainTopic: (deadLetters: string) => string
  /** Of these deliveries those that are dead letters and fit the filter. */
  find: (ids: string[]) => Promise<Map<string, ReplayableDelivery>>
}

const uuid = z.guid()

/**
 * Judges dead letter records: which go back to the topic of their channel, as first attempts of the next replay epoch. That epoch follows from
 * the record alone, so the same dead letter, replayed any number of times by anybody, asks for the same attempt, and is claimed once.
 * Records of deliveries that are no dead letters (any more), and older ones of a delivery that was dead-lettered again, are passed over.
 */
export async function selectRecords(
  records: readonly ConsumedRecord[],
  { filter, mainTopic, find }: SelectOptions,
): Promise<Selection> {
  const selection: Selection = { records: [], replayed: [], skipped: {} }
  const skip = (reason: keyof SkippedCounts) =>
    (selection.skipped[reason] = (selection.skipped[reason] ?? 0) + 1)

  const readable = new Map<string, { record: ConsumedRecord; epoch: number }>()
  for (const record of records) {
    const id = deliveryOf(record)
    const epoch = numberHeader(record.headers, header.replayEpoch, 0)
    if (id !== undefined && epoch !== undefined) {
      // Of several of one delivery the last: a worker that died after writing one writes it again.
      readable.set(id, { record, epoch })
    } else if (mayMeanUnreadable(filter)) skip('unreadable')
  }
  if (readable.size === 0) return selection
  const found = await find([...readable.keys()])
  for (const [id, { record, epoch }] of readable) {
    const delivery = found.get(id)
    if (delivery?.replayEpoch !== epoch) continue
    if (delivery.expired) {
      skip('expired')
      continue
    }
    if (record.value === null) {
      skip('too_large')
      continue
    }
    selection.records.push(toFirstAttempt(record, mainTopic(record.topic), epoch + 1))
    selection.replayed.push({ id, replayEpoch: epoch + 1 })
  }
  return selection
}

/** The delivery of a dead letter, also of one that was too large to be kept whole; `undefined` when it is none that can be read. */
function deliveryOf({ value, headers }: ConsumedRecord): string | undefined {
  if (headers[header.payload] === 'dropped') return uuid.safeParse(headers['ce_id']).data
  const decoded = decodeDelivery(value, headers)
  return decoded.kind === 'ok' ? decoded.envelope.id : undefined
}

function toFirstAttempt(record: ConsumedRecord, topic: string, replayEpoch: number): RecordToProduce {
  const { [header.due]: _due, [header.reason]: _reason, ...headers } = record.headers
  return {
    topic,
    key: record.key,
    value: record.value,
    headers: {
      ...headers,
      [header.attempt]: '1',
      [header.replayEpoch]: String(replayEpoch),
      [header.origin]: `${record.topic}/${record.partition}/${record.offset}`,
    },
  }
}

/** Whether somebody with this filter may expect a record that nobody can read: it has no template, recipient or id. */
function mayMeanUnreadable({ reasons, ...filter }: DeadLetterFilter): boolean {
  const { templates, categories, recipients, notifications, deliveries } = filter
  const named = [templates, categories, recipients, notifications, deliveries]
  return (
    named.every((values) => values === undefined) && (reasons === undefined || reasons.includes('poison'))
  )
}
