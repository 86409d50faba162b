import { BrokerError } from '../broker/broker.ts'
import { systemClock as clock } from '../clock.ts'
import { PrefixRefused } from '../ownership/claim-prefix.ts'
import type { Logger } from '../observability/logger.ts'
import { doubling, retry } from '../retry.ts'
import { StartRefused } from '../settings/start-refused.ts'
import { isMigrated } from '../store/migrate.ts'
import { isLoginRefused, isStoreUnavailable, type Store } from '../store/store.ts'

export interface WaitOptions {
  logger: Logger
  /** Aborted when the process is to end: the wait then rejects. */
  signal: AbortSignal
  /** Milliseconds before the second try; they double up to `longestPause`. */
  firstPause?: number
}

const longestPause = 15_000

/**
 * Tries to reach Kafka until it answers: brokers, planner and workers are started in any order. Topics that are not there yet are
 * waited for as well, and so is a prefix that is another install's. Throws StartRefused, with one line, on what does not mend by waiting, such as a wrong password.
 */
export function awaitBroker<T>(attempt: () => Promise<T>, options: WaitOptions): Promise<T> {
  return tryUntilThere(attempt, options, (error) => {
    if (error instanceof PrefixRefused) return error.message
    if (!(error instanceof BrokerError)) throw error
    if (error.code === 'unavailable' || error.code === 'queue_full')
      return `KAFKA_BOOTSTRAP_SERVERS: ${error.message}`
    if (error.code === 'unknown_topic') return `${error.message}; carillon apply makes the topics`
    throw new StartRefused(error.message, 1, { cause: error })
  })
}

/**
 * Waits until PostgreSQL answers and has the tables of this release. Throws StartRefused, with one line, on what does not mend by
 * waiting: a wrong log-in, a database that does not exist.
 */
export function awaitDatabase(store: Store, options: WaitOptions): Promise<void> {
  const attempt = async () => {
    await store.ping()
    if (!(await isMigrated(store.db))) throw new NotMigrated('the tables of this release are not there yet')
  }
  return tryUntilThere(attempt, options, (error) => {
    if (error instanceof NotMigrated) return `DATABASE_URL: ${error.message}; carillon migrate makes them`
    if (isStoreUnavailable(error)) return `DATABASE_URL: ${(error as Error).message}`
    if (!isLoginRefused(error)) throw error
    throw new StartRefused(`DATABASE_URL: ${(error as Error).message}`, 1, { cause: error })
  })
}

class NotMigrated extends Error {}

/** @param describe what a failure that may pass is called; throws on every other one */
function tryUntilThere<T>(
  attempt: () => Promise<T>,
  { logger, signal, firstPause = 500 }: WaitOptions,
  describe: (error: unknown) => string,
): Promise<T> {
  const onFailure = (error: unknown, pause: number) =>
    logger.warn(`${describe(error)}; trying again in ${pause / 1000} s`)
  return retry(attempt, { clock, pauseAfter: doubling(firstPause, longestPause), onFailure }, signal)
}
