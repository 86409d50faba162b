import type { ConsumedRecord, Producer, RecordToProduce } from '../../core/broker/broker.ts'
import { sleep, type Timers } from '../../core/clock.ts'
import type { SkippedCounts, SkipReason } from '../../core/notification/replay.ts'
import { type Judged, partRefused, produceEach } from '../produce-each.ts'
import type { createPacer } from './pacer.ts'
import type { Progress } from './jobs.ts'
import { advance, isNext } from './positions.ts'
import type { Replayed } from './failures.ts'
import { type SelectOptions, selectRecords } from './select.ts'

export interface StepOptions extends SelectOptions {
  producer: Producer
  pacer: ReturnType<typeof createPacer>
  clock: Timers
  /** Records to replay at the most. */
  limit: number
  onReplayed: (replayed: readonly Replayed[]) => void
}

/**
 * Takes records that were read: judges them, writes those that are meant when the rate allows, and answers the progress after them. Nothing is
 * answered before everything is acknowledged, so a step that failed may be repeated.
 */
export function createStep({ producer, pacer, clock, limit, onReplayed, ...options }: StepOptions) {
  return async function step(
    records: readonly ConsumedRecord[],
    { positions, replayed, skipped }: Progress,
    signal: AbortSignal,
  ): Promise<Progress> {
    const fresh = records.filter((record) => isNext(positions ?? {}, record))
    const selection = await selectRecords(fresh, options)
    const room = limit - replayed
    const chosen = selection.records.slice(0, room)
    await sleep(clock, pacer.take(chosen.length), signal)
    signal.throwIfAborted()
    const refused = await write(producer, chosen)
    onReplayed(selection.replayed.slice(0, room))
    return {
      replayed: replayed + chosen.length - refused.length,
      skipped: refused.reduce(
        (sum, { refusal }) => addSkipped(sum, { [refusal]: 1 }),
        addSkipped(skipped, selection.skipped),
      ),
      positions: advance(positions ?? {}, records),
    }
  }
}

/** Answers those of the records that their topic will never take: its limit was lowered, say. */
async function write(
  producer: Producer,
  records: readonly RecordToProduce[],
): Promise<Judged<RecordToProduce>[]> {
  const { judged, later } = partRefused(await produceEach(producer, records))
  for (const { error } of later) throw error
  return judged
}

/** The sum of two counts, reason by reason. */
export function addSkipped(before: SkippedCounts, more: SkippedCounts): SkippedCounts {
  const result = { ...before }
  for (const [reason, count] of Object.entries(more) as [SkipReason, number][])
    if (count > 0) result[reason] = (result[reason] ?? 0) + count
  return result
}
