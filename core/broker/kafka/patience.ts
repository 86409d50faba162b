import { sleep, systemClock as clock } from '../../clock.ts'
import { doubling } from '../../retry.ts'
import type { BrokerError } from '../broker.ts'
import { isTransient, moreTelling, toBrokerError } from './wire/kafka-error.ts'

/** Milliseconds that a caller waits for Kafka before it is told `unavailable`. */
export const PATIENCE_MS = 5_000

/**
 * Milliseconds for which "no such topic" is not believed: brokers learn of a new topic one after the other, and one that
 * has not heard of it yet says that it does not exist.
 */
export const UNKNOWN_TOPIC_PATIENCE_MS = 1_000

/** Milliseconds to wait before try number `failures + 1`. */
export const pauseAfter = doubling(50, 1_000)

/** Does work that is safe to repeat until it succeeds, for {@link PATIENCE_MS}. Rejects with a `BrokerError`. */
export async function withPatience<T>(work: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  let told: BrokerError | undefined
  for (let failures = 1; ; failures++) {
    try {
      return await work()
    } catch (error) {
      told = moreTelling(told, toBrokerError(error))
      const patience = told.code === 'unknown_topic' ? UNKNOWN_TOPIC_PATIENCE_MS : PATIENCE_MS
      if (!isTransient(error) || performance.now() - begun > patience) throw told
      await sleep(clock, pauseAfter(failures))
    }
  }
}
