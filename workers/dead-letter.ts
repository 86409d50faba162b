import {
  BrokerError,
  type Producer,
  type RecordHeaders,
  type RecordToProduce,
} from '../core/broker/broker.ts'
import { header } from '../core/notification/envelope.ts'
import type { RecordVerdict } from '../core/notification/status.ts'
import type { Logger } from '../core/observability/logger.ts'

/** Longest key, and longest value of a header, that a dead letter without its payload keeps. */
const maxKept = 256
/** Headers that say what it was. */
const kept = [
  'ce_id',
  header.version,
  header.attempt,
  header.replayEpoch,
  header.origin,
  header.reason,
  header.traceparent,
] as const

/**
 * Writes a dead letter. One that is too large for its topic is written without its payload, and says so in the header `carillon-payload`: what it was, and
 * where it came from, is not lost. Rejects with a BrokerError when it could not be written.
 */
export async function produceDeadLetter(producer: Producer, letter: RecordToProduce): Promise<void> {
  try {
    await producer.produce([letter])
  } catch (error) {
    if (!(error instanceof BrokerError && error.code === 'record_too_large')) throw error
    const key = letter.key !== null && letter.key.length <= maxKept ? letter.key : null
    await producer.produce([
      { topic: letter.topic, key, value: null, headers: withoutPayload(letter.headers) },
    ])
  }
}

/** Says of a dead letter that its topic takes in no form where its record came from: nothing else is left of it there. */
export function logLostLetter(
  logger: Logger,
  { topic, headers = {} }: Pick<RecordToProduce, 'topic' | 'headers'>,
  verdict: RecordVerdict,
): void {
  const { ce_id: delivery, [header.origin]: origin, [header.reason]: reason } = headers
  logger.error({ topic, verdict, delivery, origin, reason }, 'A dead letter is refused by its topic for good')
}

function withoutPayload(headers: RecordHeaders = {}): RecordHeaders {
  const known = kept.map((name) => [name, headers[name]] as const)
  return {
    ...Object.fromEntries(known.filter(([, value]) => value !== undefined && value.length <= maxKept)),
    [header.payload]: 'dropped',
  }
}
