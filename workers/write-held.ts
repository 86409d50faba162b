import type { BrokerError, Producer } from '../core/broker/broker.ts'
import type { Logger } from '../core/observability/logger.ts'
import type { HeldRecord, HeldStore } from '../core/store/held-store.ts'
import { logLostLetter, produceDeadLetter } from './dead-letter.ts'
import {
  isVerdict,
  type Judged,
  partRefused,
  type Postponed,
  produceEach,
  refusalOf,
} from './produce-each.ts'

export interface WriteHeldOptions {
  producer: Producer
  held: HeldStore
  logger: Logger
}

/**
 * Writes records that waited for their topics, and strikes off those that are there now; those of a topic that refuses any of them stay. Answers what was
 * refused, but for what its topic will never take, which ends. When the process ends in between, records are written again, and the ledger drops them.
 */
export async function writeHeld(
  { producer, held, logger }: WriteHeldOptions,
  records: readonly HeldRecord[],
): Promise<Postponed<HeldRecord>[]> {
  const { judged, later } = partRefused(await produceEach(producer, records))
  // Before they are struck off: a crash in between must leave none that waits without a record.
  for (const one of judged) if (isDeadLetter(one.record)) later.push(...(await writeLetter(one)))
  if (judged.length > 0)
    await held.endRefused(judged.map(({ record, refusal }) => ({ record, reason: refusal })))
  const closed = new Set(later.map(({ record }) => record.topic))
  const done = records.filter(({ topic }) => !closed.has(topic))
  if (done.length > 0) await held.strikeOff(done)
  return later

  /** Without its payload, where it is too large. */
  async function writeLetter({ record, refusal }: Judged<HeldRecord>): Promise<Postponed<HeldRecord>[]> {
    const { topic, key, value, headers } = record
    try {
      await produceDeadLetter(producer, { topic, key, value, headers })
      return []
    } catch (error) {
      const again = refusalOf(error)
      if (again === undefined) throw error
      if (!isVerdict(again)) return [{ record, refusal: again, error: error as BrokerError }]
      logLostLetter(logger, record, refusal)
      return []
    }
  }
}

function isDeadLetter({ state }: HeldRecord): boolean {
  return state === null || state.status === 'dead_lettered'
}
